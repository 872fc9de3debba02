"""Deep sets in PyTorch: flat, as layers over all particles and index_add, and padded to the largest event."""

import torch
from peer import Gradient, activate
from torch.nn import functional


def chain(x, parameters, activations):
    for weight, bias, activation in zip(parameters[::2], parameters[1::2], activations):
        if weight is not None:
            x = activate(functional.linear(x, weight, bias), activation)
    return x


def pooled(particle_weights, offsets, pool, activations):
    """Functions of x and the parameters, by name."""
    sizes = (offsets[1:] - offsets[:-1]).long()
    sets = torch.repeat_interleave(torch.arange(len(sizes), device=offsets.device), sizes)
    start, end = int(offsets[0]), int(offsets[-1])
    place = torch.arange(end - start, device=offsets.device) - (offsets[:-1].long() - start)[sets]
    longest = int(sizes.max()) if len(sizes) else 0
    mask = torch.arange(longest, device=offsets.device)[None, :] < sizes[:, None]
    scale = 1 / sizes.clamp(min=1)[:, None].float()
    extreme = pool in ("max", "min")
    if particle_weights is not None:
        return {}

    def flat(x, *parameters):
        h = chain(x[start:end], parameters, activations)
        if extreme:
            y = h.new_zeros(len(sizes), h.shape[1])
            return y.scatter_reduce(0, sets[:, None].expand_as(h), h, "a" + pool, include_self=False)
        y = h.new_zeros(len(sizes), h.shape[1]).index_add(0, sets, h)
        return y * scale if pool == "mean" else y

    # A batch is padded before the model sees it.
    def padded(x, *parameters):
        h = chain(x, parameters, activations)
        if extreme:
            y = h.masked_fill(~mask[:, :, None], -torch.inf if pool == "max" else torch.inf)
            y = y.amax(1) if pool == "max" else y.amin(1)
            return torch.where(torch.isinf(y), torch.zeros_like(y), y)
        y = (h * mask[:, :, None]).sum(1)
        return y * scale if pool == "mean" else y

    def pad(x):
        rows = x.new_zeros(len(sizes), longest, x.shape[1])
        rows[sets, place] = x[start:end]
        return rows

    return {"flat": flat, "padded": padded, "pad": pad}


def deep_set_forward(x, offsets, particle_weights, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3,
                     activation0, activation1, activation2, activation3, pool):
    parameters = (weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3)
    forms = pooled(particle_weights, offsets, pool, (activation0, activation1, activation2, activation3))
    if not forms:
        return {}
    rows = forms["pad"](x)

    def run(form, inputs):
        def without_tape():
            with torch.inference_mode():
                return form(inputs, *parameters)

        return without_tape

    return {"PyTorch flat": run(forms["flat"], x), "PyTorch padded": run(forms["padded"], rows)}


def deep_set_backward(x, offsets, particle_weights, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3, dy,
                      activation0, activation1, activation2, activation3, pool):
    parameters = (weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3)
    forms = pooled(particle_weights, offsets, pool, (activation0, activation1, activation2, activation3))
    if not forms:
        return {}

    class WithoutWeights(Gradient):  # no particle weights, so no gradient of them
        def _grad(self, y, retain_graph):
            dx, *others = super()._grad(y, retain_graph)
            return (dx, None, *others)

    padded = lambda x, *parameters: forms["padded"](forms["pad"](x), *parameters)
    return {"PyTorch flat": WithoutWeights(forms["flat"], (x, *parameters), dy),
            "PyTorch padded": WithoutWeights(padded, (x, *parameters), dy)}
