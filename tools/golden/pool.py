"""Golden results of pooling from PyTorch in float64, for test/ops/windowPool.test.ts.

    python3 tools/golden/pool.py

writes test/golden/pool.safetensors: for each case x, dy, y and dx; what was called is in the metadata.
"""

import json

import torch
from make import save, with_gradients
from torch.nn import functional

# function, extents of x behind samples and channels, kernel, and options as the library names them
CASES = [
    ("avgPool1d", [9], 3, {}),
    ("avgPool1d", [10], 4, {"stride": 2, "padding": 2}),
    ("avgPool2d", [7, 6], [2, 3], {"stride": [2, 1], "padding": [1, 1], "countIncludePad": False}),
    ("avgPool2d", [7, 8], 3, {"stride": 2, "padding": 1, "ceilMode": True}),
    ("avgPool3d", [4, 5, 6], 2, {}),
    ("avgPool3d", [4, 5, 7], 3, {"stride": 2, "padding": 1, "ceilMode": True, "countIncludePad": False}),
    ("maxPool1d", [11], 3, {"stride": 2, "dilation": 2}),
    ("maxPool2d", [8, 9], 2, {}),
    ("maxPool2d", [9, 8], 3, {"stride": 2, "padding": 1}),
    ("maxPool2d", [7, 8], [3, 2], {"stride": 3, "padding": [1, 0], "dilation": [1, 2], "ceilMode": True}),
    ("maxPool3d", [4, 5, 6], [2, 3, 2], {"stride": [2, 1, 3]}),
]
NAMES = {"stride": "stride", "padding": "padding", "dilation": "dilation", "ceilMode": "ceil_mode",
         "countIncludePad": "count_include_pad"}


def main():
    torch.manual_seed(40)
    tensors, described = {}, []
    for number, (name, extents, kernel, options) in enumerate(CASES):
        function = getattr(functional, name.replace("Pool", "_pool"))
        given = {NAMES[key]: value for key, value in options.items()}
        found = with_gradients({"x": torch.randn(2, 3, *extents)}, lambda x: function(x, kernel, **given))
        tensors.update({f"{number}.{key}": value for key, value in found.items()})
        described.append({"function": name, "kernel": kernel, "options": options})
    save("pool", tensors, json.dumps(described))


main()
