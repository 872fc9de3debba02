"""Writes test/golden/{deep-set,multi-deep-set-after,multi-deep-set-before}.safetensors: what PyTorch computes, event by event."""

import torch
from make import save, with_gradients
from torch.nn import functional

SIZES = {"0": [4, 0, 1, 7], "1": [2, 3, 0, 5], "2": [1, 1, 1, 1]}  # particles of the four events in each set
WIDTHS = {"0": 5, "1": 3, "2": 4}


def offsets(sizes):
    return torch.tensor([0, *torch.tensor(sizes).cumsum(0).tolist()])


def network(name, widths):
    return {f"{name}{kind}{l}": torch.randn(*shape) / inputs**0.5
            for l, (inputs, outputs) in enumerate(zip(widths, widths[1:]))
            for kind, shape in (("Weight", (outputs, inputs)), ("Bias", (outputs,)))}


def apply(name, x, parameters):
    for l in range(2):
        x = torch.tanh(functional.linear(x, parameters[f"{name}Weight{l}"], parameters[f"{name}Bias{l}"]))
    return x


def mean(h):
    return h.mean(0) if len(h) else h.new_zeros(h.shape[1])


def deep_set():
    def forward(x0, weights, **parameters):
        rows = []
        for h, w in zip(apply("phi0", x0, parameters).split(SIZES["0"]), weights.split(SIZES["0"])):
            rows.append((w[:, None] * h).sum(0) / w.sum() if len(h) else h.new_zeros(h.shape[1]))
        return apply("rho", torch.stack(rows), parameters)

    inputs = {"x0": torch.randn(12, 5), "weights": torch.rand(12) + 0.5, **network("phi0", [5, 6, 8]), **network("rho", [8, 4, 2])}
    save("deep-set", {"offsets0": offsets(SIZES["0"]), **with_gradients(inputs, forward)}, "PyTorch, weighted mean")


def multi_deep_set(fuse):
    def forward(**given):
        parts = {s: apply(f"phi{s}", given[f"x{s}"], given).split(SIZES[s]) for s in SIZES}
        if fuse == "after":
            rows = [torch.cat([mean(parts[s][event]) for s in SIZES]) for event in range(4)]
        else:
            rows = [mean(torch.cat([parts[s][event] for s in SIZES])) for event in range(4)]
        return apply("rho", torch.stack(rows), given)

    inputs = {f"x{s}": torch.randn(sum(SIZES[s]), WIDTHS[s]) for s in SIZES}
    for s in SIZES:
        inputs |= network(f"phi{s}", [WIDTHS[s], 6, 8])
    inputs |= network("rho", [24 if fuse == "after" else 8, 4, 2])
    tensors = {**{f"offsets{s}": offsets(SIZES[s]) for s in SIZES}, **with_gradients(inputs, forward)}
    save(f"multi-deep-set-{fuse}", tensors, f"PyTorch, mean, fused {fuse} pooling")


if __name__ == "__main__":
    torch.manual_seed(1)
    deep_set()
    multi_deep_set("after")
    multi_deep_set("before")
