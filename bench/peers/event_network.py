"""The network of the selective background simulation on one event, in PyTorch and as an ONNX model. The tree is given in the
form that is fastest there for one event: two small dense matrices that pick the mother and average the daughters, made
outside. Features are standardised already."""

import numpy
import torch
from torch.nn import functional


def matrices(mother):
    nodes = len(mother)
    to_daughter = numpy.zeros((nodes, nodes), numpy.float32)
    daughters = numpy.nonzero(mother >= 0)[0]
    to_daughter[daughters, mother[daughters]] = 1
    count = to_daughter.sum(0)
    return to_daughter, (to_daughter / numpy.maximum(count, 1)).T.copy()


def torch_event_network(tokens, mother, features, table, output_weight, output_bias, layers):
    to_daughter, to_mother = (torch.from_numpy(m) for m in matrices(mother.numpy()))
    weights = [(torch.cat(parts, dim=1), bias) for *parts, bias in layers]

    def run():
        with torch.inference_mode():
            h = torch.cat([functional.embedding(tokens, table), features], dim=1)
            for weight, bias in weights:
                h = functional.relu(functional.linear(torch.cat([h, to_daughter @ h, to_mother @ h], dim=1), weight, bias))
            return torch.sigmoid(functional.linear(h.mean(0), output_weight, output_bias))

    return {"PyTorch": run}


def onnx_event_network(tokens, mother, features, table, output_weight, output_bias, layers):
    from onnx import TensorProto, helper, numpy_helper

    to_daughter, to_mother = matrices(mother)
    feeds = {"tokens": tokens.astype(numpy.int64), "features": features, "to_daughter": to_daughter, "to_mother": to_mother}
    constants = {"table": table, "output_weight": output_weight, "output_bias": output_bias,
                 "axes": numpy.array([0], numpy.int64)}
    nodes = [helper.make_node("Gather", ["table", "tokens"], ["embedded"]),
             helper.make_node("Concat", ["embedded", "features"], ["h0"], axis=1)]
    for at, (own, parent, daughters, bias) in enumerate(layers):
        constants[f"weight{at}"] = numpy.concatenate([own, parent, daughters], axis=1)
        constants[f"bias{at}"] = bias
        nodes += [helper.make_node("MatMul", ["to_daughter", f"h{at}"], [f"parent{at}"]),
                  helper.make_node("MatMul", ["to_mother", f"h{at}"], [f"daughters{at}"]),
                  helper.make_node("Concat", [f"h{at}", f"parent{at}", f"daughters{at}"], [f"inputs{at}"], axis=1),
                  helper.make_node("Gemm", [f"inputs{at}", f"weight{at}", f"bias{at}"], [f"z{at}"], transB=1),
                  helper.make_node("Relu", [f"z{at}"], [f"h{at + 1}"])]
    nodes += [helper.make_node("ReduceMean", [f"h{len(layers)}", "axes"], ["mean"], keepdims=1),
              helper.make_node("Gemm", ["mean", "output_weight", "output_bias"], ["logit"], transB=1),
              helper.make_node("Sigmoid", ["logit"], ["y"])]
    types = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    graph = helper.make_graph(
        nodes, "event_network", [helper.make_tensor_value_info(k, types[v.dtype.name], v.shape) for k, v in feeds.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()])
    return {"onnxruntime": (helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), feeds)}


def of_inputs(function):
    """Takes the layers by the names under which the bench gives them: self1, parent1, daughters1, bias1, ..."""
    def event_network(tokens, mother, features, table, output_weight, output_bias,
                      self1, parent1, daughters1, bias1, self2, parent2, daughters2, bias2, self3, parent3, daughters3, bias3):
        layers = [(self1, parent1, daughters1, bias1), (self2, parent2, daughters2, bias2),
                  (self3, parent3, daughters3, bias3)]
        return function(tokens, mother, features, table, output_weight, output_bias, layers)

    return event_network
