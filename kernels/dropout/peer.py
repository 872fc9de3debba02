"""PyTorch's dropout. Other elements stay, so there is nothing to compare."""

from torch.nn import functional


def dropout_forward(x, p, seed, stream):
    return {"PyTorch dropout": lambda: discard(functional.dropout(x, p))}


def discard(_):
    return None
