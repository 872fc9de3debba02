"""The formula as its users write it in PyTorch, with n x n matrices, and dcor's O(n log n) value."""

import os

import torch

# What is there at once of n x n matrices of float32 when the gradient is taken.
MATRICES = 8
MOST_FOR_DCOR = 2e6  # above, one call takes half a minute
MOST_FOR_NAIVE_DCOR = 12_000


def check_memory(n):
    """Refuses what would only swap."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 4 * MATRICES * n**2 > there:
        raise MemoryError(f"{MATRICES} matrices of {n} x {n} are {4 * MATRICES * n**2 / 1e9:.0f} GB")


def pairwise(x, y, weights, power):
    """DisCo (arXiv:2001.05310): doubly centred distances, weights that sum to n."""
    check_memory(x.shape[-1])
    w = torch.ones_like(y) if weights is None else weights * (len(y) / weights.sum())

    def centred(z):
        distance = (z[:, None] - z[None, :]).abs()
        rows = (distance * w).mean(1)
        return distance - rows[:, None] - rows[None, :] + (rows * w).mean()

    a, b = centred(x), centred(y)

    def product(s, t):
        return ((s * t * w).mean(1) * w).mean()

    return (product(a, b) / (product(a, a) * product(b, b)).sqrt()) ** power


def one_set(x, offsets, quantity, estimator):
    return x.shape[0] == 1 and offsets.tolist() == [0, x.shape[1]] and quantity == "correlation" and estimator == "biased"


def dcor_value(x, y, method):
    import dcor

    first, second = x[0].double().numpy(), y.double().numpy()
    return lambda: torch.tensor([[dcor.distance_correlation_sqr(first, second, method=method)]], dtype=torch.float64)


def dcor_values(x, y, weights, power):
    if weights is not None or power != 1 or len(y) > MOST_FOR_DCOR:
        return {}
    try:
        return {f"dcor {method}, value": dcor_value(x, y, method) for method in ("mergesort", "avl")}
    except ImportError:
        return {}


def distance_correlation_forward(x, y, weights, offsets, order, power, quantity, estimator):
    if not one_set(x, offsets, quantity, estimator):
        return {}
    return {"PyTorch DisCo": lambda: pairwise(x[0], y, weights, power).reshape(1, 1), **dcor_values(x, y, weights, power)}


def distance_correlation_backward(x, y, weights, offsets, order, dvalue, power, quantity, estimator):
    """Value and gradient in x, as training needs them."""
    if not one_set(x, offsets, quantity, estimator):
        return {}
    scores = x.detach().clone().requires_grad_()

    def disco():
        value = pairwise(scores[0], y, weights, power).reshape(1, 1)
        (dx,) = torch.autograd.grad(value, scores, dvalue.to(value.dtype))
        return value, dx

    only_value = {name: (lambda run=run: (run(),)) for name, run in dcor_values(x, y, weights, power).items()}
    return {"PyTorch DisCo, forward and backward": disco, **only_value}


def euclidean(x, y, power):
    """The same formula with Euclidean distances, in as few n x n matrices as autograd can do with."""
    check_memory(len(x))

    def centred(z):
        distance = torch.cdist(z, z)
        rows = distance.mean(1)
        return distance - (rows[:, None] + (rows[None, :] - rows.mean()))

    a, b = centred(x), centred(y)
    return ((a * b).mean() / ((a * a).mean() * (b * b).mean()).sqrt()) ** power


def plain(weights, quantity, estimator):
    return weights is None and quantity == "correlation" and estimator == "biased"


def multivariate_distance_correlation_forward(x, y, weights, power, quantity, estimator):
    if not plain(weights, quantity, estimator):
        return {}
    runs = {"PyTorch DisCo, cdist": lambda: euclidean(x, y, power)}
    if power == 1 and len(x) <= MOST_FOR_NAIVE_DCOR:
        try:
            import dcor

            first, second = x.double().numpy(), y.double().numpy()
            runs["dcor naive, value"] = lambda: torch.tensor(dcor.distance_correlation_sqr(first, second, method="naive"))
        except ImportError:
            pass
    return runs


def multivariate_distance_correlation_backward(x, y, weights, dvalue, power, quantity, estimator):
    """Value and gradient in x, as training needs them."""
    if not plain(weights, quantity, estimator):
        return {}
    points = x.detach().clone().requires_grad_()

    def disco():
        value = euclidean(points, y, power)
        (dx,) = torch.autograd.grad(value, points, dvalue.to(value.dtype))
        return value, dx

    return {"PyTorch DisCo, cdist, forward and backward": disco}
