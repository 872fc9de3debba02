"""Writes test/golden/<operation>.safetensors: what PyTorch and PyTorch Geometric compute on small random inputs."""

import json
import pathlib
import struct

import torch
from torch.nn import functional
from torch_geometric.nn import GATConv

FOLDER = pathlib.Path(__file__).parents[2] / "test" / "golden"


def save(name, tensors, title):
    """The safetensors format: the header's length, the header as JSON, the numbers one tensor after the other."""
    header, data = {"__metadata__": {"torch": torch.__version__, "title": title}}, b""
    for key, tensor in tensors.items():
        kind, dtype = ("F32", torch.float32) if tensor.is_floating_point() else ("I32", torch.int32)
        if tensor.dtype == torch.uint8:
            kind, dtype = "U8", torch.uint8
        raw = tensor.detach().contiguous().to(dtype).numpy().tobytes()
        header[key] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (FOLDER / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def with_gradients(inputs, forward):
    """Inputs, y, a random dy and the gradients of `inputs`, by name; computed in float64."""
    leaves = {key: value.double().requires_grad_() for key, value in inputs.items()}
    y = forward(**leaves)
    dy = torch.randn_like(y).float()
    gradients = torch.autograd.grad(y, list(leaves.values()), dy.double())
    return {**inputs, "y": y, "dy": dy, **{f"d{key}": value for key, value in zip(leaves, gradients)}}


def graph_attention_conv():
    nodes, heads, features = 9, 3, 4
    edges = torch.tensor([[0, 1, 2, 2, 4, 0, 5, 5, 3, 6], [1, 2, 0, 2, 1, 1, 1, 5, 3, 0]])  # 7 and 8 stand alone
    for name, concat, self_loops in [("concat", True, True), ("mean", False, True), ("without-loops", True, False)]:
        conv = GATConv(5, features, heads=heads, concat=concat, add_self_loops=self_loops).double()

        def forward(x, weight, attentionSource, attentionTarget, bias, conv=conv):
            given = {"lin.weight": weight, "att_src": attentionSource[None], "att_dst": attentionTarget[None],
                     "bias": bias}
            return torch.func.functional_call(conv, given, (x, edges))

        inputs = {"x": torch.randn(nodes, 5), "weight": torch.randn(heads * features, 5),
                  "attentionSource": torch.randn(heads, features), "attentionTarget": torch.randn(heads, features),
                  "bias": torch.randn(heads * features if concat else features)}
        tensors = {"sources": edges[0], "targets": edges[1], **with_gradients(inputs, forward)}
        save(f"graph-attention-conv-{name}", tensors, "PyTorch Geometric's GATConv")


def layer_norm():
    for name, shape in [("last", [17]), ("volume", [3, 2, 4])]:
        inputs = {"x": torch.randn(5, *shape) + 10, "weight": torch.randn(shape), "bias": torch.randn(shape)}
        tensors = with_gradients(inputs, lambda x, weight, bias: functional.layer_norm(x, shape, weight, bias))
        save(f"layer-norm-{name}", tensors, "PyTorch's layer_norm")


if __name__ == "__main__":
    torch.manual_seed(1)
    graph_attention_conv()
    layer_norm()
