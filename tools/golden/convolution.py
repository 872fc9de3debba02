"""Golden results of convolutions from PyTorch in float64, for test/ops/convolution.test.ts.

    python3 tools/golden/convolution.py

writes test/golden/convolution.safetensors: for each case x, weight, bias, dy, y and the gradients, the options in the
metadata. Asymmetric padding is PyTorch's `pad` before the convolution.
"""

import json

import torch
from make import FOLDER, with_gradients
from torch.nn import functional

# rank, input extents, kernel, and options as the library names them
CASES = [
    ("conv", [9], [3], {}),
    ("conv", [10], [4], {"stride": 2, "padding": [[1, 2]]}),
    ("conv", [8], [4], {"padding": "same"}),
    ("conv", [5, 6], [3, 3], {"padding": 1}),
    ("conv", [7, 6], [3, 2], {"stride": [2, 3], "padding": [1, 0]}),
    ("conv", [9, 8], [3, 3], {"dilation": [2, 3], "padding": [2, 3]}),
    ("conv", [6, 5], [2, 3], {"groups": 2, "padding": [[0, 1], [2, 1]]}),
    ("conv", [4, 5, 6], [3, 3, 3], {"padding": 1}),
    ("conv", [5, 6, 7], [4, 4, 4], {"stride": 2, "padding": 2}),
    ("conv", [4, 4, 6], [2, 2, 2], {"stride": 2}),
    ("conv", [3, 4, 5], [1, 1, 1], {"groups": 2}),
    ("conv", [5, 6, 5], [2, 3, 2], {"stride": [1, 2, 3], "padding": [0, 1, 1], "dilation": [2, 1, 3], "groups": 2}),
    ("convTranspose", [5], [3], {}),
    ("convTranspose", [5], [4], {"stride": 3, "padding": 1, "outputPadding": 2}),
    ("convTranspose", [4, 3], [3, 3], {"stride": 2, "padding": 1, "outputPadding": 1}),
    ("convTranspose", [3, 4], [2, 3], {"stride": [2, 1], "dilation": [3, 2], "outputPadding": [2, 1]}),
    ("convTranspose", [4, 3], [4, 4], {"stride": 2, "padding": 1, "groups": 2}),
    ("convTranspose", [2, 3, 2], [3, 3, 3], {"stride": 2, "padding": 1, "outputPadding": 1}),
    ("convTranspose", [2, 2, 3], [4, 4, 4], {"stride": 2, "padding": 1}),
    ("convTranspose", [2, 3, 2], [3, 3, 3], {"stride": 3, "padding": 1, "outputPadding": 2}),
    ("convTranspose", [2, 3, 3], [2, 2, 2], {"stride": 2, "groups": 2}),
    ("convTranspose", [4, 3, 4], [3, 3, 3], {"padding": 2}),
    ("convTranspose", [2, 3, 2], [5, 3, 2], {"stride": [3, 2, 1], "padding": [2, 0, 1], "outputPadding": [1, 1, 0]}),
]


def run(kind, rank, options, x, weight, bias):
    names = {"stride": "stride", "padding": "padding", "dilation": "dilation", "outputPadding": "output_padding",
             "groups": "groups"}
    given = {names[key]: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    if kind == "convTranspose":
        return getattr(functional, f"conv_transpose{rank}d")(x, weight, bias, **given)
    padding = options.get("padding")
    if isinstance(padding, list) and any(isinstance(one, list) for one in padding):
        given.pop("padding")
        x = functional.pad(x, [places for axis in reversed(padding) for places in axis])
    return getattr(functional, f"conv{rank}d")(x, weight, bias, **given)


def main():
    from make import save

    torch.manual_seed(30)
    tensors, described = {}, []
    for number, (kind, extents, kernel, options) in enumerate(CASES):
        groups, rank = options.get("groups", 1), len(extents)
        channels, outputs = 2 * groups, 3 * groups
        first, second = (channels, outputs // groups) if kind == "convTranspose" else (outputs, channels // groups)
        inputs = {"x": torch.randn(2, channels, *extents), "weight": torch.randn(first, second, *kernel),
                  "bias": torch.randn(outputs)}
        results = with_gradients(inputs, lambda x, weight, bias: run(kind, rank, options, x, weight, bias))
        tensors.update({f"{number}.{key}": value for key, value in results.items()})
        described.append({"function": f"{kind}{rank}d", "options": options})
    save("convolution", tensors, json.dumps(described))


if __name__ == "__main__":
    main()
    print((FOLDER / "convolution.safetensors").stat().st_size, "bytes")
