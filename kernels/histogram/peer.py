"""numpy's histogram and histogram2d, in float64; given evenly spaced edges also as a range, which is faster."""

import numpy as np
import torch


def spacing(edges):
    """The arguments bins and range, where they make these edges."""
    bins, ends = len(edges) - 1, (edges[0], edges[-1])
    even = bins > 0 and ends[0] < ends[1] and np.array_equal(np.linspace(*ends, bins + 1), edges)
    return (bins, ends) if even else None


def numpys(weights):
    return None if weights is None else weights.double().numpy()


def histogram_forward(x, edges, weights, outside, spread):
    if outside != "ignored" or spread != "none":
        return {}
    values, cuts, w = x.numpy(), edges.numpy(), numpys(weights)

    def run(bins, ends=None):
        return lambda: (torch.from_numpy(np.histogram(values, bins, ends, weights=w)[0].astype(np.float64)),)

    runs = {"numpy histogram, edges": run(cuts)}
    if spacing(cuts):
        runs["numpy histogram, range"] = run(*spacing(cuts))
    return runs


def histogram_2d_forward(x, y, x_edges, y_edges, weights, outside, spread):
    if outside != "ignored" or spread != "none":
        return {}
    first, second, cuts, w = x.numpy(), y.numpy(), [x_edges.numpy(), y_edges.numpy()], numpys(weights)

    def run(bins, ends=None):
        return lambda: (torch.from_numpy(np.histogram2d(first, second, bins, ends, weights=w)[0]),)

    runs = {"numpy histogram2d, edges": run(cuts)}
    if all(map(spacing, cuts)):
        bins, ends = zip(*map(spacing, cuts))
        runs["numpy histogram2d, range"] = run(list(bins), list(ends))
    return runs
