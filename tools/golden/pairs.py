"""Writes test/golden/{pair-features,pair-attention}.safetensors: pair features of the Particle Transformer, and attention
whose bias a network makes of them, in PyTorch, event by event."""

import torch
from make import save, with_gradients
from torch.nn import functional

SIZES = [4, 0, 1, 7]
EPS = 1e-8


def offsets():
    return torch.tensor([0, *torch.tensor(SIZES).cumsum(0).tolist()])


def momenta():
    p = torch.randn(sum(SIZES), 3)
    p[5:7] = p[6]  # two particles that fly together
    return torch.cat([p, (p.square().sum(1, keepdim=True) + 0.02).sqrt()], 1)


def features(event):
    """[n, n, 4], the definitions of weaver's ParticleTransformer."""
    px, py, pz, energy = event.unbind(1)
    pt = (px.square() + py.square()).sqrt()
    rapidity = 0.5 * torch.log(1 + 2 * pz / (energy - pz).clamp(min=1e-20))
    azimuth = torch.atan2(py, px)
    turn = (azimuth[:, None] - azimuth + torch.pi) % (2 * torch.pi) - torch.pi
    squared = (rapidity[:, None] - rapidity).square() + turn.square()
    apart = squared > 1e-20
    distance = torch.where(apart, torch.where(apart, squared, 1.0).sqrt(), 0.0)  # the root has no slope at 0
    smaller = torch.minimum(pt[:, None], pt)
    total = event[:, None] + event
    mass2 = total[..., 3].square() - total[..., :3].square().sum(-1)
    behind = (smaller * distance, smaller / (pt[:, None] + pt).clamp(min=EPS), distance, mass2)
    return torch.stack([x.clamp(min=EPS) for x in behind], -1).log()


def pair_features():
    def forward(momenta):
        return torch.cat([features(event).flatten(0, 1) for event in momenta.split(SIZES)])

    save("pair-features", {"offsets": offsets(), **with_gradients({"momenta": momenta()}, forward)}, "PyTorch")


def pair_attention():
    heads, width = 2, 3
    p4 = momenta()

    def forward(q, k, v, weight0, bias0, weight1, bias1, weight2, bias2):
        found = []
        for p, *event in zip(p4.double().split(SIZES), q.split(SIZES), k.split(SIZES), v.split(SIZES)):
            if not len(p):
                continue
            h = functional.gelu(functional.linear(features(p), weight0, bias0))
            h = torch.tanh(functional.linear(h, weight1, bias1))
            bias = functional.linear(h, weight2, bias2).permute(2, 0, 1)
            parts = [x.unflatten(1, (heads, width)).transpose(0, 1) for x in event]
            y = functional.scaled_dot_product_attention(*(x[None] for x in parts), attn_mask=bias[None])[0]
            found.append(y.transpose(0, 1).flatten(1))
        return torch.cat(found)

    rows = sum(SIZES)
    inputs = {name: torch.randn(rows, heads * width) for name in "qkv"}
    for l, (outputs, columns) in enumerate([(6, 4), (5, 6), (heads, 5)]):
        inputs |= {f"weight{l}": torch.randn(outputs, columns) / columns**0.5, f"bias{l}": torch.randn(outputs)}
    save("pair-attention", {"offsets": offsets(), "momenta": p4, **with_gradients(inputs, forward)}, "PyTorch")


if __name__ == "__main__":
    torch.manual_seed(3)
    pair_features()
    pair_attention()
