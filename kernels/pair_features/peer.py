"""weaver's pairwise features in PyTorch, over events of one size, as a model computes them: float32."""

import torch


def features(momenta, n, eps):
    px, py, pz, energy = momenta.view(-1, n, 4).unbind(-1)
    pt = (px.square() + py.square()).sqrt()
    rapidity = 0.5 * torch.log(((energy + pz) / (energy - pz).clamp(min=1e-20)).clamp(min=1e-20))
    azimuth = torch.atan2(py, px)

    def pairs(x):
        return x[:, :, None], x[:, None, :]

    def difference(x):
        a, b = pairs(x)
        return a - b

    turn = (difference(azimuth) + torch.pi) % (2 * torch.pi) - torch.pi
    distance = (difference(rapidity).square() + turn.square()).sqrt()
    smaller = torch.minimum(*pairs(pt))
    total = [a + b for a, b in map(pairs, (px, py, pz, energy))]
    mass2 = total[3].square() - total[0].square() - total[1].square() - total[2].square()
    behind = (smaller * distance, smaller / sum(pairs(pt)).clamp(min=eps), distance, mass2)
    return torch.stack([x.clamp(min=eps) for x in behind], -1).log().flatten()


def size_of(offsets, rows):
    sizes = offsets[1:] - offsets[:-1]
    n = int(sizes[0]) if len(sizes) else 0
    return n if n > 0 and bool((sizes == n).all()) and n * len(sizes) == rows else 0


def pair_features_forward(momenta, offsets, eps):
    n = size_of(offsets, len(momenta))

    def run():
        features(momenta, n, eps)  # float32 cancels where collinear particles meet: nothing to compare

    return {"PyTorch": run} if n else {}

