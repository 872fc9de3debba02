"""The loss as its users write it in PyTorch, with the matrix of hits by objects, event by event. (A hit-object matrix of
the whole batch, as torch_cmspepr makes, is larger by the number of events.)"""

import torch
from peer import Gradient


def charge(beta, convention, q_min):
    if convention == "objectCondensation":
        return beta.arctanh() ** 2 + q_min
    if convention == "catFinder":
        return beta.clamp(0, 1 - 1e-7).arctanh() + q_min
    return (beta.clamp(0, 1 - 1e-4) / 1.002).arctanh() ** 2 + q_min


def potentials(square, convention, radius):
    if convention == "catFinder":
        square = square + 1e-7
    safe = torch.where(square > 0, square, 1)
    d = torch.where(square > 0, safe.sqrt(), 0)
    if convention == "cmsPepr":
        t = d + 1e-5
        return torch.where(t <= 4, t**2, 8 * (t - 4)), torch.exp(-4 * square)
    return square, torch.relu(radius - d)


def event_terms(beta, x, ids, convention, q_min, radius):
    objects = torch.unique(ids[ids > 0])
    own = ids[:, None] == objects[None, :]
    noise = ids <= 0
    count = max(len(objects), 1)
    q = charge(beta, convention, q_min)
    zero = beta.new_zeros(())
    of_noise = beta[noise].sum() / (noise.sum() + 1e-7) if noise.any() else zero
    if len(objects) == 0:
        return torch.stack([zero, zero, zero, of_noise])
    points = torch.where(own, beta.detach()[:, None], -torch.inf).argmax(0)
    attraction, repulsion = potentials((x[:, None] - x[points][None]).square().sum(-1), convention, radius)
    charges = q[:, None] * q[points][None]
    attractive, repulsive = (charges * attraction * own).sum(0), (charges * repulsion * ~own).sum(0)
    if convention == "objectCondensation":
        attractive = (attractive / own.sum(0)).sum() / count
        repulsive = (repulsive / (~own).sum(0).clamp(min=1)).sum() / count
    else:
        attractive, repulsive = attractive.sum() / len(ids), repulsive.sum() / len(ids)
    return torch.stack([attractive, repulsive, (1 - beta[points]).mean(), of_noise])


def by_event(object_ids, offsets, convention, q_min, radius):
    cuts = offsets.tolist()

    def forward(beta, x):
        events = [event_terms(beta[b:e], x[b:e], object_ids[b:e], convention, q_min, radius) for b, e in zip(cuts, cuts[1:])]
        return torch.stack(events).mean(0)

    return forward


def object_condensation_forward(beta, x, object_ids, offsets, convention, q_min, radius):
    form = by_event(object_ids, offsets, convention, q_min, radius)
    return {"PyTorch, event by event": lambda: form(beta, x)}


def object_condensation_backward(beta, x, object_ids, offsets, dy, convention, q_min, radius):
    return {"PyTorch, event by event": Gradient(by_event(object_ids, offsets, convention, q_min, radius), (beta, x), dy)}
