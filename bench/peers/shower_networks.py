"""The shower generators of bench/suites/showers.bench.ts in PyTorch (the networks of tools/golden/showers.py) and as ONNX
models. Parameters come by PyTorch's names, noise and energies as a user of the networks would draw them before."""

import pathlib
import sys

import torch
from torch.nn import functional

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "golden"))
import showers as networks  # noqa: E402

LABEL_PER_GEV = networks.BibAeDecoder.LABEL_PER_GEV


def timed(network, *inputs):
    def run():
        with torch.inference_mode():
            return network(*inputs)

    return run


def loaded(network, given):
    network.load_state_dict({name: value for name, value in given.items() if name in network.state_dict()})
    return network


def wgan_generator(noise, energies, **given):
    return {"PyTorch": timed(loaded(networks.WganGenerator(), given), noise, energies)}


def bib_ae_decoder(noise, energies, **given):
    return {"PyTorch": timed(loaded(networks.BibAeDecoder(), given), noise, energies)}


def bib_ae_encoder(showers, energies, **given):
    network = loaded(networks.BibAeEncoder(), given)
    return {"PyTorch": timed(lambda x, labels: torch.cat(network(x, labels), dim=1), showers, LABEL_PER_GEV * energies)}


def bib_ae_post_processor(raw, energies, **given):
    network = loaded(networks.BibAePostProcessor(), given)

    def lean(x):
        """Without the dense layers and biases that have no effect."""
        h = x[:, None]
        for number in range(1, 5):
            weight = getattr(network, f"conv{number}").weight
            norm = getattr(network, f"bnco{number}")
            h = functional.leaky_relu(norm(functional.conv3d(h, weight[:, : h.shape[1]])))
        return network.conv6(functional.leaky_relu(network.conv5(h)))[:, 0]

    return {"PyTorch": timed(network, raw, LABEL_PER_GEV * energies), "PyTorch, what has an effect": timed(lean, raw)}


def transposed_stack(x, weight0, weight1, weight2):
    def network(h):
        for weight, padding in ((weight0, 1), (weight1, 1), (weight2, 2)):
            h = functional.relu(functional.conv_transpose3d(h, weight, stride=2, padding=padding))
        return h

    return {"PyTorch": timed(network, x)}


class Model:
    """An ONNX graph of layers one behind the other, in the order in which they are named."""

    def __init__(self, constants):
        self.constants, self.nodes, self.count, self.used = constants, [], 0, {}

    def add(self, kind, inputs, **attributes):
        from onnx import helper

        self.count += 1
        for name in inputs:
            if name in self.constants:
                self.used[name] = self.constants[name]
        self.nodes.append(helper.make_node(kind, inputs, [f"h{self.count}"], **attributes))
        return f"h{self.count}"

    def shaped(self, h, *shape):
        import numpy

        name = f"shape{self.count}"
        self.constants[name] = numpy.array(shape, numpy.int64)
        return self.add("Reshape", [h, name])

    def conv(self, h, weight, kind="Conv", stride=1, padding=0, more=0, bias=None):
        attributes = {"strides": [stride] * 3, "pads": [padding] * 6}
        if more:
            attributes["output_padding"] = [more] * 3
        return self.add(kind, [h, weight] + ([bias] if bias else []), **attributes)

    def norm(self, h, name):
        return self.add("LayerNormalization", [h, f"{name}.weight", f"{name}.bias"], axis=2, epsilon=1e-5)

    def leaky(self, h, slope):
        return self.add("LeakyRelu", [h], alpha=slope)

    def finish(self, h, shape, feeds):
        from onnx import TensorProto, helper, numpy_helper

        self.nodes[-1].output[0] = "y"
        graph = helper.make_graph(
            self.nodes, "showers",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feeds.items()],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(value, name) for name, value in self.used.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), feeds


def wgan_generator_onnx(noise, energies, **given):
    m, batch = Model(given), len(noise)
    feeds = {"noise": noise.reshape(batch, -1, 1, 1, 1), "energies": energies.reshape(batch, 1, 1, 1, 1)}
    h = m.add("Concat", [m.conv("energies", "conv1_1.weight", "ConvTranspose"),
                         m.conv("noise", "conv1_100.weight", "ConvTranspose")], axis=1)
    for at in (0, 3, 6):
        h = m.conv(h, f"main_conv.{at}.weight", "ConvTranspose", stride=2, padding=1)
        h = m.add("Relu", [m.norm(h, f"main_conv.{at + 1}")])
    m.add("Relu", [m.conv(h, "main_conv.9.weight", "ConvTranspose", padding=2)])
    return {"onnxruntime": m.finish(h, [batch, 1, 30, 30, 30], feeds)}


def bib_ae_decoder_onnx(noise, energies, **given):
    import numpy

    m, batch = Model(given), len(noise)
    h, feeds = "x", {"x": numpy.concatenate([noise, LABEL_PER_GEV * energies[:, None]], axis=1).astype(numpy.float32)}
    for name in ("cond1", "cond2", "cond3"):
        h = m.leaky(m.add("Gemm", [h, f"{name}.weight", f"{name}.bias"], transB=1), 0.2)
    h = m.shaped(h, batch, 8, 10, 10, 10)
    h = m.leaky(m.norm(m.conv(h, "deconv1.weight", "ConvTranspose", 3, 1, 2), "bnde1"), 0.2)
    h = m.leaky(m.norm(m.conv(h, "deconv2.weight", "ConvTranspose", 2, 1, 1), "bnde2"), 0.2)
    h = m.leaky(m.norm(m.conv(h, "conv0.weight", stride=2), "bnco0"), 0.2)
    for number in (1, 2, 3):
        h = m.leaky(m.norm(m.conv(h, f"conv{number}.weight", padding=1), f"bnco{number}"), 0.2)
    m.add("Relu", [m.conv(h, "conv4.weight", padding=1)])
    return {"onnxruntime": m.finish(h, [batch, 1, 30, 30, 30], feeds)}


def bib_ae_encoder_onnx(showers, energies, **given):
    m, batch = Model(given), len(showers)
    feeds = {"showers": showers[:, None], "labels": LABEL_PER_GEV * energies[:, None]}
    h = "showers"
    for number in range(1, 5):
        stride, padding = (2, 2) if number < 4 else (1, 1)
        h = m.leaky(m.norm(m.conv(h, f"enconv{number}.weight", stride=stride, padding=padding), f"bnen{number}"), 0.2)
    h = m.add("Concat", [m.shaped(h, batch, 8000), "labels"], axis=1)
    for name in ("fc1", "fc2"):
        h = m.leaky(m.add("Gemm", [h, f"{name}.weight", f"{name}.bias"], transB=1), 0.2)
    m.add("Concat", [m.add("Gemm", [h, f"{name}.weight", f"{name}.bias"], transB=1) for name in ("fc31", "fc32")], axis=1)
    return {"onnxruntime": m.finish(h, [batch, 48], feeds)}


def bib_ae_post_processor_onnx(raw, **given):
    """Without the dense layers and biases that have no effect."""
    import numpy

    given["conv2.weight"] = numpy.ascontiguousarray(given["conv2.weight"][:, :128])
    m, h = Model(given), "x"
    for number in range(1, 5):
        h = m.leaky(m.norm(m.conv(h, f"conv{number}.weight"), f"bnco{number}"), 0.01)
    h = m.leaky(m.conv(h, "conv5.weight", bias="conv5.bias"), 0.01)
    m.conv(h, "conv6.weight")
    return {"onnxruntime": m.finish(h, [len(raw), 1, 30, 30, 30], {"x": raw[:, None]})}


def transposed_stack_onnx(x, **given):
    m, h = Model(given), "x"
    for at, padding in enumerate((1, 1, 2)):
        h = m.add("Relu", [m.conv(h, f"weight{at}", "ConvTranspose", 2, padding)])
    return {"onnxruntime": m.finish(h, [len(x), 64, 30, 30, 30], {"x": x})}


NETWORKS = ("wgan_generator", "bib_ae_decoder", "bib_ae_encoder", "bib_ae_post_processor", "transposed_stack")
FUNCTIONS = {name: globals()[name] for name in NETWORKS}
MODELS = {name: globals()[f"{name}_onnx"] for name in NETWORKS}
