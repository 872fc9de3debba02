"""The graph attention network of bench/suites/neighbours.bench.ts in PyTorch and PyTorch Geometric, for one event."""

import torch
from torch.nn import functional


def gatgap(tokens, row_offsets, sources, features, table, weight0, weights, attention_source, attention_target, biases, gate,
           output):
    try:
        from torch_geometric.nn import GATConv
    except ImportError:
        return {}
    targets = torch.repeat_interleave(torch.arange(len(tokens)), (row_offsets[1:] - row_offsets[:-1]).long())
    edges = torch.stack([sources.long(), targets])
    _, heads, units = attention_source.shape
    convs = []
    for l, weight in enumerate([weight0, *weights]):
        conv = GATConv(weight.shape[1], units, heads=heads)
        given = {"lin.weight": weight, "att_src": attention_source[l][None], "att_dst": attention_target[l][None],
                 "bias": biases[l]}
        conv.load_state_dict(given)
        convs.append(conv)

    def run():
        with torch.inference_mode():
            h = torch.cat([functional.embedding(tokens, table), features], dim=1)
            for conv in convs:
                h = functional.elu(conv(h, edges))
            shares = torch.softmax(functional.linear(h, gate), dim=0)
            return torch.sigmoid(functional.linear((shares * h).sum(0, keepdim=True), output))

    return {"PyTorch and PyG": run}
