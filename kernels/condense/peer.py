"""Greedy condensation in PyTorch, event by event: the strongest hit left, then all that are near it."""

import torch


def condense(beta, x, offsets, t_beta, t_d):
    cuts = offsets.tolist()

    def run():
        clusters = torch.full((len(beta),), -1, dtype=torch.int32, device=x.device)
        points = torch.full_like(clusters, -1)
        counts = []
        for begin, end in zip(cuts, cuts[1:]):
            count = 0
            if end > begin:
                strengths = torch.where(beta[begin:end] > t_beta, beta[begin:end], -torch.inf)
                own = clusters[begin:end]
                while True:
                    strongest = int(strengths.argmax())
                    if strengths[strongest] == -torch.inf:
                        break
                    near = ((x[begin:end] - x[begin + strongest]).square().sum(1) <= t_d**2) & (own < 0)
                    near[strongest] = True
                    own[near] = count
                    strengths[near] = -torch.inf
                    points[begin + count] = begin + strongest
                    count += 1
            counts.append(count)
        return clusters, points, torch.tensor(counts, dtype=torch.int32, device=x.device)

    return {"PyTorch, event by event": run}
