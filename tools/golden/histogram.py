"""Writes test/golden/histogram.safetensors: numpy's histograms, and scipy's divergences of two of them."""

import numpy as np
import torch
from make import save
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

if __name__ == "__main__":
    random = np.random.default_rng(3)
    # Quarters are float32 numbers, so that many values lie on edges.
    x = np.concatenate([random.normal(size=150), random.integers(-12, 12, 50) / 4]).astype(np.float32)
    y = random.normal(size=200).astype(np.float32)
    weights = random.normal(size=200).astype(np.float32)
    edges = np.array([-1.75, -1, -0.25, 0, 0.5, 2], np.float32)
    ends = (-2, 2.5)
    even = np.histogram(x, 12, ends)[0]
    other = random.integers(1, 30, 12)
    pairs = np.histogram2d(x, y, [np.linspace(*ends, 13), edges], weights=weights)[0]
    tensors = {
        "x": x, "y": y, "weights": weights, "edges": edges, "even": even, "other": other,
        "weighted": np.histogram(x, 12, ends, weights=weights.astype(np.float64))[0],
        "uneven": np.histogram(x, edges, weights=weights.astype(np.float64))[0], "pairs": pairs,
        "jensenShannon": np.array([jensenshannon(even, other, base=2) ** 2]),
        "kullbackLeibler": np.array([entropy(even, other)]),
    }
    save("histogram", {key: torch.tensor(value).double() for key, value in tensors.items()}, "numpy and scipy")
