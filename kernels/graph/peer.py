"""The reorderings of edges with PyTorch's stable sort."""

import torch


def sort_edges(keys, bound):
    order = torch.sort(keys, stable=True).indices
    return order, torch.searchsorted(keys[order], torch.arange(bound + 1, device=keys.device, dtype=keys.dtype)).int()


def graph_from_edges(edge_sources, edge_targets, edge_weights, N):
    def run():
        order, offsets = sort_edges(edge_targets, N)
        return offsets, edge_sources[order], None if edge_weights is None else edge_weights[order]

    return {"PyTorch sort": run}


def graph_transpose(row_offsets, sources, N):
    if int(row_offsets[0]) != 0 or int(row_offsets[-1]) != len(sources):
        return {}  # the sort would have to leave edges out

    def run():
        order, offsets = sort_edges(sources, N)
        rows = torch.arange(len(row_offsets) - 1, device=sources.device, dtype=torch.int32)
        targets = torch.repeat_interleave(rows, (row_offsets[1:] - row_offsets[:-1]).long())
        return offsets, targets[order], order.int()

    return {"PyTorch sort": run}
