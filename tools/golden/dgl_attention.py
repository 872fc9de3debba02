"""Writes test/golden/graph-attention-conv-dgl.safetensors: DGL's GATConv and its gradients on a small random graph.

DGL 1.1.3 is the last release that imports beside newer versions of PyTorch: pip install --no-deps dgl==1.1.3, and what it
asks for. It adds no self-loops, so the graph has them, last in every row as ours are.
"""

import dgl
import torch
from dgl.nn.pytorch import GATConv
from make import save, with_gradients


def main():
    torch.manual_seed(31)
    nodes, heads, features = 11, 3, 4
    sources = torch.tensor([0, 1, 2, 4, 0, 5, 5, 6, 8, 8, 2])  # 7, 9 and 10 stand alone
    targets = torch.tensor([1, 2, 0, 1, 3, 1, 1, 0, 3, 2, 1])
    graph = dgl.add_self_loop(dgl.graph((sources, targets), num_nodes=nodes))
    conv = GATConv(5, features, num_heads=heads).double()

    def forward(x, weight, attentionSource, attentionTarget, bias):
        given = {"fc.weight": weight, "attn_l": attentionSource[None], "attn_r": attentionTarget[None], "bias": bias}
        return torch.func.functional_call(conv, given, (graph, x)).flatten(1)

    inputs = {"x": torch.randn(nodes, 5), "weight": torch.randn(heads * features, 5),
              "attentionSource": torch.randn(heads, features), "attentionTarget": torch.randn(heads, features),
              "bias": torch.randn(heads * features)}
    tensors = {"sources": sources, "targets": targets, **with_gradients(inputs, forward)}
    save("graph-attention-conv-dgl", tensors, f"GATConv of DGL {dgl.__version__}")


main()
