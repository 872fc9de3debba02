"""The networks of bench/suites/sets.bench.ts as ONNX models: packed, the particles of all events one after the other and summed
by ScatterND (whose indices must be sorted: onnxruntime's threads add to the same row without protection, see
microsoft/onnxruntime#18048), and padded to the largest event. Sizes, masks and padding are made outside."""

import numpy
from onnx import TensorProto, helper, numpy_helper

TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


class Model:
    def __init__(self):
        self.nodes, self.feeds, self.constants, self.count = [], {}, {}, 0

    def node(self, kind, *inputs, **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(kind, inputs, [f"h{self.count}"], **attributes))
        return f"h{self.count}"

    def constant(self, name, value):
        self.constants[name] = value
        return name

    def feed(self, name, value):
        self.feeds[name] = value
        return name

    def layers(self, h, given, name, flat, last_is_plain=False):
        depth = sum(key.startswith(f"{name}_weight") for key in given)
        for l in range(depth):
            weight, bias = given[f"{name}_weight{l}"], given[f"{name}_bias{l}"]
            bias_name = self.constant(f"{name}_bias{l}", bias)
            if flat:
                h = self.node("Gemm", h, self.constant(f"{name}_weight{l}", weight), bias_name, transB=1)
            else:
                transposed = self.constant(f"{name}_weight{l}", numpy.ascontiguousarray(weight.T))
                h = self.node("Add", self.node("MatMul", h, transposed), bias_name)
            if not (last_is_plain and l == depth - 1):
                h = self.node("Relu", h)
        return h

    def done(self, h, events):
        self.nodes.append(helper.make_node("Identity", [h], ["y"]))
        graph = helper.make_graph(
            self.nodes, "sets", [helper.make_tensor_value_info(k, TYPES[v.dtype.name], v.shape) for k, v in self.feeds.items()],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [events, 1])],
            [numpy_helper.from_array(value, key) for key, value in self.constants.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), self.feeds


def sets_network_forward(**given):
    count = sum(f"x{s}" in given for s in range(8))
    packed, padded = Model(), Model()
    of_sets = {packed: [], padded: []}
    for s in range(count):
        x, offsets = given[f"x{s}"], given[f"offsets{s}"]
        sizes = numpy.diff(offsets)
        events, width = len(sizes), given[f"phi{s}_weight1"].shape[0]
        sets = numpy.repeat(numpy.arange(events, dtype=numpy.int64), sizes)
        scale = (1 / numpy.maximum(sizes, 1)).astype(numpy.float32)[:, None]

        h = packed.layers(packed.feed(f"x{s}", x), given, f"phi{s}", True)
        zeros = packed.constant(f"zeros{s}", numpy.zeros((events, width), numpy.float32))
        h = packed.node("ScatterND", zeros, packed.feed(f"sets{s}", sets[:, None]), h, reduction="add")
        of_sets[packed].append(packed.node("Mul", h, packed.feed(f"scale{s}", scale)))

        rows = numpy.zeros((events, sizes.max(), x.shape[1]), numpy.float32)
        mask = numpy.arange(sizes.max())[None, :] < sizes[:, None]
        rows[mask] = x
        h = padded.layers(padded.feed(f"x{s}", rows), given, f"phi{s}", False)
        h = padded.node("Mul", h, padded.feed(f"mask{s}", mask.astype(numpy.float32)[:, :, None]))
        h = padded.node("ReduceSum", h, padded.constant(f"axes{s}", numpy.array([1], numpy.int64)), keepdims=0)
        of_sets[padded].append(padded.node("Mul", h, padded.feed(f"scale{s}", scale)))
    found = {}
    for name, model in (("packed", packed), ("padded", padded)):
        rows = of_sets[model]
        h = model.node("Concat", *rows, axis=1) if count > 1 else rows[0]
        found[f"onnxruntime {name}"] = model.done(model.layers(h, given, "rho", True, True), events)
    return found
