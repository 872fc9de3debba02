"""The shower generators of "Getting High" (arXiv:2005.05334) in PyTorch, for test/models/showers.test.ts.

    python3 tools/golden/showers.py

writes test/golden/showers.safetensors. Weights and noise are numbers of Philox, which the test draws too, so that the
file holds results only: every seventh cell (7 has no factor with the 30 cells along an axis in common) and the sum of all,
computed in float64. The bench times the same networks (bench/peers/shower_networks.py reads this file).
"""

import torch
from torch import nn
from torch.nn import functional

CELLS = (30, 30, 30)


def cube(extent):
    return (extent, extent, extent)


class WganGenerator(nn.Module):
    PARAMETERS = 3655520

    def __init__(self, width=32, latent=100):
        super().__init__()
        self.conv1_1 = nn.ConvTranspose3d(1, 4 * width, 4, bias=False)
        self.conv1_100 = nn.ConvTranspose3d(latent, 4 * width, 4, bias=False)
        layers, channels = [], 8 * width
        for extent in (8, 16, 32):
            layers += [nn.ConvTranspose3d(channels, channels // 2, 4, stride=2, padding=1, bias=False),
                       nn.LayerNorm(cube(extent)), nn.ReLU()]
            channels //= 2
        self.main_conv = nn.Sequential(*layers, nn.ConvTranspose3d(channels, 1, 3, padding=2, bias=False), nn.ReLU())

    def forward(self, noise, energies):
        both = [layer(x[..., None, None, None]) for layer, x in ((self.conv1_1, energies[:, None]), (self.conv1_100, noise))]
        return self.main_conv(torch.cat(both, dim=1))[:, 0]


class BibAeEncoder(nn.Module):
    PARAMETERS = 35224598

    def __init__(self):
        super().__init__()
        for number, (inputs, outputs, extent) in enumerate([(1, 8, 16), (8, 16, 9), (16, 32, 5), (32, 64, 5)], start=1):
            geometry = {"kernel_size": 4, "stride": 2, "padding": 2} if number < 4 else {"kernel_size": 3, "padding": 1}
            self.add_module(f"enconv{number}", nn.Conv3d(inputs, outputs, bias=False, **geometry))
            self.add_module(f"bnen{number}", nn.LayerNorm(cube(extent)))
        self.fc1, self.fc2 = nn.Linear(8001, 4000), nn.Linear(4000, 768)
        self.fc31, self.fc32 = nn.Linear(768, 24), nn.Linear(768, 24)

    def forward(self, showers, labels):
        h = showers[:, None]
        for layer, norm in ((self.enconv1, self.bnen1), (self.enconv2, self.bnen2), (self.enconv3, self.bnen3),
                            (self.enconv4, self.bnen4)):
            h = functional.leaky_relu(norm(layer(h)), 0.2)
        h = torch.cat([h.flatten(1), labels[:, None]], dim=1)
        for layer in (self.fc1, self.fc2):
            h = functional.leaky_relu(layer(h), 0.2)
        return self.fc31(h), self.fc32(h)


class BibAeDecoder(nn.Module):
    PARAMETERS = 36218496
    LABEL_PER_GEV = 100

    def __init__(self):
        super().__init__()
        for number, (inputs, outputs) in enumerate([(513, 768), (768, 4000), (4000, 8000)], start=1):
            self.add_module(f"cond{number}", nn.Linear(inputs, outputs))
        self.deconv1 = nn.ConvTranspose3d(8, 8, 3, stride=3, padding=1, output_padding=2, bias=False)
        self.bnde1 = nn.LayerNorm(CELLS)
        self.deconv2 = nn.ConvTranspose3d(8, 16, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.bnde2 = nn.LayerNorm(cube(60))
        self.conv0 = nn.Conv3d(16, 8, 2, stride=2, bias=False)
        for number, (inputs, outputs) in enumerate([(8, 16), (16, 32), (32, 16), (16, 1)], start=1):
            self.add_module(f"conv{number}", nn.Conv3d(inputs, outputs, 3, padding=1, bias=False))
        for number in range(4):
            self.add_module(f"bnco{number}", nn.LayerNorm(CELLS))

    def forward(self, noise, energies, label_per_gev=LABEL_PER_GEV):
        h = torch.cat([noise, label_per_gev * energies[:, None]], dim=1)
        for layer in (self.cond1, self.cond2, self.cond3):
            h = functional.leaky_relu(layer(h), 0.2)
        h = h.view(-1, 8, 10, 10, 10)
        for layer, norm in ((self.deconv1, self.bnde1), (self.deconv2, self.bnde2), (self.conv0, self.bnco0),
                            (self.conv1, self.bnco1), (self.conv2, self.bnco2), (self.conv3, self.bnco3)):
            h = functional.leaky_relu(norm(layer(h)), 0.2)
        return functional.relu(self.conv4(h))[:, 0]


class BibAePostProcessor(nn.Module):
    """With all that is published, the dense layers too that cannot have an effect."""

    PARAMETERS = 299136

    def __init__(self):
        super().__init__()
        for number, inputs in enumerate([2, 64, 64], start=1):
            self.add_module(f"fcec{number}", nn.Linear(inputs, 64))
        for number, inputs in enumerate([1, 192, 128, 128, 128], start=1):
            self.add_module(f"conv{number}", nn.Conv3d(inputs, 128, 1))
        for number in range(1, 5):
            self.add_module(f"bnco{number}", nn.LayerNorm(CELLS))
        self.conv6 = nn.Conv3d(128, 1, 1, bias=False)

    def forward(self, showers, labels):
        conditions = torch.stack([showers.flatten(1).sum(1), labels], dim=1)
        for layer in (self.fcec1, self.fcec2, self.fcec3):
            conditions = functional.leaky_relu(layer(conditions))
        h = functional.leaky_relu(self.bnco1(self.conv1(showers[:, None])))
        h = torch.cat([h, conditions[:, :, None, None, None].expand(-1, -1, *CELLS)], dim=1)
        for layer, norm in ((self.conv2, self.bnco2), (self.conv3, self.bnco3), (self.conv4, self.bnco4)):
            h = functional.leaky_relu(norm(layer(h)))
        return self.conv6(functional.leaky_relu(self.conv5(h)))[:, 0]


def draw(network, seed):
    """Every parameter from a stream of its own, in the order of the names; weights of normalisations about 1."""
    from philox import uniform

    parameters = dict(network.named_parameters())
    assert sum(parameter.numel() for parameter in parameters.values()) == network.PARAMETERS
    with torch.no_grad():
        for stream, name in enumerate(sorted(parameters)):
            parameter = parameters[name]
            values = uniform(parameter.numel(), seed, stream).reshape(parameter.shape)
            if parameter.ndim == 3:
                values = values + 0.5 if name.endswith("weight") else 2 * values - 1
            else:
                fan_in = parameter.shape[1:].numel() if parameter.ndim > 1 else 4
                values = (2 * values - 1) / fan_in**0.5
            parameter.copy_(values.float())
    return network.double()


def main():
    from make import FOLDER, save
    from philox import normal, uniform

    seed, first = 7, 3
    energies = torch.tensor([12.5, 80.0], dtype=torch.float64)
    streams = range(first, first + len(energies))
    tensors = {"energies": energies}

    def note(name, showers):
        tensors[name] = showers.flatten(1)[:, ::7]
        tensors[f"{name}.sum"] = showers.flatten(1).sum(1)

    wgan = draw(WganGenerator(), 5)
    noise = torch.stack([2 * uniform(100, seed, stream) - 1 for stream in streams]).requires_grad_()
    showers = wgan(noise, energies)
    note("WganGenerator", showers)
    (showers * torch.tensor([1.0, -0.5])[:, None, None, None]).sum().backward()
    tensors["WganGenerator.dnoise"] = noise.grad
    for name in ("conv1_1.weight", "main_conv.1.weight", "main_conv.4.bias", "main_conv.9.weight"):
        gradient = wgan.get_parameter(name).grad
        tensors[f"WganGenerator.d{name}"] = gradient.flatten()[::7]

    with torch.no_grad():
        decoder, post = draw(BibAeDecoder(), 6), draw(BibAePostProcessor(), 8)
        noise = torch.stack([normal(512, seed, stream) for stream in streams])
        showers = decoder(noise, energies)
        note("BibAeDecoder", showers)
        corrected = post(showers, decoder.LABEL_PER_GEV * energies)
        note("BibAePostProcessor", corrected)
        change = float((post(showers, torch.tensor([1.0, -1e4], dtype=torch.float64)) - corrected).abs().max())
        print(f"other labels change the post-processor's result by {change:.1g} of {float(corrected.abs().max()):.3g}")

    # Told the energies in units of 100 GeV, so that they do not drown the showers. A quarter of the
    # cells is hit.
    decoder.requires_grad_(False)
    encoder, labels = draw(BibAeEncoder(), 9), 0.01 * energies
    given = [(8 * uniform(27000, 10, stream) - 6).clamp(min=0).reshape(CELLS) for stream in (0, 1)]
    mu, log_variance = encoder(torch.stack(given), labels)
    change = (encoder(torch.stack(given[::-1]), labels)[0] - mu).detach().abs().max()
    print(f"other showers change mu by {float(change):.2g} of {float(mu.detach().abs().max()):.2g}")
    unsaid = torch.zeros(2, 488, dtype=torch.float64)
    latent = torch.cat([mu, unsaid], dim=1) + torch.exp(torch.cat([log_variance, unsaid], dim=1) / 2) * noise
    showers = decoder(latent, energies, 0.01)
    note("BibAe", showers)
    tensors.update({"BibAeEncoder.mu": mu, "BibAeEncoder.logVariance": log_variance})
    (showers * torch.tensor([1.0, -0.5])[:, None, None, None]).sum().backward()
    for name in ("enconv1.weight", "bnen2.weight", "enconv2.weight", "fc2.bias", "fc31.bias", "fc32.bias"):
        tensors[f"BibAe.d{name}"] = encoder.get_parameter(name).grad.flatten()[::7]
    save("showers", tensors, "shower generators in PyTorch")
    print((FOLDER / "showers.safetensors").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
