"""PyTorch's two ways of pooling ragged sets: segment_reduce over the offsets, and index_add over set numbers."""

import torch
from peer import Gradient


def by_offsets(offsets, pool):
    start, end = int(offsets[0]), int(offsets[-1])
    inside = (offsets - start).long()

    def forward(x):
        # `initial` is what an empty set gives, and would take part in max and min.
        if pool in ("sum", "mean"):
            y = torch.segment_reduce(x[start:end], pool, offsets=inside, axis=0, unsafe=True)
            return torch.nan_to_num(y) if pool == "mean" else y
        y = torch.segment_reduce(x[start:end], pool, offsets=inside, axis=0, unsafe=True)
        return torch.where(torch.isinf(y), torch.zeros_like(y), y)

    return forward


def by_index(offsets, pool):
    sizes = (offsets[1:] - offsets[:-1]).long()
    sets = torch.repeat_interleave(torch.arange(len(sizes), device=offsets.device), sizes)
    start, end = int(offsets[0]), int(offsets[-1])
    scale = 1 / sizes.clamp(min=1)[:, None].float()

    def forward(x):
        y = x.new_zeros(len(sizes), x.shape[1]).index_add_(0, sets, x[start:end])
        return y * scale.to(x.dtype) if pool == "mean" else y

    return forward


def set_pool_forward(x, offsets, weights, pool):
    if weights is not None:
        return {}
    segment = by_offsets(offsets, pool)
    peers = {"PyTorch segment_reduce": lambda: segment(x)}
    if pool in ("sum", "mean"):
        index = by_index(offsets, pool)
        peers["PyTorch index_add"] = lambda: index(x)
    return peers


def set_pool_backward(x, offsets, weights, dy, pool):
    if weights is not None:
        return {}
    if x is None:
        x = dy.new_zeros(int(offsets[-1]), dy.shape[1])
    peers = {"PyTorch segment_reduce": Gradient(by_offsets(offsets, pool), (x,), dy)}
    if pool in ("sum", "mean"):
        peers["PyTorch index_add"] = Gradient(by_index(offsets, pool), (x,), dy)
    return peers
