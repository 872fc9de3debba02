"""What the peer files of the operations, kernels/<op>/peer.py, are made of.

A peer file says how PyTorch and others compute an operation today, at their best. It has a function for each registered
operation, named like it:

    def set_pool_forward(x, offsets, pool): -> {"PyTorch segment_reduce": run, ...}

Arguments are the operation's inputs by their schema names (None where left out; those updated in place come too), then its
options; `**given` takes all that the case has. What a user prepares once (a sparse matrix, an index) is prepared outside `run`. run() takes nothing and gives
the outputs in schema order (None for what it does not compute); run() giving None has nothing to compare, such as
random numbers. A backward peer is a Gradient, so that forward and backward can be timed together too.
"""

import importlib.util
import inspect
import pathlib
import sys

import torch
from torch.nn import functional

torch.sparse.check_sparse_tensor_invariants.disable()  # saying so silences a warning; off is the default

ACTIVATIONS = {
    "none": lambda z: z,
    "relu": functional.relu,
    "leakyRelu": functional.leaky_relu,
    "leakyRelu0.2": lambda z: functional.leaky_relu(z, 0.2),
    "elu": functional.elu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def activate(z, activation):
    return ACTIVATIONS[activation](z)


class Gradient:
    """Backward alone when called, over a graph recorded once; both() is forward and backward."""

    def __init__(self, forward, inputs, dy):
        self.given = [x is not None for x in inputs]
        self.inputs = [None if x is None else x.detach().clone().requires_grad_() for x in inputs]
        self.wanted = [x for x in self.inputs if x is not None]
        self.forward, self.dy = forward, dy
        self.y = forward(*self.inputs)

    def __call__(self):
        return self._grad(self.y, retain_graph=True)

    def both(self):
        return self._grad(self.forward(*self.inputs), retain_graph=False)

    def _grad(self, y, retain_graph):
        found = iter(torch.autograd.grad(y, self.wanted, self.dy, retain_graph=retain_graph))
        return tuple(next(found) if given else None for given in self.given)


def load(kernels):
    """Peer functions by operation, of every */peer.py below `kernels`."""
    functions = {}
    for path in sorted(pathlib.Path(kernels).glob("*/peer.py")):
        name = f"peer_{path.parent.name}"
        spec = importlib.util.spec_from_file_location(name, path)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for function in vars(module).values():
            if getattr(function, "__module__", None) == name and callable(function):
                functions[function.__name__] = function
    return functions


def arguments_of(function, known):
    """What a function of a peer file takes of the arguments and options by name; all of them where it takes any."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return known
    return {name: known.get(name) for name in parameters}


def relative_error(found, expected):
    """|found - expected| / |expected| over all elements, in float64."""
    difference = (found.double() - expected.double()).norm()
    return float(difference / expected.double().norm().clamp(min=1e-30))
