"""Attention as ONNX models of onnxruntime's own operator MultiHeadAttention (com.microsoft), which it computes fused: over
events padded to the longest, whose rows are then taken out, or as they are where all have one size."""

import numpy
from onnx import TensorProto, helper

TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "int64": TensorProto.INT64}


def attention_forward(q, k, v, offsets, key_offsets, bias, scale, causal):
    sizes, key_sizes = numpy.diff(offsets), numpy.diff(key_offsets)
    if bias is not None or causal or offsets[0] != 0 or offsets[-1] != len(q) or not numpy.array_equal(sizes, key_sizes):
        return {}
    heads, events, longest = q.shape[1], len(sizes), int(sizes.max())
    event = numpy.repeat(numpy.arange(events), sizes)
    place = numpy.arange(len(q)) - offsets[event]

    def padded(x):
        rows = numpy.zeros((events, longest, x.shape[1] * x.shape[2]), numpy.float32)
        rows[event, place] = x.reshape(len(x), -1)
        return rows

    even = bool((sizes == longest).all())
    feeds = {"q": padded(q), "k": padded(k), "v": padded(v)}
    inputs = ["q", "k", "v"]
    nodes = []
    if not even:
        feeds["seen"] = (numpy.arange(longest) < sizes[:, None]).astype(numpy.int32)
        feeds["rows"] = (event * longest + place).astype(numpy.int64)
        inputs += ["", "seen"]
    nodes.append(helper.make_node("MultiHeadAttention", inputs, ["padded"], domain="com.microsoft", num_heads=heads,
                                  scale=float(scale)))
    columns = v.shape[1] * v.shape[2]
    shape = helper.make_node("Constant", [], ["flat_shape"], value=helper.make_tensor(
        "flat", TensorProto.INT64, [2], [-1, columns]))
    nodes += [shape, helper.make_node("Reshape", ["padded", "flat_shape"], ["y" if even else "flat"])]
    if not even:
        nodes.append(helper.make_node("Gather", ["flat", "rows"], ["y"]))
    graph = helper.make_graph(
        nodes, "attention",
        [helper.make_tensor_value_info(key, TYPES[value.dtype.name], value.shape) for key, value in feeds.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [len(q), columns])])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return {"onnxruntime MultiHeadAttention" + ("" if even else " padded"): (model, feeds)}
