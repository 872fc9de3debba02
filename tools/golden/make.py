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


def instance_norm():
    for name, shape in [("1d", [3, 4, 11]), ("2d", [2, 3, 5, 4]), ("3d", [2, 3, 4, 2, 5])]:
        norm = getattr(torch.nn, f"InstanceNorm{name}")(shape[1], affine=True).double()

        def forward(x, norm=norm, **given):
            return torch.func.functional_call(norm, given, (x,))

        inputs = {"x": torch.randn(shape) + 10, "weight": torch.randn(shape[1]), "bias": torch.randn(shape[1])}
        save(f"instance-norm-{name}", with_gradients(inputs, forward), "PyTorch's nn.InstanceNorm")


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


def attention():
    """Events of different size, one by one: scaled_dot_product_attention with a bias, causal, and unscaled, across two
    sets (one without queries, one without keys); nn.MultiheadAttention with its projections."""
    heads, width, value_width = 2, 3, 4
    sizes, key_sizes = [3, 0, 6, 2], [5, 2, 4, 0]
    pairs = [n * m for n, m in zip(sizes, key_sizes)]

    def per_head(rows):
        return rows.unflatten(1, (heads, -1)).transpose(0, 1)

    for name, causal, scale, with_bias in [("bias", False, None, True), ("causal", True, None, False),
                                           ("unscaled", False, 1.0, False)]:

        def forward(q, k, v, bias=None, causal=causal, scale=scale):
            biases = [None] * len(sizes) if bias is None else bias.split([heads * p for p in pairs])
            events = zip(q.split(sizes), k.split(key_sizes), v.split(key_sizes), biases)
            found = []
            for of_q, of_k, of_v, of_bias in events:
                mask = None if of_bias is None else of_bias.view(heads, len(of_q), len(of_k))
                y = functional.scaled_dot_product_attention(*map(per_head, (of_q, of_k, of_v)), attn_mask=mask,
                                                            is_causal=causal, scale=scale)
                found.append(y.transpose(0, 1).flatten(1))
            return torch.cat(found)

        inputs = {"q": torch.randn(sum(sizes), heads * width), "k": torch.randn(sum(key_sizes), heads * width),
                  "v": torch.randn(sum(key_sizes), heads * value_width)}
        if with_bias:
            inputs["bias"] = torch.randn(heads * sum(pairs))
        offsets = {key: torch.tensor([0, *torch.tensor(value).cumsum(0)])
                   for key, value in (("offsets", sizes), ("keyOffsets", key_sizes))}
        save(f"attention-{name}", {**offsets, **with_gradients(inputs, forward)}, "PyTorch's scaled_dot_product_attention")

    module = torch.nn.MultiheadAttention(8, heads, batch_first=True).double()
    sizes = [4, 1, 5]

    def self_attention(x, inWeight, inBias, outWeight, outBias):
        given = {"in_proj_weight": inWeight, "in_proj_bias": inBias, "out_proj.weight": outWeight,
                 "out_proj.bias": outBias}
        return torch.cat([torch.func.functional_call(module, given, (e[None], e[None], e[None]),
                                                     {"need_weights": False})[0][0] for e in x.split(sizes)])

    inputs = {"x": torch.randn(sum(sizes), 8), "inWeight": torch.randn(24, 8), "inBias": torch.randn(24),
              "outWeight": torch.randn(8, 8), "outBias": torch.randn(8)}
    save("multihead-attention", {"offsets": torch.tensor([0, 4, 5, 10]), **with_gradients(inputs, self_attention)},
         "PyTorch's nn.MultiheadAttention")


def transformer_encoder_layer():
    """nn.TransformerEncoderLayer over events of different size, one by one."""
    sizes = [4, 1, 0, 6]
    for name, norm_first, activation in [("post", False, "relu"), ("pre", True, "gelu")]:
        layer = torch.nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, activation=activation, norm_first=norm_first,
                                                 batch_first=True).double()
        weights = {key: value.detach().float() for key, value in layer.state_dict().items()}

        def forward(x, layer=layer, **given):
            return torch.cat([torch.func.functional_call(layer, given, (event[None],))[0] for event in x.split(sizes)
                              if len(event)])

        inputs = {"x": torch.randn(sum(sizes), 12), **{key: value + 0.1 * torch.randn_like(value)
                                                       for key, value in weights.items()}}
        save(f"transformer-encoder-{name}", {"offsets": torch.tensor([0, 4, 5, 5, 11]), **with_gradients(inputs, forward)},
             "PyTorch's nn.TransformerEncoderLayer")


if __name__ == "__main__":
    torch.manual_seed(1)
    graph_attention_conv()
    layer_norm()
    batch_norm()
    graph_conv()
    attention()
    transformer_encoder_layer()
    instance_norm()
