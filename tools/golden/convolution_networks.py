"""Whole networks of convolutions in PyTorch, for test/ops/convolutionNetworks.test.ts.

    python3 tools/golden/convolution_networks.py

writes test/golden/convolution-networks.safetensors. ResNeXt-50 (32 groups of 4 channels, arXiv:1611.05431) on jet images of
40 x 40 as in the comparison of top taggers (arXiv:1902.09914), and a tower of parallel one-dimensional convolutions with
kernels of 3 to 9 as in the networks for selective simulation. Parameters and inputs are numbers of Philox, which the test
draws too: the file holds results and gradients only, computed in float64; of large ones every 7th or 997th number.
"""

import torch
from make import FOLDER, save
from philox import uniform
from torch import nn
from torch.nn import functional

BLOCKS = (3, 4, 6, 3)


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = 2 * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=32, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False),
                                            nn.BatchNorm2d(outputs))

    def forward(self, x):
        h = functional.relu(self.bn1(self.conv1(x)))
        h = functional.relu(self.bn2(self.conv2(h)))
        return functional.relu(self.bn3(self.conv3(h)) + (self.downsample(x) if self.downsample else x))


class ResNeXt50(nn.Module):
    # The 25,028,904 published, less two input channels of the stem and 998 classes.
    PARAMETERS = 25028904 - 2 * 64 * 49 - 998 * 2049

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for stage, blocks in enumerate(BLOCKS):
            width, layers = 128 << stage, []
            for block in range(blocks):
                layers.append(Bottleneck(channels, width, 2 if stage > 0 and block == 0 else 1))
                channels = 2 * width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(channels, 2)

    def features(self, x):
        h = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            h = stage(h)
        return h.mean(dim=(2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


class Tower(nn.Module):
    KERNELS = range(3, 10)
    PARAMETERS = 64 * 29 * 42 + 7 * 128 + 448 * 128 + 128 + 128 * 32 + 32 + 33

    def __init__(self):
        super().__init__()
        for kernel in self.KERNELS:
            self.add_module(f"conv{kernel}", nn.Conv1d(29, 64, kernel, padding="same", bias=False))
            self.add_module(f"bn{kernel}", nn.BatchNorm1d(64))
        self.fc1, self.fc2, self.fc3 = nn.Linear(448, 128), nn.Linear(128, 32), nn.Linear(32, 1)

    def forward(self, x):
        h = torch.cat([functional.leaky_relu(getattr(self, f"bn{kernel}")(getattr(self, f"conv{kernel}")(x))).mean(dim=2)
                       for kernel in self.KERNELS], dim=1)
        return self.fc3(functional.leaky_relu(self.fc2(functional.leaky_relu(self.fc1(h)))))


def draw(network, seed):
    """Parameters and running statistics, each from a stream of its own in the order of the names."""
    state = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert sum(parameter.numel() for parameter in network.parameters()) == network.PARAMETERS
    with torch.no_grad():
        for stream, name in enumerate(sorted(state)):
            values = uniform(state[name].numel(), seed, stream).reshape(state[name].shape)
            if values.ndim > 1:
                values = (2 * values - 1) * (6 / values.shape[1:].numel()) ** 0.5
            else:  # about 1 where it scales
                scales = name.endswith("running_var") or (name.endswith("weight") and values.ndim == 1)
                values = values + 0.5 if scales else values - 0.5
            state[name].copy_(values.float())
    return network.double()


def sampled(values):
    return values.detach().flatten()[:: 7 if values.numel() < 10000 else 997]


def main():
    tensors = {}

    def note(title, network, x, directions, names):
        network.eval()
        with torch.no_grad():
            tensors[f"{title}.inference"] = network(x)
        network.train()
        x.requires_grad_()
        y = network(x)
        tensors[f"{title}.training"] = y
        (y * torch.tensor(directions, dtype=torch.float64)).sum().backward()
        tensors[f"{title}.dx"] = sampled(x.grad)
        for name in names:
            tensors[f"{title}.d{name}"] = sampled(network.get_parameter(name).grad)

    images = (8 * uniform(2 * 1600, 50, 0) - 6).clamp(min=0).reshape(2, 1, 40, 40)
    network = draw(ResNeXt50(), 51)
    network.eval()
    with torch.no_grad():
        tensors["ResNeXt50.features"] = network.features(images)
    note("ResNeXt50", network, images, [[1, -0.5], [0.25, 2]],
         ["conv1.weight", "bn1.weight", "layer1.0.conv2.weight", "layer1.2.conv1.weight", "layer2.0.downsample.0.weight",
          "layer3.5.bn3.weight", "layer4.0.conv2.weight", "layer4.2.bn2.bias", "fc.weight"])
    tensors["ResNeXt50.layer2.0.bn2.running_var"] = network.layer2[0].bn2.running_var
    particles = (2 * uniform(3 * 29 * 100, 52, 0) - 1).reshape(3, 29, 100)
    note("Tower", draw(Tower(), 53), particles, [[1], [-0.5], [2]],
         ["conv3.weight", "conv4.weight", "conv8.weight", "conv9.weight", "bn6.weight", "bn7.bias", "fc1.weight", "fc3.bias"])
    save("convolution-networks", tensors, "networks of convolutions in PyTorch")
    print((FOLDER / "convolution-networks.safetensors").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
