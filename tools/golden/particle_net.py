"""ParticleNet in PyTorch, as arXiv:1902.08570 describes it, for test/models/particleNet.test.ts.

    python3 tools/golden/particle_net.py test/golden/particle-net.safetensors

Events are lists of particles; nothing is padded, so every mean is over what there is. Weights are numbers of Philox, which
the test draws too, so that the file holds inputs and outputs only.
"""

import sys

import torch
from make import save_to
from philox import uniform
from torch import nn

EVENTS = [0, 20, 21, 27, 45]  # boundaries: one particle alone, one event with fewer than k others


def neighbours(x, k):
    """Sources and targets of the edges from the k nearest other particles of each one's event."""
    sources, targets = [], []
    for begin, end in zip(EVENTS[:-1], EVENTS[1:]):
        distances = ((x[begin:end, None] - x[None, begin:end]) ** 2).sum(-1)
        distances.fill_diagonal_(torch.inf)
        order = distances.argsort(dim=1, stable=True)[:, : min(k, end - begin - 1)] + begin
        sources += order.flatten().tolist()
        targets += torch.arange(begin, end).repeat_interleave(order.shape[1]).tolist()
    return torch.tensor(sources), torch.tensor(targets)


class EdgeConvBlock(nn.Module):
    def __init__(self, inputs, widths):
        super().__init__()
        before = [2 * inputs, *widths[:-1]]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 1, bias=False) for i, o in zip(before, widths))
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.sc = nn.Conv1d(inputs, widths[-1], 1, bias=False)
        self.sc_bn = nn.BatchNorm1d(widths[-1])

    def forward(self, x, sources, targets):
        edges = torch.cat([x[targets], x[sources] - x[targets]], dim=1)[:, :, None, None]
        for conv, bn in zip(self.convs, self.bns):
            edges = torch.relu(bn(conv(edges)))
        edges = edges[:, :, 0, 0]
        degrees = torch.bincount(targets, minlength=len(x)).clamp(min=1)[:, None]
        mean = torch.zeros(len(x), edges.shape[1], dtype=x.dtype).index_add(0, targets, edges) / degrees
        return torch.relu(self.sc_bn(self.sc(x[:, :, None]))[:, :, 0] + mean)


class ParticleNet(nn.Module):
    def __init__(self, inputs, k, blocks, hidden, classes=2):
        super().__init__()
        self.k = k
        self.bn_fts = nn.BatchNorm1d(inputs)
        before = [inputs, *(widths[-1] for widths in blocks[:-1])]
        self.edge_convs = nn.ModuleList(EdgeConvBlock(i, widths) for i, widths in zip(before, blocks))
        self.fc = nn.Sequential(nn.Sequential(nn.Linear(blocks[-1][-1], hidden), nn.ReLU(), nn.Dropout(0.1)),
                                nn.Linear(hidden, classes))

    def forward(self, coordinates, features):
        x = self.bn_fts(features)
        for b, block in enumerate(self.edge_convs):
            x = block(x, *neighbours(coordinates if b == 0 else x.detach(), self.k))
        pooled = torch.stack([x[begin:end].mean(0) for begin, end in zip(EVENTS[:-1], EVENTS[1:])])
        return self.fc(pooled)

    def draw(self, seed):
        """Every tensor of the state from a stream of its own, in the order of the names."""
        state = self.state_dict()
        for stream, name in enumerate(sorted(name for name in state if not name.endswith("num_batches_tracked"))):
            values = uniform(state[name].numel(), seed, stream).reshape(state[name].shape)
            positive = name.endswith("running_var") or (state[name].ndim == 1 and name.endswith("weight"))
            fan_in = state[name].shape[1] if state[name].ndim > 1 else 4
            state[name] = values + 0.5 if positive else (2 * values - 1) / fan_in**0.5
        self.load_state_dict({name: value.float() for name, value in state.items()})


def main(path):
    torch.manual_seed(3)
    particles = EVENTS[-1]
    coordinates, features = torch.randn(particles, 2), torch.randn(particles, 7)
    tensors = {"coordinates": coordinates, "features": features, "offsets": torch.tensor(EVENTS)}
    for name, settings in (("ParticleNet", (16, [[64] * 3, [128] * 3, [256] * 3], 256)),
                           ("ParticleNetLite", (7, [[32] * 3, [64] * 3], 128))):
        net = ParticleNet(7, *settings)
        assert sum(parameter.numel() for parameter in net.parameters()) == {"ParticleNet": 366160, "ParticleNetLite": 26416}[name]
        net.draw(5)
        net = net.double().eval()
        tensors[f"{name}.outputs"] = net(coordinates.double(), features.double()).detach()
        net.train()
        net.fc[0][2].eval()  # its dropout draws other numbers
        outputs = net(coordinates.double(), features.double())
        (outputs * torch.tensor([1.0, -0.5])).sum().backward()
        tensors[f"{name}.training.outputs"] = outputs.detach()
        for parameter in ("bn_fts.weight", "edge_convs.0.bns.1.bias", "edge_convs.1.sc_bn.weight", "fc.1.weight"):
            tensors[f"{name}.training.d{parameter}"] = net.get_parameter(parameter).grad
        for key, value in net.state_dict().items():
            if key.endswith(("bn_fts.running_mean", "edge_convs.1.bns.2.running_var")):
                tensors[f"{name}.training.{key}"] = value
    save_to(path, tensors, "ParticleNet in PyTorch")


main(sys.argv[1])
