"""Golden results of neighbourhood operations from PyTorch Geometric, for test/ops/neighbours.test.ts.

    python3 tools/golden/neighbours.py test/golden/neighbours.safetensors

Neighbour lists are computed here in float64, as PyG's own search needs a package of its own.
"""

import json
import struct
import sys

import numpy
import torch
import torch_geometric.typing
from torch_geometric.nn import DynamicEdgeConv, EdgeConv, GravNetConv

EVENTS, POINTS, WIDTH, NEIGHBOURS = 3, 12, 4, 5
LIBRARIES = []


def nearest(x, offsets, k, loop):
    """Sources and targets of the edges from the k nearest points to each point; itself among them with `loop`."""
    sources, targets = [], []
    for begin, end in zip(offsets[:-1], offsets[1:]):
        for i in range(begin, end):
            others = [j for j in range(begin, end) if loop or j != i]
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
    sources, targets = nearest(x.double().numpy(), offsets, NEIGHBOURS, False)
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
    search_here(offsets)
    add_grav_net(tensors, x)
    add_dynamic_edge_conv(tensors, x, flat)
    save(tensors, path)


def search_here(offsets):
    """PyG's layers that search neighbours use ours from now on."""

    def knn(places, other, *settings):
        sources, targets = nearest(places.detach().double().numpy(), offsets, NEIGHBOURS, True)
        return torch.tensor([targets, sources])

    library = torch.library.Library("pyg", "FRAGMENT")
    library.define("knn(Tensor x, Tensor y, Tensor? ptr_x, Tensor? ptr_y, int k, bool cosine, int workers) -> Tensor")
    library.impl("knn", knn, "CompositeImplicitAutograd")
    torch_geometric.typing.WITH_KNN = True
    LIBRARIES.append(library)  # gone, it would take its operation with it


def add_grav_net(tensors, x):
    layer = GravNetConv(WIDTH, 6, space_dimensions=3, propagate_dimensions=5, k=NEIGHBOURS)
    given = x.clone().requires_grad_()
    y = layer(given)
    (y * torch.cos(torch.arange(y.numel())).view_as(y)).sum().backward()
    for key, value in layer.named_parameters():
        tensors[f"gravnet.{key}"] = value.detach()
        tensors[f"gravnet.d{key}"] = value.grad
    tensors["gravnet.y"] = y.detach()
    tensors["gravnet.dx"] = given.grad


def add_dynamic_edge_conv(tensors, x, layers):
    given = x.clone().requires_grad_()
    y = DynamicEdgeConv(lambda z: layers(z), k=NEIGHBOURS)(given)  # the largest message, every point its own neighbour
    (y * torch.cos(torch.arange(y.numel())).view_as(y)).sum().backward()
    tensors["dynamic.y"] = y.detach()
    tensors["dynamic.dx"] = given.grad


main(sys.argv[1])
