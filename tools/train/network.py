"""The network of the selective background simulation: a generated decay forest -> passProbability.

  token      i + 1 where tokens.pdg[i] (sorted) is the particle's PDG code, 0 for a code not listed
  f          (productionTime, x, y, z, energy, px, py, pz - features.mean) / features.scale
  h0         concat(embedding.weight[token], f)                                             [nodes, 16]
  treeConv   h'_i = relu(W_self h_i + W_parent h_mother(i) + W_daughters mean_{d of i} h_d + bias),
             three times, to 64 channels; no parent term at a root, no daughters term at a leaf
  p          sigmoid(output.weight . mean of h3 over the event's nodes + output.bias)

All float32.  The keys of state_dict() are the tensor names of the safetensors file: tokens.pdg,
features.{mean,scale}, embedding.weight, conv{1,2,3}.{self,parent,daughters}.weight [out, in],
conv{1,2,3}.bias, output.{weight,bias}.
"""

import torch
from torch import nn

EMBEDDING, HIDDEN = 8, 64


class Features(nn.Module):
    """Linear standardisation."""

    def __init__(self, mean, scale):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, values):
        return (values - self.mean) / self.scale


class Tokens(nn.Module):
    """PDG code -> row of the embedding."""

    def __init__(self, pdg):
        super().__init__()
        self.register_buffer("pdg", pdg)

    def forward(self, codes):
        place = torch.searchsorted(self.pdg, codes).clamp(max=len(self.pdg) - 1)
        return torch.where(self.pdg[place] == codes, place + 1, 0)


class TreeConv(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        for name in ("self", "parent", "daughters"):
            linear = nn.Linear(inputs, outputs, bias=False)
            nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
            linear.weight.data /= 3**0.5
            self.add_module(name, linear)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, h, mother, daughter_count):
        has_mother = torch.nonzero(mother >= 0).squeeze(1)
        mothers = mother[has_mother]
        parent = torch.zeros_like(h).index_copy(0, has_mother, h[mothers])
        daughters = torch.zeros_like(h).index_add(0, mothers, h[has_mother])
        daughters = daughters / daughter_count.clamp(min=1)[:, None]
        weights = [self.get_submodule(name).weight for name in ("self", "parent", "daughters")]
        inputs = torch.cat([h, parent, daughters], dim=1)
        return torch.relu(nn.functional.linear(inputs, torch.cat(weights, dim=1), self.bias))


class PassProbability(nn.Module):
    def __init__(self, pdg, mean, scale):
        super().__init__()
        self.tokens = Tokens(pdg)
        self.features = Features(mean, scale)
        self.embedding = nn.Embedding(len(pdg) + 1, EMBEDDING)
        self.conv1 = TreeConv(EMBEDDING + len(mean), HIDDEN)
        self.conv2 = TreeConv(HIDDEN, HIDDEN)
        self.conv3 = TreeConv(HIDDEN, HIDDEN)
        self.output = nn.Linear(HIDDEN, 1)

    def logit(self, pdg, features, mother, size):
        """Nodes of all events in a row; `mother` is an index among them or -1, `size` the nodes per event."""
        linked = mother[mother >= 0]
        one = torch.ones(len(linked), device=mother.device)
        count = torch.zeros(len(mother), device=mother.device).index_add(0, linked, one)
        h = torch.cat([self.embedding(self.tokens(pdg)), self.features(features)], dim=1)
        for conv in (self.conv1, self.conv2, self.conv3):
            h = conv(h, mother, count)
        event = torch.repeat_interleave(torch.arange(len(size), device=size.device), size)
        total = torch.zeros(len(size), HIDDEN, device=h.device).index_add(0, event, h)
        return self.output(total / size.clamp(min=1)[:, None]).squeeze(1)

    def forward(self, *event):
        return torch.sigmoid(self.logit(*event))
