"""PyTorch Geometric's GATConv."""

import torch
from peer import Gradient, activate
from torch_geometric.nn import GATConv


def layer(row_offsets, sources, weight, attention_source, negative_slope, concat, self_loops, activation):
    heads, features = attention_source.shape
    start, end = int(row_offsets[0]), int(row_offsets[-1])
    sizes = (row_offsets[1:] - row_offsets[:-1]).long()
    targets = torch.repeat_interleave(torch.arange(len(sizes), device=sources.device), sizes)
    edges = torch.stack([sources[start:end].long(), targets])
    conv = GATConv(weight.shape[1], features, heads=heads, concat=bool(concat), negative_slope=negative_slope,
                   add_self_loops=bool(self_loops), bias=False).to(weight.device)

    def forward(x, weight, attention_source, attention_target, bias):
        # The layer's own parameters give way to the given ones, so that gradients reach them.
        given = {"lin.weight": weight, "att_src": attention_source[None], "att_dst": attention_target[None]}
        z = torch.func.functional_call(conv, given, (x, edges))
        return activate(z if bias is None else z + bias, activation)

    return forward


def graph_attention_conv_forward(row_offsets, sources, x, weight, attention_source, attention_target, bias,
                                 negative_slope, concat, self_loops, activation):
    forward = layer(row_offsets, sources, weight, attention_source, negative_slope, concat, self_loops, activation)
    return {"PyG GATConv": lambda: forward(x, weight, attention_source, attention_target, bias)}


def graph_attention_conv_backward(row_offsets, sources, transposed_offsets, targets, x, weight, attention_source,
                                  attention_target, bias, y, dy, negative_slope, concat, self_loops, activation):
    forward = layer(row_offsets, sources, weight, attention_source, negative_slope, concat, self_loops, activation)
    return {"PyG GATConv": Gradient(forward, (x, weight, attention_source, attention_target, bias), dy)}
