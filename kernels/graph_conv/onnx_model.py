"""Graph convolution as ONNX models, in the two forms that are fast there: edges summed by ScatterND, and, where the graph
falls into small ones of equal size, dense products per tree. The normalised adjacency is prepared outside, its edges sorted
by target: onnxruntime's threads add to the same row without protection, and where two meet sums are lost (a graph of 40,000
nodes with its loops behind the edges: in about one call of twelve; microsoft/onnxruntime#18048)."""

import numpy
import torch
from onnx import TensorProto, helper, numpy_helper
from peer_graph_conv import Adjacency

ACTIVATIONS = {"none": None, "relu": "Relu", "leakyRelu": "LeakyRelu", "elu": "Elu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def model_of(name, nodes, feeds, constants, shape):
    """`feeds` are inputs of the model; constants are part of it."""
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info(k, TYPES[v.dtype.name], v.shape) for k, v in feeds.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, key) for key, value in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), feeds


def graph_conv_forward(row_offsets, sources, edge_weights, x, weight, bias, normalization, self_loops, activation):
    if activation not in ACTIVATIONS:
        return {}
    given = None if edge_weights is None else torch.from_numpy(edge_weights)
    adjacency = Adjacency(torch.from_numpy(row_offsets), torch.from_numpy(sources), given, torch.float32, normalization,
                          self_loops)
    nodes, (outputs, inputs) = len(x), weight.shape
    layer = {"weight": numpy.ascontiguousarray(weight.T)}
    if bias is not None:
        layer["bias"] = bias

    def finish(z):
        """bias and activation after the aggregation `z`."""
        steps, last = [], z
        if bias is not None:
            steps.append(helper.make_node("Add", [last, "bias"], ["with_bias"]))
            last = "with_bias"
        steps.append(helper.make_node(ACTIVATIONS[activation] or "Identity", [last], ["y"]))
        return steps

    scatter = model_of(
        "graph_conv by ScatterND",
        [helper.make_node("MatMul", ["x", "weight"], ["h"]),
         helper.make_node("Gather", ["h", "sources"], ["gathered"]),
         helper.make_node("Mul", ["gathered", "scale"], ["messages"]),
         helper.make_node("ScatterND", ["zeros", "targets", "messages"], ["z"], reduction="add"), *finish("z")],
        {"x": x, "sources": adjacency.source.numpy(), "targets": adjacency.target.numpy()[:, None],
         "scale": adjacency.weight.numpy()[:, None]},
        {**layer, "zeros": numpy.zeros((nodes, outputs), numpy.float32)}, [nodes, outputs])
    found = {"onnxruntime ScatterND": scatter}
    size = adjacency.block_size()
    if size:
        found["onnxruntime dense per tree"] = model_of(
            "graph_conv dense per tree",
            [helper.make_node("MatMul", ["x", "weight"], ["h"]), helper.make_node("MatMul", ["blocks", "h"], ["z"]),
             *finish("z")],
            {"x": x.reshape(-1, size, inputs), "blocks": adjacency.blocks(size).numpy()}, layer,
            [nodes // size, size, outputs])
    return found
