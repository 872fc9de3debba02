"""A chain of PyTorch's dense layers."""

from peer import Gradient, activate
from torch.nn import functional


def chain(activations):
    def forward(x, *parameters):
        for weight, bias, activation in zip(parameters[::2], parameters[1::2], activations):
            if weight is not None:
                x = activate(functional.linear(x, weight, bias), activation)
        return x

    return forward


def mlp_forward(x, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3,
                activation0, activation1, activation2, activation3):
    forward = chain((activation0, activation1, activation2, activation3))
    return {"PyTorch": lambda: forward(x, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3)}


def mlp_backward(x, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3, dy,
                 activation0, activation1, activation2, activation3):
    forward = chain((activation0, activation1, activation2, activation3))
    return {"PyTorch": Gradient(forward, (x, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3), dy)}
