"""The dense layer as an ONNX model: one Gemm, the weight a constant of the model."""

import numpy
from onnx import TensorProto, helper, numpy_helper

ACTIVATIONS = {"none": None, "relu": "Relu", "leakyRelu": "LeakyRelu", "elu": "Elu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def linear_forward(x, weight, bias, activation):
    if activation not in ACTIVATIONS:
        return {}
    rows = x.reshape(-1, x.shape[-1])
    constants = [numpy_helper.from_array(weight, "weight")]
    if bias is not None:
        constants.append(numpy_helper.from_array(bias, "bias"))
    kind = ACTIVATIONS[activation]
    nodes = [helper.make_node("Gemm", ["x"] + [c.name for c in constants], ["z" if kind else "y"], transB=1)]
    if kind:
        nodes.append(helper.make_node(kind, ["z"], ["y"]))
    graph = helper.make_graph(
        nodes, "linear", [helper.make_tensor_value_info("x", TensorProto.FLOAT, rows.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows.shape[0], weight.shape[0]])], constants)
    return {"onnxruntime": (helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9),
                            {"x": numpy.ascontiguousarray(rows)})}
