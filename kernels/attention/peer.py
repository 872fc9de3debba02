"""PyTorch's scaled_dot_product_attention: over events padded to the longest with a mask, event by event, and, where all
have one size, in one call without a mask."""

import torch
from peer import Gradient
from torch.nn import functional


class Events:
    def __init__(self, offsets, rows):
        self.begins = offsets[:-1].long()
        self.sizes = (offsets[1:] - offsets[:-1]).long()
        self.longest = int(self.sizes.max()) if len(self.sizes) else 0
        self.whole = int(offsets[0]) == 0 and int(offsets[-1]) == rows
        self.even = bool((self.sizes == self.longest).all())
        self.set = torch.repeat_interleave(torch.arange(len(self.sizes), device=offsets.device), self.sizes)
        self.place = torch.arange(rows, device=offsets.device) - self.begins[self.set] if self.whole else None

    def padded(self, x):
        """[B, H, longest, D]"""
        rows = x.new_zeros(len(self.sizes), self.longest, *x.shape[1:])
        rows[self.set, self.place] = x
        return rows.transpose(1, 2).contiguous()

    def flat(self, y):
        return y.transpose(1, 2)[self.set, self.place]

    def parts(self, x):
        return [part.transpose(0, 1) for part in x.split(self.sizes.tolist())]


def forms(q, k, v, offsets, key_offsets, bias, scale, causal, padded_first):
    """Functions of q, k, v by name. With `padded_first` they are given as [B, H, longest, D]."""
    queries, keys = Events(offsets, len(q)), Events(key_offsets, len(k))
    if bias is not None or causal or not queries.whole or not keys.whole or 0 in queries.sizes or 0 in keys.sizes:
        return queries, keys, {}
    attend = functional.scaled_dot_product_attention
    mask = None
    if not keys.even:
        mask = (torch.arange(keys.longest, device=q.device) < keys.sizes[:, None])[:, None, None, :]

    def padded(q, k, v):
        if not padded_first:
            q, k, v = queries.padded(q), keys.padded(k), keys.padded(v)
        return queries.flat(attend(q, k, v, attn_mask=mask, scale=scale))

    def one_by_one(q, k, v):
        events = zip(queries.parts(q), keys.parts(k), keys.parts(v))
        return torch.cat([attend(*(part[None] for part in event), scale=scale)[0].transpose(0, 1) for event in events])

    name = "PyTorch SDPA" if mask is None else "PyTorch SDPA padded, with a mask"
    return queries, keys, {name: padded, "PyTorch SDPA event by event": one_by_one}


def attention_forward(q, k, v, offsets, key_offsets, bias, scale, causal):
    queries, keys, functions = forms(q, k, v, offsets, key_offsets, bias, scale, causal, True)
    if not functions:
        return {}
    padded = queries.padded(q), keys.padded(k), keys.padded(v)  # a batch is padded before the model sees it

    def run(name, function):
        given = (q, k, v) if "event by event" in name else padded
        return lambda: (function(*given), None)

    return {name: run(name, function) for name, function in functions.items()}


def attention_backward(q, k, v, offsets, key_offsets, bias, y, softmax, dy, scale, causal):
    _, _, functions = forms(q, k, v, offsets, key_offsets, bias, scale, causal, False)

    class WithoutBias(Gradient):
        def _grad(self, y, retain_graph):
            return (*super()._grad(y, retain_graph), None)

    return {name: WithoutBias(function, (q, k, v), dy) for name, function in functions.items()}
