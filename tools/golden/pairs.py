"""Writes test/golden/pair-features.safetensors and pair-attention.safetensors: pair features of the Particle Transformer
in PyTorch, event by event, and scaled_dot_product_attention with a bias that a network makes of them."""

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
    heads, width, value_width, hidden = 2, 3, 4, 6

    def per_head(rows):
        return rows.unflatten(1, (heads, -1)).transpose(0, 1)

    def forward(momenta, q, k, v, weight0, bias0, weight1, bias1):
        found = []
        for event, *of_event in zip(*(x.split(SIZES) for x in (momenta, q, k, v))):
            between = functional.gelu(functional.linear(features(event), weight0, bias0))
            bias = functional.linear(between, weight1, bias1).tanh().permute(2, 0, 1)
            y = functional.scaled_dot_product_attention(*map(per_head, of_event), attn_mask=bias)
            found.append(y.transpose(0, 1).flatten(1))
        return torch.cat(found)

    count = sum(SIZES)
    inputs = {"momenta": momenta(), "q": torch.randn(count, heads * width), "k": torch.randn(count, heads * width),
              "v": torch.randn(count, heads * value_width), "weight0": torch.randn(hidden, 4) / 4,
              "bias0": torch.randn(hidden), "weight1": torch.randn(heads, hidden) / 2, "bias1": torch.randn(heads)}
    save("pair-attention", {"offsets": offsets(), **with_gradients(inputs, forward)},
         "PyTorch's scaled_dot_product_attention")


if __name__ == "__main__":
    torch.manual_seed(3)
    pair_features()
    pair_attention()
