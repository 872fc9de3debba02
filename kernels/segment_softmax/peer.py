"""PyTorch Geometric's softmax over the nodes of each graph, by set numbers and by boundaries."""

import torch
from peer import Gradient
from torch_geometric.utils import softmax


def forms(offsets):
    sizes = (offsets[1:] - offsets[:-1]).long()
    start, end = int(offsets[0]), int(offsets[-1])
    sets = torch.repeat_interleave(torch.arange(len(sizes), device=offsets.device), sizes)
    bounds = (offsets - start).long()
    inside = lambda x: x if start == 0 and end == len(x) else x[start:end]
    return {"PyG softmax by numbers": lambda x: softmax(inside(x), index=sets, num_nodes=len(sizes)),
            "PyG softmax by boundaries": lambda x: softmax(inside(x), ptr=bounds)}


def segment_softmax_forward(x, offsets):
    def run(form):
        return lambda: form(x)

    return {name: run(form) for name, form in forms(offsets).items()}


def segment_softmax_backward(offsets, y, dy):
    # The logarithm of the result is an input that has it.
    return {name: Gradient(form, (y.log(),), dy) for name, form in forms(offsets).items()}
