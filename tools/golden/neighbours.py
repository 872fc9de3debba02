"""Golden results of neighbourhood operations from PyTorch Geometric, for test/ops/neighbours.test.ts.

    python3 tools/golden/neighbours.py test/golden/neighbours.safetensors

Neighbour lists are computed here in float64, as PyG's own search needs a package of its own.
"""

import json
import struct
import sys

import numpy
import torch
from torch_geometric.nn import EdgeConv

EVENTS, POINTS, WIDTH, NEIGHBOURS = 3, 12, 4, 5


def nearest(x, offsets, k):
    """Sources and targets of the edges from the k nearest points to each point, itself left out."""
    sources, targets = [], []
    for begin, end in zip(offsets[:-1], offsets[1:]):
        for i in range(begin, end):
            others = [j for j in range(begin, end) if j != i]
            others.sort(key=lambda j: (((x[i] - x[j]) ** 2).sum(), j))
            sources += others[:k]
            targets += [i] * min(k, len(others))
    return sources, targets


def save(tensors, path):
    """A safetensors file, its header padded so that the tensors are aligned."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        values = tensor.contiguous().numpy()
        kind = "I32" if values.dtype == numpy.int32 else "F32"
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main(path):
    torch.manual_seed(20)
    offsets = numpy.arange(EVENTS + 1) * POINTS
    x = torch.randn(EVENTS * POINTS, WIDTH)
    sources, targets = nearest(x.double().numpy(), offsets, NEIGHBOURS)
    edges = torch.tensor([sources, targets])
    tensors = {"x": x, "offsets": torch.tensor(offsets, dtype=torch.int32),
               "sources": torch.tensor(sources, dtype=torch.int32)}
    deep = torch.nn.Sequential(torch.nn.Linear(2 * WIDTH, 9), torch.nn.ReLU(), torch.nn.Linear(9, 7), torch.nn.ReLU(),
                               torch.nn.Linear(7, 6), torch.nn.Tanh())
    flat = torch.nn.Sequential(torch.nn.Linear(2 * WIDTH, 6), torch.nn.Tanh())
    for name, layers in (("deep", deep), ("flat", flat)):
        for key, value in layers.state_dict().items():
            tensors[f"{name}.{key}"] = value
        for reduce in ("mean", "max"):
            given = x.clone().requires_grad_()
            y = EdgeConv(lambda z: layers(z), aggr=reduce)(given, edges)  # given a module, it would draw new weights
            layers.zero_grad()
            (y * torch.cos(torch.arange(y.numel())).view_as(y)).sum().backward()
            tensors[f"{name}.{reduce}.y"] = y.detach()
            tensors[f"{name}.{reduce}.dx"] = given.grad
            tensors[f"{name}.{reduce}.dweight"] = layers[0].weight.grad.clone()
    save(tensors, path)


main(sys.argv[1])
