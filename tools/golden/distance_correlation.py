"""Writes test/golden/distance-correlation*.safetensors: DisCo's formula in PyTorch with its gradients, and dcor's values."""

import dcor
import torch
from make import save


def disco(x, y, weights, power):
    """arXiv:2001.05310 with weights that sum to n; Euclidean distances for points of several coordinates."""
    w = weights * (len(weights) / weights.sum())

    def centred(z):
        differences = z[:, None] - z[None, :]
        distance = differences.abs() if z.dim() == 1 else torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")
        rows = (distance * w).mean(1)
        return distance - rows[:, None] - rows[None, :] + (rows * w).mean()

    def product(s, t):
        return ((s * t * w).mean(1) * w).mean()

    a, b = centred(x), centred(y)
    return (product(a, b) / (product(a, a) * product(b, b)).sqrt()) ** power


def write(name, x, y):
    weights = torch.rand(len(x)) + 0.5
    tensors = {"x": x, "y": y, "weights": weights}
    leaves = {key: z.double().requires_grad_() for key, z in tensors.items()}
    for power in (1, 2):
        value = disco(**leaves, power=power)
        gradients = torch.autograd.grad(value, list(leaves.values()))
        tensors[f"value{power}"] = value.reshape(1)
        tensors.update({f"d{key}{power}": gradient for key, gradient in zip(leaves, gradients)})
    first, second = x.double().numpy(), y.double().numpy()
    values = [dcor.distance_correlation_sqr(first, second), dcor.distance_covariance_sqr(first, second),
              dcor.u_distance_correlation_sqr(first, second), dcor.u_distance_covariance_sqr(first, second)]
    tensors["dcor"] = torch.tensor([float(value) for value in values])
    save(name, tensors, f"DisCo in PyTorch, dcor {dcor.__version__}")


if __name__ == "__main__":
    torch.manual_seed(2)
    x = torch.randn(40)
    write("distance-correlation", x, (x + torch.randn(40)).mul(4).round() / 4)
    x = torch.randn(30, 3)
    write("distance-correlation-points", x, torch.stack([x[:, 0] ** 2, torch.randn(30)], 1))
