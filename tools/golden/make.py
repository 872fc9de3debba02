"""Writes test/golden/<operation>.safetensors: what PyTorch and PyTorch Geometric compute on small random inputs."""

import json
import pathlib
import struct

import torch
from torch.nn import functional
from torch_geometric.nn import GATConv, GCNConv

FOLDER = pathlib.Path(__file__).parents[2] / "test" / "golden"


def save(name, tensors, title):
    save_to(FOLDER / f"{name}.safetensors", tensors, title)


def save_to(path, tensors, title):
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
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


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


def batch_norm():
    for name, shape in [("rows", [23, 6]), ("volume", [4, 3, 2, 5])]:
        channels = shape[1]
        inputs = {"x": torch.randn(shape) + 10, "weight": torch.randn(channels), "bias": torch.randn(channels)}
        mean, variance = torch.randn(channels) + 10, torch.rand(channels) + 0.5
        running = [mean.double(), variance.double()]

        def forward(x, weight, bias, training):
            return functional.batch_norm(x, *running, weight, bias, training)

        given = with_gradients(inputs, lambda **leaves: forward(**leaves, training=False))
        trained = with_gradients(inputs, lambda **leaves: forward(**leaves, training=True))
        outputs = {f"training.{key}": value for key, value in trained.items() if key not in inputs}
        save(f"batch-norm-{name}", {"mean": mean, "variance": variance, **given, **outputs, "training.mean": running[0],
                                    "training.variance": running[1]}, "PyTorch's batch_norm")


def graph_conv():
    """Gradients of edge weights, self-loops among the edges."""
    nodes = 7
    edges = torch.tensor([[0, 1, 2, 2, 4, 0, 5, 5, 3], [1, 2, 0, 2, 1, 3, 1, 5, 4]])
    conv = GCNConv(4, 3).double()

    def forward(x, weight, bias, weights):
        return torch.func.functional_call(conv, {"lin.weight": weight, "bias": bias}, (x, edges, weights))

    inputs = {"x": torch.randn(nodes, 4), "weight": torch.randn(3, 4), "bias": torch.randn(3),
              "weights": torch.rand(edges.shape[1]) + 0.5}
    save("graph-conv-weights", {"sources": edges[0], "targets": edges[1], **with_gradients(inputs, forward)},
         "PyTorch Geometric's GCNConv")


if __name__ == "__main__":
    torch.manual_seed(1)
    graph_attention_conv()
    layer_norm()
    batch_norm()
    graph_conv()
