"""PyTorch over events padded to the longest, as weaver's ParticleTransformer does it: features of the pairs with j <= i,
without gradients, the layers over them, and both images of the results stored as the mask of scaled_dot_product_attention.
Weaver's features are float32; here they are float64 inside, as ours are, so that results can be compared: that costs few of
the calls' operations."""

import torch
from peer import Gradient, activate
from torch.nn import functional


def log_features(a, b, eps):
    """ln kT, ln z, ln Delta R, ln m^2 of rows of pairs, by the definitions of weaver's pairwise_lv_fts."""
    pt_a, pt_b = (p[..., :2].square().sum(-1).sqrt() for p in (a, b))
    light_cone = [((p[..., 3] + p[..., 2]).clamp(min=1e-20), (p[..., 3] - p[..., 2]).clamp(min=1e-20)) for p in (a, b)]
    rapidity_a, rapidity_b = (0.5 * (plus / minus).log() for plus, minus in light_cone)
    azimuth_a, azimuth_b = (torch.atan2(p[..., 1], p[..., 0]) for p in (a, b))
    turn = (azimuth_a - azimuth_b + torch.pi) % (2 * torch.pi) - torch.pi
    distance = ((rapidity_a - rapidity_b).square() + turn.square()).sqrt()
    smaller, total = torch.minimum(pt_a, pt_b), a + b
    mass2 = total[..., 3].square() - total[..., :3].square().sum(-1)
    behind = (smaller * distance, smaller / (pt_a + pt_b).clamp(min=eps), distance, mass2)
    return torch.stack([x.clamp(min=eps) for x in behind], -1).log()


class Batch:
    """Where the rows of events lie in a batch padded to the longest, and its pairs."""

    def __init__(self, momenta, offsets, eps):
        sizes = (offsets[1:] - offsets[:-1]).long()
        self.events, self.longest = len(sizes), int(sizes.max()) if len(sizes) else 0
        self.whole = bool(offsets[0] == 0) and bool(offsets[-1] == len(momenta)) and self.longest > 0
        if not self.whole:
            return
        self.event = torch.repeat_interleave(torch.arange(self.events), sizes)
        self.place = torch.arange(len(momenta)) - offsets[:-1].long()[self.event]
        self.absent = None
        if not bool((sizes == self.longest).all()):
            self.absent = (torch.arange(self.longest) >= sizes[:, None])[:, None, None, :]
        self.momenta = momenta.new_zeros(self.events, self.longest, 4)
        self.momenta[self.event, self.place] = momenta
        self.rows, self.columns = torch.tril_indices(self.longest, self.longest)
        self.eps = eps

    def features(self):
        with torch.no_grad():
            of = self.momenta.double()
            return log_features(of[:, self.rows], of[:, self.columns], self.eps).float()

    def padded(self, x):
        """[B, H, longest, D]"""
        rows = x.new_zeros(self.events, self.longest, *x.shape[1:])
        rows[self.event, self.place] = x
        return rows.transpose(1, 2).contiguous()

    def attend(self, q, k, v, parameters, activations, scale):
        of_pairs = self.features()
        for weight, bias, activation in zip(parameters[::2], parameters[1::2], activations):
            if weight is not None:
                of_pairs = activate(functional.linear(of_pairs, weight, bias), activation)
        mask = of_pairs.new_empty(self.events, of_pairs.shape[-1], self.longest, self.longest)
        of_pairs = of_pairs.transpose(1, 2)
        mask[..., self.rows, self.columns] = of_pairs
        mask[..., self.columns, self.rows] = of_pairs
        if self.absent is not None:
            mask = mask.masked_fill(self.absent, float("-inf"))
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
        return y.transpose(1, 2)[self.event, self.place]


def pair_attention_forward(momenta, offsets, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3, q, k, v,
                           activation0, activation1, activation2, activation3, scale, eps):
    batch = Batch(momenta, offsets, eps)
    if not batch.whole:
        return {}
    parameters = (weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3)
    activations = (activation0, activation1, activation2, activation3)
    padded = [batch.padded(x) for x in (q, k, v)]  # a batch is padded before the model sees it
    return {"PyTorch padded, bias stored": lambda: (batch.attend(*padded, parameters, activations, scale), None)}


def pair_attention_backward(momenta, offsets, weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3, q, k, v, y,
                            softmax, dy, activation0, activation1, activation2, activation3, scale, eps):
    batch = Batch(momenta, offsets, eps)
    if not batch.whole:
        return {}
    activations = (activation0, activation1, activation2, activation3)

    def forward(weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3, q, k, v):
        parameters = (weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3)
        return batch.attend(batch.padded(q), batch.padded(k), batch.padded(v), parameters, activations, scale)

    class OfWeights(Gradient):
        def _grad(self, y, retain_graph):
            return (None, *super()._grad(y, retain_graph))

    inputs = (weight0, bias0, weight1, bias1, weight2, bias2, weight3, bias3, q, k, v)
    return {"PyTorch padded, bias stored": OfWeights(forward, inputs, dy)}
