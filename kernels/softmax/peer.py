"""PyTorch's softmax, and the backward pass that it runs."""

import torch


def softmax_forward(x):
    return {"PyTorch softmax": lambda: torch.softmax(x, -1)}


def softmax_backward(y, dy):
    return {"PyTorch softmax": lambda: torch.ops.aten._softmax_backward_data(dy, y, -1, y.dtype)}
