"""Writes test/golden/transformer-encoder-dropout-*.safetensors: PyTorch's nn.TransformerEncoderLayer in training.

The layer is PyTorch's own; only the function that drops is another one, which takes the numbers that the library draws.
"""

from unittest import mock

import torch
from make import save, with_gradients
from philox import uniform
from torch.nn import functional

SIZES, WIDTH, HEADS, HIDDEN = [4, 1, 0, 6], 8, 2, 10
P, SEED, LAYER = 0.3, 11, 2
PLACES = 4  # where it drops: weights of the attention, behind the attention, hidden numbers, behind the network


class Dropout:
    """Calls go round the places, event by event; each place counts its numbers on from event to event."""

    def __init__(self):
        self.calls, self.begins = 0, [0] * PLACES

    def __call__(self, x, p=0.5, training=True, inplace=False):
        assert p == P and training
        place = self.calls % PLACES
        self.calls += 1
        begin, end = self.begins[place], self.begins[place] + x.numel()
        self.begins[place] = end
        drawn = uniform(end, SEED, PLACES * LAYER + place)[begin:].view(x.shape)
        return torch.where(drawn < P, 0.0, x / (1 - P))


def transformer_encoder_layer():
    for name, norm_first, activation in [("post", False, "relu"), ("pre", True, "gelu")]:
        layer = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=P, activation=activation,
                                                 norm_first=norm_first, batch_first=True).double().train()
        attend = layer.self_attn.forward
        # With weights wanted it takes the form that is written in Python.
        layer.self_attn.forward = lambda *given, attend=attend, **options: attend(*given, **options | {"need_weights": True})

        def forward(x, layer=layer, **given):
            with mock.patch.object(functional, "dropout", Dropout()) as dropout:
                y = torch.cat([torch.func.functional_call(layer, given, (event[None],))[0] for event in x.split(SIZES)
                               if len(event)])
            assert dropout.begins == [HEADS * sum(n * n for n in SIZES), *[sum(SIZES) * n for n in (WIDTH, HIDDEN, WIDTH)]]
            return y

        inputs = {"x": torch.randn(sum(SIZES), WIDTH), **{key: value.detach().float() + 0.1 * torch.randn(value.shape)
                                                          for key, value in layer.state_dict().items()}}
        offsets = torch.tensor([0, *SIZES]).cumsum(0)
        save(f"transformer-encoder-dropout-{name}", {"offsets": offsets, **with_gradients(inputs, forward)},
             "PyTorch's nn.TransformerEncoderLayer in training")


if __name__ == "__main__":
    torch.manual_seed(6)
    transformer_encoder_layer()
