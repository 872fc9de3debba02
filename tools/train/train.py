#!/usr/bin/env python3
"""Trains the network of the selective background simulation and writes its weights and golden scores.

  python tools/train/train.py TRAINING.arrow [--epochs 20] [--seed 1]

TRAINING.arrow comes from tools/events/generate.py; one event in 20 of it is set aside for validation.  The
bundled events in examples/selective-background-simulation/ are never trained on: they give the reported
AUC and the golden scores.

Loss: binary cross entropy.  Each epoch sees every passing event and a new random `--fail-share` of the
others; ln(fail share) is added to the output bias afterwards, so that the score is a probability at the
natural skim rate of the sample.  Adam, one-cycle learning rate; the epoch with the best validation AUC stays.
Batches are augmented by the symmetries of the task: charge conjugation, reflection y -> -y, and rotation
about the beam in the centre-of-mass frame.

Written: examples/selective-background-simulation/model.safetensors (weights; what the tensors mean is said
in network.py) and test/golden/pass-probability.safetensors (`passProbability` and its `logit` for every
bundled event in order, PyTorch on the CPU, float32).
"""

import argparse
import copy
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import samples
from network import PassProbability

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "events"))
import collider  # noqa: E402  (the beams, shared with the generator)

EXAMPLE = ROOT / "examples" / "selective-background-simulation"
GOLDEN = ROOT / "test" / "golden" / "pass-probability.safetensors"

MINIMUM_OCCURRENCES = 30  # of a PDG code in the training sample, to get an embedding of its own


def vocabulary(pdg):
    """The frequent PDG codes, sorted; an antiparticle is in if its particle is and ever occurs."""
    codes, counts = np.unique(pdg.numpy(), return_counts=True)
    frequent = np.abs(codes[counts >= MINIMUM_OCCURRENCES])
    return torch.from_numpy(codes[np.isin(np.abs(codes), frequent)].astype(np.int32))


def standardisation(features):
    """Mean and scale per feature; the scale keeps 99.9 % of the values within 5 units."""
    values = features.numpy().astype(np.float64)
    mean = values.mean(axis=0)
    reach = np.quantile(np.abs(values - mean), 0.999, axis=0)
    scale = np.maximum(values.std(axis=0), reach / 5)
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(scale.astype(np.float32))


class Symmetries:
    """Random symmetry transformations of a batch that leave the label's distribution as it is."""

    def __init__(self, pdg, generator):
        self.generator = generator
        codes = set(torch.unique(pdg).tolist())
        # A code whose negative never occurs belongs to a particle that is its own antiparticle.
        self.own = torch.tensor(sorted(c for c in codes if -c not in codes), dtype=pdg.dtype)
        identity = np.eye(4)
        self.to_cms = torch.from_numpy(collider.to_cms(identity).T).float()
        self.to_lab = torch.from_numpy(collider.to_lab(identity).T).float()
        # Axes of the centre-of-mass frame with the third along the electron beam.
        z = collider.beam_axis_cms()
        y = np.array([0.0, 1.0, 0.0])
        self.axes = torch.from_numpy(np.stack([np.cross(y, z), y, z])).float()

    def __call__(self, pdg, features, mother, size):
        events = len(size)
        event = torch.repeat_interleave(torch.arange(events), size)
        conjugate = torch.rand(events, generator=self.generator) < 0.5
        pdg = torch.where(conjugate[event] & ~torch.isin(pdg, self.own), -pdg, pdg)

        angle = 2 * torch.pi * torch.rand(events, generator=self.generator)
        mirror = torch.where(torch.rand(events, generator=self.generator) < 0.5, -1.0, 1.0)
        rotation = torch.zeros(events, 3, 3)
        rotation[:, 0, 0], rotation[:, 0, 1] = angle.cos(), -angle.sin() * mirror
        rotation[:, 1, 0], rotation[:, 1, 1] = angle.sin(), angle.cos() * mirror
        rotation[:, 2, 2] = 1.0
        rotation = self.axes.T @ rotation @ self.axes
        lorentz = torch.zeros(events, 4, 4)
        lorentz[:, 0, 0] = 1.0
        lorentz[:, 1:, 1:] = rotation
        lorentz = self.to_lab @ lorentz @ self.to_cms
        vertex = torch.bmm(rotation[event], features[:, 1:4, None]).squeeze(2)
        momentum = torch.bmm(lorentz[event], features[:, 4:, None]).squeeze(2)
        return pdg, torch.cat([features[:, :1], vertex, momentum], 1), mother, size


def scores(network, sample, events):
    with torch.no_grad():
        parts = [network.logit(*sample.batch(some)) for some in events.split(4096)]
    return torch.cat(parts)


def train(network, sample, events, validation, options):
    generator = torch.Generator().manual_seed(options.seed)
    symmetries = Symmetries(sample.pdg, generator)
    optimiser = torch.optim.Adam(network.parameters(), lr=options.rate)
    label = sample.skimmed
    passing, failing = events[label[events] > 0.5], events[label[events] < 0.5]
    drawn = int(options.fail_share * len(failing))
    steps_per_epoch = (len(passing) + drawn) // options.batch
    steps = options.epochs * steps_per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps, pct_start=0.1)
    loss_of = torch.nn.BCEWithLogitsLoss()
    best, best_auc = None, 0.0
    for epoch in range(options.epochs):
        begin, total = time.time(), 0.0
        seen = torch.cat([passing, failing[torch.randperm(len(failing), generator=generator)[:drawn]]])
        seen = seen[torch.randperm(len(seen), generator=generator)]
        batches = seen[: steps_per_epoch * options.batch].view(-1, options.batch)
        for chosen in batches:
            loss = loss_of(network.logit(*symmetries(*sample.batch(chosen))), label[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        value = samples.auc(scores(network, sample, validation), label[validation])
        print(
            f"epoch {epoch + 1:2d}: loss {total / len(batches):.4f}, validation AUC {value:.4f}, "
            f"{time.time() - begin:.0f} s",
            flush=True,
        )
        if value > best_auc:
            best, best_auc = copy.deepcopy(network.state_dict()), value
    network.load_state_dict(best)
    with torch.no_grad():
        network.output.bias += np.log(options.fail_share)
    return best_auc


def report(name, logit, label, process):
    both = {
        "AUC": samples.auc(logit, label),
        "AUC within BBbar": samples.auc(logit[process == 1], label[process == 1]),
        "AUC within continuum": samples.auc(logit[process == 0], label[process == 0]),
    }
    print(
        f"{name}: {len(label)} events, {int(label.sum())} pass; "
        + ", ".join(f"{key} {value:.4f}" for key, value in both.items())
    )
    return both


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("training", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=256, help="events")
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--fail-share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=EXAMPLE / "model.safetensors")
    parser.add_argument("--golden", type=Path, default=GOLDEN)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    sample = samples.read(options.training)
    held_out = samples.read(EXAMPLE / "events.arrow")
    every = torch.arange(len(sample))
    pair = every // 2  # neighbouring events alternate between the processes: take both
    validation, events = every[pair % 20 == 0], every[pair % 20 != 0]

    network = PassProbability(vocabulary(sample.pdg), *standardisation(sample.features))
    print(f"{len(events)} training events, {len(network.tokens.pdg)} PDG codes", flush=True)
    train(network, sample, events, validation, options)

    logit, label = scores(network, sample, validation), sample.skimmed[validation]
    at_validation = report("validation", logit, label.numpy(), sample.process[validation.numpy()])
    # The threshold of the demo: what keeps 90 % of the events that pass.
    threshold = float(torch.sigmoid(torch.quantile(logit[label > 0.5], 0.1)))
    share = float((torch.sigmoid(logit) >= threshold).float().mean())
    print(f"threshold {threshold:.5f} keeps 90 % of the passing events and {share:.3f} of all")

    golden = scores(network, held_out, torch.arange(len(held_out)))
    at_held_out = report("bundled events", golden, held_out.skimmed.numpy(), held_out.process)

    metadata = {
        "title": "Selective background simulation: generated decay forest -> probability to pass the skim",
        "features": json.dumps([{"name": name, "unit": unit} for name, unit in samples.FEATURES.items()]),
        "command": f"python tools/train/train.py TRAINING.arrow --epochs {options.epochs} "
        f"--batch {options.batch} --rate {options.rate} --fail-share {options.fail_share} "
        f"--seed {options.seed}",
        "trainingSample": sample.command,
        "trainingEvents": str(len(events)),
        "torch": version("torch"),
        "threshold": f"{threshold:.6g}",
        "thresholdMeaning": "keeps 90 % of the passing events of the validation sample",
        "aucValidation": json.dumps({key: round(value, 4) for key, value in at_validation.items()}),
        "aucBundledEvents": json.dumps({key: round(value, 4) for key, value in at_held_out.items()}),
    }
    for path in (options.output, options.golden):
        path.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), options.output, metadata)
    about = {"title": "PyTorch's float32 scores of the bundled events, in order", "torch": version("torch")}
    save_file({"passProbability": torch.sigmoid(golden), "logit": golden}, options.golden, about)
    print(f"{options.output.name}: {options.output.stat().st_size} bytes, {options.golden.name} written")


if __name__ == "__main__":
    main()
