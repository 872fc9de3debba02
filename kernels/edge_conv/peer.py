"""The layers over gathered edges, by PyTorch alone (rows of equal length as a dense dimension) and as PyG's EdgeConv."""

import torch
from peer import Gradient, activate
from torch.nn import functional


def network(activations):
    def run(z, parameters):
        for weight, bias, activation in zip(parameters[::2], parameters[1::2], activations):
            if weight is not None:
                z = activate(functional.linear(z, weight, bias), activation)
        return z

    return run


def convolutions(row_offsets, sources, nodes, activations, reduce):
    """Functions of x and the parameters, by name."""
    degrees = (row_offsets[1:] - row_offsets[:-1]).long()
    begin, end = int(row_offsets[0]), int(row_offsets[-1])
    from_node = sources[begin:end].long()
    to_node = torch.repeat_interleave(torch.arange(nodes, device=sources.device), degrees)
    layers = network(activations)
    found = {}
    degree = int(degrees[0]) if nodes else 0
    if degree > 0 and bool((degrees == degree).all()):

        def dense(x, *parameters):
            near = x[from_node].view(nodes, degree, -1)
            here = x[:, None, :].expand(near.shape)
            values = layers(torch.cat([here, near - here], dim=-1), parameters)
            return values.mean(1) if reduce == "mean" else values.max(1).values

        found["PyTorch"] = dense
    try:
        from torch_geometric.nn import EdgeConv
    except ImportError:
        return found
    edges = torch.stack([from_node, to_node])

    def convolution(x, *parameters):
        return EdgeConv(lambda z: layers(z, parameters), aggr=reduce)(x, edges)

    found["PyG EdgeConv"] = convolution
    return found


def edge_conv_forward(row_offsets, sources, x, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3,
                      activation0, activation1, activation2, activation3, reduce):
    parameters = (weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3)
    found = convolutions(row_offsets, sources, len(x), (activation0, activation1, activation2, activation3), reduce)
    return {name: lambda run=run: run(x, *parameters) for name, run in found.items()}


def edge_conv_backward(row_offsets, sources, x, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3, dy,
                       activation0, activation1, activation2, activation3, reduce):
    inputs = (x, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3)
    found = convolutions(row_offsets, sources, len(x), (activation0, activation1, activation2, activation3), reduce)
    return {name: Gradient(run, inputs, dy) for name, run in found.items()}
