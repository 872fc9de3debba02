#!/usr/bin/env python3
"""Candidates of B+ -> K+ S, S -> pi+ pi-, in signal and in continuum, for the study of decorrelation.

  python tools/events/candidates.py OUTPUT.arrow --signal N --continuum N [--seed S] [--processes P]

S is a new scalar, generated with masses between 1.2 and 3.6 GeV, that decays at once: a search looks for a peak in
m(pi pi) over candidates from continuum.  Everything is as generate.py has it, but for this:

  signal     Upsilon(4S) -> B+B-.  One of the two, either charge, decays to K S, isotropically, S to pi pi
             likewise; Pythia decays the other.
  candidate  tracks that are identified as K+, pi+, pi- (or the conjugates) and come from within 2 cm of the beam
             line; Mbc > 5.1, |Delta E| < 0.5, wider than a search has them, for the sake of numbers.  Of
             several in an event one is drawn.
  rest       all other tracks, with the mass of their identity, and photons above 0.05

An event without a candidate leaves nothing; continuum events whose true tracks are far from one are not unpacked.
A row of the file is a candidate: lists of momenta in the centre-of-mass frame, z along the electron beam, and the
role of each for `eventShapes`; the candidate's three tracks come first, K, pi+, pi-.
"""

import argparse
from importlib.metadata import version
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import pyarrow as pa

import collider
from detector import ACCEPTANCE, KAON, MASSES, PION, detect
from generator import BBBAR, CONTINUUM, PRIMARY, STABLE, UPSILON_4S, Generator, _particles

MASS_RANGE = (1.2, 3.6)  # of S
MBC_MINIMUM, DELTA_E_MAXIMUM = 5.1, 0.5
MBC_MARGIN, DELTA_E_MARGIN = 0.01, 0.05  # for true momenta, which detection smears
PHOTON_MINIMUM = 0.05
BLOCK = {CONTINUUM: 10_000, BBBAR: 1000}  # events

REST, DAUGHTER = 0, 3  # of the B, and in its final state

FIELDS = [
    ("p4", pa.list_(pa.field("item", pa.float32(), nullable=False)), "px, py, pz, E of each particle {GeV}"),
    ("charge", pa.list_(pa.field("item", pa.float32(), nullable=False)), "{e}"),
    ("role", pa.list_(pa.field("item", pa.uint8(), nullable=False)), "0 rest of the event, 3 daughter of the B"),
    ("energy", pa.float32(), "of the candidate {GeV}"),
    ("mass", pa.float32(), "m(pi pi) {GeV}"),
    ("mbc", pa.float32(), "beam-constrained mass {GeV}"),
    ("deltaE", pa.float32(), "E - E_beam {GeV}"),
    ("signal", pa.uint8(), "1 B -> K S, 0 continuum"),
]


def triples(kaons, plus, minus, as_kaon, as_pion):
    """Places of every K pi+ pi-, and its four-momentum, Mbc^2 and Delta E; momenta are in the centre-of-mass frame."""
    places = np.stack([grid.ravel() for grid in np.meshgrid(kaons, plus, minus, indexing="ij")])
    places = places[:, (places[0] != places[1]) & (places[0] != places[2])]
    total = as_kaon[places[0]] + as_pion[places[1]] + as_pion[places[2]]
    mbc2 = collider.BEAM_ENERGY_CMS**2 - np.sum(total[:, 1:] ** 2, axis=1)
    return places, total, mbc2, total[:, 0] - collider.BEAM_ENERGY_CMS


def with_mass(momentum, mass):
    """(E, px, py, pz) in the centre-of-mass frame, of momenta in the lab."""
    return collider.to_cms(np.column_stack([np.hypot(np.linalg.norm(momentum, axis=1), mass), momentum]))


def is_promising(record):
    """Whether three true tracks of Pythia's record might become a candidate, whatever their identities."""
    tracks = [
        (particle.charge(), particle.px(), particle.py(), particle.pz())
        for particle in (record[index] for index in range(1, record.size()))
        if particle.isFinal() and particle.isCharged()
    ]
    charge, momentum = np.array([track[0] for track in tracks]), np.array([track[1:] for track in tracks])
    if len(tracks) < 3:
        return False
    theta = np.arctan2(np.hypot(momentum[:, 0], momentum[:, 1]), momentum[:, 2])
    seen = (theta > ACCEPTANCE[0] - 0.01) & (theta < ACCEPTANCE[1] + 0.01)
    _, _, mbc2, delta_e = triples(
        np.flatnonzero(seen),
        np.flatnonzero(seen & (charge > 0)),
        np.flatnonzero(seen & (charge < 0)),
        with_mass(momentum, MASSES[KAON]),
        with_mass(momentum, MASSES[PION]),
    )
    near = (mbc2 > (MBC_MINIMUM - MBC_MARGIN) ** 2) & (np.abs(delta_e) < DELTA_E_MAXIMUM + DELTA_E_MARGIN)
    return bool(near.any())


class CandidateGenerator(Generator):
    """As Generator, with one of two charged B mesons decaying to K S, and continuum that is worth a look only."""

    def __init__(self, seed):
        super().__init__(seed)
        self.generated = 0  # events, also those passed over

    def _continuum(self):
        while True:
            if self.continuum.next():
                self.generated += 1
                if is_promising(self.continuum.event):
                    return _particles(self.continuum, [], {})

    def _bbbar(self):
        self.generated += 1
        table = self.decayer.particleData
        b_mass, charge = table.m0(521), 1 if self.random.random() < 0.5 else -1
        upsilon_mass = 0.0
        while upsilon_mass < 2 * b_mass:
            upsilon_mass = self.random.normal(collider.SQRT_S, collider.SQRT_S_SPREAD)
        momentum = np.sqrt(upsilon_mass**2 / 4 - b_mass**2) * self._b_direction()
        first, second = (
            collider.to_lab(np.array([upsilon_mass / 2, *(sign * momentum)])) for sign in (1, -1)
        )
        while True:
            record = self.decayer.event
            record.reset()
            energy, *p = (float(value) for value in second)
            record.append(-521 * charge, 1, 0, 0, *p, energy, b_mass)
            record[record.size() - 1].tau(table.tau0(521) * self.random.exponential())
            if self.decayer.next():
                break

        scalar_mass = self.random.uniform(*MASS_RANGE)
        kaon, scalar = self._two_body(first, b_mass, MASSES[KAON], scalar_mass)
        plus, minus = self._two_body(scalar, scalar_mass, MASSES[PION], MASSES[PION])

        def row(pdg, mother, status, mass, charge, p4):
            return (pdg, mother, status, mass, charge, *p4, 0.0, 0.0, 0.0, 0.0)

        upsilon = collider.to_lab(np.array([upsilon_mass, 0.0, 0.0, 0.0]))
        rows = [
            row(UPSILON_4S, -1, PRIMARY, upsilon_mass, 0, upsilon),
            row(521 * charge, 0, PRIMARY, b_mass, charge, first),
            row(321 * charge, 1, PRIMARY | STABLE, MASSES[KAON], charge, kaon),
            row(211, 1, PRIMARY | STABLE, MASSES[PION], 1, plus),
            row(-211, 1, PRIMARY | STABLE, MASSES[PION], -1, minus),
        ]
        return _particles(self.decayer, rows, {1: 0})

    def _two_body(self, p4, mass, mass_a, mass_b):
        """Both products of an isotropic decay of `p4`, a particle of `mass`, in its frame."""
        energy = (mass**2 + mass_a**2 - mass_b**2) / (2 * mass)
        direction = self.random.normal(size=3)
        momentum = np.sqrt(energy**2 - mass_a**2) * direction / np.linalg.norm(direction)
        products = np.array([[energy, *momentum], [mass - energy, *-momentum]])
        return collider.boost(products, p4[1:] / p4[0])


def beam_frame():
    """The rotation that brings the electron beam of the centre-of-mass frame to z; the beams lie in the xz plane."""
    x, _, z = collider.beam_axis_cms()
    return np.array([[z, 0.0, -x], [0.0, 1.0, 0.0], [x, 0.0, z]])


ROTATION = beam_frame()


def candidate_of(detected, random):
    """One candidate as a dict of columns, or None."""
    track_p4 = with_mass(detected.momentum, MASSES[detected.identity])
    prompt = np.hypot(detected.origin[:, 0], detected.origin[:, 1]) < 2.0
    pions = prompt & (detected.identity == PION)
    places, total, mbc2, delta_e = triples(
        np.flatnonzero(prompt & (detected.identity == KAON)),
        np.flatnonzero(pions & (detected.charge > 0)),
        np.flatnonzero(pions & (detected.charge < 0)),
        track_p4,
        track_p4,
    )
    good = np.flatnonzero((mbc2 > MBC_MINIMUM**2) & (np.abs(delta_e) < DELTA_E_MAXIMUM))
    if len(good) == 0:
        return None
    chosen = good[random.integers(len(good))]
    signal_side = places[:, chosen]
    others = np.setdiff1d(np.arange(len(track_p4)), signal_side)
    photons = detected.photons[detected.photons[:, 0] > PHOTON_MINIMUM]
    p4 = np.concatenate([track_p4[signal_side], track_p4[others], collider.to_cms(photons)])
    pair = p4[1] + p4[2]
    return {
        "p4": np.column_stack([p4[:, 1:] @ ROTATION.T, p4[:, 0]]),
        "charge": np.concatenate([detected.charge[signal_side], detected.charge[others], np.zeros(len(photons))]),
        "role": np.where(np.arange(len(p4)) < 3, DAUGHTER, REST),
        "energy": total[chosen, 0],
        "mass": np.sqrt(pair[0] ** 2 - np.sum(pair[1:] ** 2)),
        "mbc": np.sqrt(mbc2[chosen]),
        "deltaE": delta_e[chosen],
    }


def block(arguments):
    seed, process, index, count = arguments
    generator = CandidateGenerator((seed, process, index))
    random = np.random.default_rng((seed, process, index, 1))
    candidates = []
    while True:
        event = generator.event(process)
        if generator.generated > count:
            return candidates
        candidate = candidate_of(detect(event, random), random)
        if candidate is not None:
            candidates.append({**candidate, "signal": process})


def column(name, kind, candidates):
    values = [candidate[name] for candidate in candidates]
    if not pa.types.is_list(kind):
        return pa.array(np.array(values), type=kind)
    offsets = pa.array(np.cumsum([0, *(value.size for value in values)]), type=pa.int32())
    flat = pa.array(np.concatenate([value.ravel() for value in values]), type=kind.value_type)
    return pa.ListArray.from_arrays(offsets, flat, type=kind)


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("output", type=Path)
    parser.add_argument("--signal", type=int, required=True, help="generated events")
    parser.add_argument("--continuum", type=int, required=True, help="generated events")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()

    wanted = {BBBAR: options.signal, CONTINUUM: options.continuum}
    work = [
        (options.seed, process, index, min(BLOCK[process], count - first))
        for process, count in wanted.items()
        for index, first in enumerate(range(0, count, BLOCK[process]))
    ]
    candidates = []
    with Pool(options.processes) as pool:
        for number, done in enumerate(pool.imap(block, work), 1):
            candidates += done
            print(f"\r{number} of {len(work)} blocks, {len(candidates)} candidates", end="", flush=True)
    print()

    command = f"--signal {options.signal} --continuum {options.continuum} --seed {options.seed}"
    metadata = {
        "title": "candidates of B+ -> K+ S, S -> pi+ pi-, in signal and continuum",
        "command": f"python tools/events/candidates.py OUTPUT.arrow {command}",
        "generator": f"pythia8mc {version('pythia8mc')}",
    }
    fields = [pa.field(name, kind, nullable=False, metadata={"description": text}) for name, kind, text in FIELDS]
    schema = pa.schema(fields, metadata=metadata)
    batch = pa.RecordBatch.from_arrays([column(name, kind, candidates) for name, kind, _ in FIELDS], schema=schema)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(options.output), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(batch)
    signal = sum(candidate["signal"] for candidate in candidates)
    print(f"{options.output}: {signal} of {options.signal} signal events, ", end="")
    print(f"{len(candidates) - signal} of {options.continuum} continuum events have a candidate")


if __name__ == "__main__":
    main()
