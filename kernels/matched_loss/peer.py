"""The losses of matched pairs in PyTorch: gathered by an index that is made once, then averaged."""

import torch
from peer import Gradient


def loss_of(pair_loss, row_offsets, column_offsets, column_of_row, unmatched, reduction, unmatched_weight):
    sizes, widths = row_offsets.diff().long(), column_offsets.diff().long()
    counts = sizes * widths
    begins = torch.repeat_interleave(counts.cumsum(0) - counts, sizes)
    wide = torch.repeat_interleave(widths, sizes)
    inside = torch.arange(int(sizes.sum())) - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    columns = column_of_row[int(row_offsets[0]) : int(row_offsets[-1])].long()
    index = (begins + inside * wide + columns)[columns >= 0]
    alone = torch.nonzero(columns < 0)[:, 0] + int(row_offsets[0])

    def forward(losses, others):
        total, weight = losses[index].sum(), len(index)
        if others is not None:
            total = total + unmatched_weight * others[alone].sum()
            weight += unmatched_weight * len(alone)
        return (total / weight if reduction == "mean" else total)[None]

    return forward


def matched_loss_forward(pair_loss, row_offsets, column_offsets, column_of_row, unmatched, reduction, unmatched_weight):
    forward = loss_of(pair_loss, row_offsets, column_offsets, column_of_row, unmatched, reduction, unmatched_weight)
    return {"PyTorch gather": lambda: forward(pair_loss, unmatched)}


def matched_loss_backward(pair_loss, row_offsets, column_offsets, column_of_row, unmatched, dloss, reduction, unmatched_weight):
    forward = loss_of(pair_loss, row_offsets, column_offsets, column_of_row, unmatched, reduction, unmatched_weight)
    return {"PyTorch gather": Gradient(forward, [pair_loss, unmatched], dloss)}
