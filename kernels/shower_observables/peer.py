"""The same in PyTorch: sums over axes, rings by index_add of the image along the axis, bins by bucketize and bincount."""

import torch


def shower_observables(showers, axis, threshold, ring_width, lowest, highest, R, S):
    B, Z, Y, X = showers.shape
    places = [torch.arange(n, dtype=torch.float64, device=showers.device) for n in (Z, Y, X)]
    edges = lowest * (highest / lowest) ** (torch.arange(S + 1, dtype=torch.float64) / S)
    # A float32 cell is below the float64 edge where it is below the next float32.
    narrow = edges.float()
    narrow = torch.where(narrow.double() < edges, torch.nextafter(narrow, torch.tensor(torch.inf)), narrow)
    rows = torch.arange(B, device=showers.device)[:, None]

    def run():
        hit = ~(showers < threshold)
        cells = torch.where(hit, showers, 0.0)
        image = cells.sum(1, dtype=torch.float64)
        layers = cells.sum((2, 3), dtype=torch.float64)
        energy = layers.sum(1)
        centre = torch.stack([(profile * at).sum(1) for profile, at in zip((layers, image.sum(2), image.sum(1)), places)], 1)
        centre = centre / energy[:, None]
        middle = centre[:, 1:] if axis is None else axis.double()
        distance = torch.hypot(
            places[1][None, :, None] - middle[:, 0, None, None], places[2][None, None, :] - middle[:, 1, None, None]
        )
        ring = (distance / ring_width).long().clamp(max=R)
        radial = image.new_zeros(B, R + 1).scatter_add_(1, ring.flatten(1), image.flatten(1))[:, :R]
        where = torch.bucketize(showers.flatten(1), narrow, right=True)
        where = torch.where(hit.flatten(1), where, 0)
        spectrum = torch.bincount((where + rows * (S + 2)).flatten(), minlength=B * (S + 2)).view(B, S + 2)[:, 1 : S + 1]
        return (energy, hit.sum((1, 2, 3)), layers, centre, radial, spectrum)

    return {"PyTorch": run}
