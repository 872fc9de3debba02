"""Global attention pooling in PyTorch: flat with PyTorch Geometric's softmax and index_add, and padded with a mask."""

import torch
from peer import Gradient
from torch_geometric.utils import softmax


def forms(offsets):
    sizes = (offsets[1:] - offsets[:-1]).long()
    start, end = int(offsets[0]), int(offsets[-1])
    sets = torch.repeat_interleave(torch.arange(len(sizes), device=offsets.device), sizes)
    place = torch.arange(end - start, device=offsets.device) - (offsets[:-1].long() - start)[sets]
    longest = int(sizes.max()) if len(sizes) else 0
    mask = torch.arange(longest, device=offsets.device)[None, :] < sizes[:, None]

    def scores_of(x, weight, scores):
        s = x.new_zeros(x.shape[:-1]) if weight is None else x @ weight
        return s if scores is None else s + scores

    def flat(x, weight, scores):
        x, scores = x[start:end], None if scores is None else scores[start:end]
        alpha = softmax(scores_of(x, weight, scores), index=sets, num_nodes=len(sizes))
        return x.new_zeros(len(sizes), x.shape[1]).index_add(0, sets, alpha[:, None] * x)

    # A batch is padded before the model sees it.
    def padded(x, weight, scores):
        s = scores_of(x, weight, scores).masked_fill(~mask, -torch.inf)
        alpha = torch.softmax(s, 1).masked_fill(~mask, 0)  # of an empty event it is NaN
        return torch.bmm(alpha[:, None, :], x)[:, 0]

    def pad(x):
        if x is None:
            return None
        rows = x.new_zeros(len(sizes), longest, *x.shape[1:])
        rows[sets, place] = x[start:end]
        return rows

    return flat, padded, pad


def attention_pool_forward(x, offsets, weight, scores):
    flat, padded, pad = forms(offsets)
    rows, row_scores = pad(x), pad(scores)

    def flat_without_tape():
        with torch.inference_mode():
            return flat(x, weight, scores)

    def padded_without_tape():
        with torch.inference_mode():
            return padded(rows, weight, row_scores)

    return {"PyTorch and PyG flat": flat_without_tape, "PyTorch padded": padded_without_tape}


def attention_pool_backward(x, offsets, weight, scores, dy):
    flat, padded, pad = forms(offsets)
    return {"PyTorch and PyG flat": Gradient(flat, (x, weight, scores), dy),
            "PyTorch padded": Gradient(lambda x, weight, scores: padded(pad(x), weight, pad(scores)), (x, weight, scores), dy)}
