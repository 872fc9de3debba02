"""The formulas in PyTorch, float64, for histograms without empty bins; the gradient by autograd."""

import math

import torch
from peer import Gradient


def formula(kind, base, pseudocount):
    def shapes(p, q):
        p, q = p + pseudocount, q + pseudocount
        return p / p.sum(), q / q.sum()

    def relative(p, q):
        return (p * (p / q).log()).sum() / math.log(base)

    def jensen_shannon(p, q):
        p, q = shapes(p, q)
        middle = (p + q) / 2
        return (relative(p, middle) + relative(q, middle)) / 2

    return jensen_shannon if kind == "jensenShannon" else lambda p, q: relative(*shapes(p, q))


def divergence_forward(p, q, base, pseudocount, kind):
    if bool((p <= 0).any()) or bool((q <= 0).any()):
        return {}
    of = formula(kind, base, pseudocount)
    return {"PyTorch": lambda: (of(p, q),)}


def divergence_backward(p, q, dvalue, base, pseudocount, kind):
    if bool((p <= 0).any()) or bool((q <= 0).any()):
        return {}
    return {"PyTorch": Gradient(formula(kind, base, pseudocount), (p, q), dvalue)}
