"""Several deep sets per event in PyTorch: set by set in the forms of deep_set, their rows side by side or joined."""

import torch
from peer import Gradient
from peer_deep_set import chain, pooled

SETS, LAYERS = 8, 4


def of_set(given, s):
    parameters = [given.get(f"phi{s}_{kind}{l}") for l in range(LAYERS) for kind in ("weight", "bias")]
    activations = [given[f"phi{s}_activation{l}"] for l in range(LAYERS)]
    return given[f"x{s}"], given[f"offsets{s}"], parameters, activations


def network(given):
    """Forms of the network as functions of all x and parameters, flat in a list; what they take; how each set is padded."""
    present = [s for s in range(SETS) if given.get(f"x{s}") is not None]
    weighted = any(given.get(f"particle_weights{s}") is not None for s in present)
    if given["fuse"] != "after" or weighted:
        return None
    sets = [of_set(given, s) for s in present]
    forms = [pooled(None, offsets, given["pool"], activations) for _, offsets, _, activations in sets]
    inputs = [tensor for x, _, parameters, _ in sets for tensor in (x, *parameters)]
    each = 1 + 2 * LAYERS

    def run(name, prepare=None):
        def forward(*inputs):
            rows = []
            for k, form in enumerate(forms):
                x, *parameters = inputs[each * k : each * (k + 1)]
                rows.append(form[name](form["pad"](x) if prepare else x, *parameters))
            return torch.cat(rows, 1)

        return forward

    pads = [form["pad"] for form in forms]
    return run, inputs, pads, each


def multi_deep_set_forward(**given):
    found = network(given)
    if found is None:
        return {}
    run, inputs, pads, each = found
    padded = [pads[i // each](x) if i % each == 0 else x for i, x in enumerate(inputs)]

    def without_tape(form, inputs):
        def call():
            with torch.inference_mode():
                return form(*inputs)

        return call

    return {"PyTorch flat": without_tape(run("flat"), inputs), "PyTorch padded": without_tape(run("padded"), padded)}


def multi_deep_set_backward(dy, **given):
    found = network(given)
    if found is None:
        return {}
    run, inputs, _, each = found

    class InOrder(Gradient):  # with a place for the particle weights of each set, and of the sets that there are not
        def _grad(self, y, retain_graph):
            gradients = super()._grad(y, retain_graph)
            placed = [g for i, g in enumerate(gradients) for g in ((g, None) if i % each == 0 else (g,))]
            return tuple(placed) + (None,) * (SETS * (each + 1) - len(placed))

    return {"PyTorch flat": InOrder(run("flat"), inputs, dy), "PyTorch padded": InOrder(run("padded", True), inputs, dy)}


class SetsNetwork:
    """Deep sets of one or several sets with an MLP of the mean rows, as bench/suites/sets.bench.ts runs them: every layer
    with relu but the last. What is padded or counted is made outside the measurement."""

    def __init__(self, given):
        self.phi, self.sets = [], 0
        while f"x{self.sets}" in given:
            self.phi.append(self.layers(given, f"phi{self.sets}"))
            self.sets += 1
        self.rho = self.layers(given, "rho")
        self.x = [given[f"x{s}"] for s in range(self.sets)]
        names = ["relu"] * LAYERS
        self.forms = [pooled(None, given[f"offsets{s}"], "mean", names) for s in range(self.sets)]
        self.parameters = [p for layers in (*self.phi, self.rho) for p in layers]

    @staticmethod
    def layers(given, name):
        found = []
        while f"{name}_weight{len(found) // 2}" in given:
            l = len(found) // 2
            found += [given[f"{name}_weight{l}"], given[f"{name}_bias{l}"]]
        return found

    def of(self, form):
        """A function of all parameters."""
        x = [f["pad"](x) for f, x in zip(self.forms, self.x)] if form == "padded" else self.x

        def forward(*parameters):
            rest, rows = list(parameters), []
            for s, layers in enumerate(self.phi):
                rows.append(self.forms[s][form](x[s], *rest[: len(layers)]))
                rest = rest[len(layers):]
            h = torch.cat(rows, 1) if self.sets > 1 else rows[0]
            h = chain(h, rest[:-2], ["relu"] * LAYERS)
            return torch.nn.functional.linear(h, *rest[-2:])

        return forward


def sets_network_forward(**given):
    network = SetsNetwork(given)

    def without_tape(forward):
        def call():
            with torch.inference_mode():
                return forward(*network.parameters)

        return call

    return {f"PyTorch {name}": without_tape(network.of(form)) for name, form in (("packed", "flat"), ("padded", "padded"))}


def sets_network_backward(dy, **given):
    network = SetsNetwork(given)
    return {f"PyTorch {name}": Gradient(network.of(form), network.parameters, dy)
            for name, form in (("packed", "flat"), ("padded", "padded"))}
