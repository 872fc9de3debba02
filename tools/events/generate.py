#!/usr/bin/env python3
"""Generates e+e- events at the Upsilon(4S) and labels those that a hadronic-tag skim would keep.

  python tools/events/generate.py OUTPUT.arrow --events N [--seed S] [--processes P]

Each event goes through three steps; the module named says every formula and number.

1. generator.py, collider.py: 7.007 GeV electrons on 4.000 GeV positrons, crossing at 83 mrad
   (sqrt(s) = 10.579 GeV, frame of the detector).  Odd events are BBbar from Upsilon(4S) (51.4 % charged;
   sqrt(s) spread by 5.4 MeV; B flight direction sin^2(theta*); 18.6 % of neutral pairs mixed), even ones
   continuum (u, d, s, c in lowest-order proportions 4 : 1 : 1 : 4).  Pythia 8 fragments and decays, down to
   pi+-, K+-, K_L, p, n, e, mu, gamma, nu.  Event vertex: Gaussian with sigma 10 um, 0.2 um, 330 um in x, y,
   z.  Event time: a whole number of bunch crossings, 3.93 ns apart, Gaussian with sigma 2 crossings.
2. detector.py: acceptance 17 to 150 degrees; track efficiency 0.97 with a turn-on at pT = 0.05 GeV, falling
   with the production radius and with decays in flight; photon efficiency 0.95 with a turn-on at 0.03 GeV;
   smeared momenta, energies and directions; identification of e, mu, pi, K, p with misidentification.
3. tag.py: B -> D(*) n pi with n pi out of pi-, pi- pi0, pi- pi- pi+, pi- pi- pi+ pi0, nine D0 and D+
   channels, Mbc > 5.24 GeV, |Delta E| < 0.2 GeV, R2 < 0.4.  An event with at least one candidate is
   `skimmed`.  About 5.5 % of BBbar and 2 % of continuum pass.

The same --seed and --events give the same file, whatever --processes is: events are made in blocks of 500,
each with its own random streams.
"""

import argparse
from importlib.metadata import version
from multiprocessing import Pool
from pathlib import Path

import numpy as np

import collider
import event_file
from detector import detect
from generator import Generator
from tag import has_tag

BLOCK = 500  # events


def block(arguments):
    """Events of one block, particle columns concatenated; `size` is the number of particles per event."""
    seed, index, count = arguments
    generator = Generator((seed, index))
    random = np.random.default_rng((seed, index, 1))
    events, passed = [], []
    for number in range(count):
        event = generator.event(number % 2)
        events.append(event)
        passed.append(has_tag(detect(event, random)))
    columns = {}
    for name, (kind, _, _) in event_file.PARTICLE_COLUMNS.items():
        columns[name] = np.concatenate([event[name] for event in events]).astype(kind.to_pandas_dtype())
    columns["size"] = np.array([len(event["pdg"]) for event in events])
    columns["process"] = np.arange(count, dtype=np.int8) % 2
    columns["skimmed"] = np.array(passed, dtype=np.uint8)
    return columns


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("output", type=Path)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()

    work = [
        (options.seed, index, min(BLOCK, options.events - first))
        for index, first in enumerate(range(0, options.events, BLOCK))
    ]
    blocks = []
    with Pool(options.processes) as pool:
        for done in pool.imap(block, work):
            blocks.append(done)
            print(f"\r{sum(len(b['size']) for b in blocks)} of {options.events} events", end="", flush=True)
    print()

    options.output.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "title": "e+e- at the Upsilon(4S): generated events with the label of a hadronic-tag skim",
        "command": "python tools/events/generate.py OUTPUT.arrow "
        f"--events {options.events} --seed {options.seed}",
        "generator": f"pythia8mc {version('pythia8mc')}",
        "beams": f"electron {collider.ELECTRON_ENERGY} GeV, positron {collider.POSITRON_ENERGY} GeV, "
        f"crossing angle {collider.CROSSING_ANGLE} rad",
    }
    event_file.write(options.output, blocks, metadata)

    process = np.concatenate([b["process"] for b in blocks])
    skimmed = np.concatenate([b["skimmed"] for b in blocks])
    particles = sum(int(b["size"].sum()) for b in blocks)
    print(f"{options.output}: {options.output.stat().st_size} bytes, {particles} particles")
    for name, value in (("continuum", 0), ("BBbar", 1)):
        chosen = skimmed[process == value]
        print(f"  {name}: {len(chosen)} events, {int(chosen.sum())} pass")


if __name__ == "__main__":
    main()
