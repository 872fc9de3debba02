"""PyTorch's layer_norm."""

from peer import Gradient, activate
from torch.nn import functional


def layer(eps, activation):
    def forward(x, weight, bias):
        return activate(functional.layer_norm(x, x.shape[-1:], weight, bias, eps), activation)

    return forward


def layer_norm_forward(x, weight, bias, eps, activation):
    forward = layer(eps, activation)
    return {"PyTorch layer_norm": lambda: forward(x, weight, bias)}


def layer_norm_backward(x, weight, bias, y, dy, eps, activation):
    return {"PyTorch layer_norm": Gradient(layer(eps, activation), (x, weight, bias), dy)}
