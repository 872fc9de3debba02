"""GravNetConv's own steps with PyTorch, and its message passing by PyG."""

import torch
from peer import Gradient


def collectors(row_offsets, sources, nodes, convention):
    """Functions of space and features, by name."""
    degrees = (row_offsets[1:] - row_offsets[:-1]).long()
    begin, end = int(row_offsets[0]), int(row_offsets[-1])
    from_node = sources[begin:end].long()
    to_node = torch.repeat_interleave(torch.arange(nodes, device=sources.device), degrees)
    found = {}

    def weights_of(space):
        return torch.exp(-10 * (space[from_node] - space[to_node]).square().sum(-1))

    def ordered(mean, largest):
        return torch.cat([mean, largest] if convention == "pyg" else [largest, mean], dim=-1)

    degree = int(degrees[0]) if nodes else 0
    if degree > 0 and bool((degrees == degree).all()):

        def dense(space, features):
            messages = (features[from_node] * weights_of(space)[:, None]).view(nodes, degree, -1)
            return ordered(messages.mean(1), messages.max(1).values)

        found["PyTorch"] = dense
    try:
        from torch_geometric.utils import scatter
    except ImportError:
        return found

    def scattered(space, features):
        messages = features[from_node] * weights_of(space)[:, None]
        return ordered(*(scatter(messages, to_node, dim_size=nodes, reduce=reduce) for reduce in ("mean", "max")))

    found["PyG scatter"] = scattered
    return found


def grav_net_forward(row_offsets, sources, space, features, convention):
    found = collectors(row_offsets, sources, len(space), convention)
    return {name: lambda run=run: run(space, features) for name, run in found.items()}


def grav_net_backward(row_offsets, sources, space, features, dy, convention):
    found = collectors(row_offsets, sources, len(space), convention)
    return {name: Gradient(run, (space, features), dy) for name, run in found.items()}
