"""Events in which one B is known: Upsilon(4S) -> B+ B-, one of them forced, the other one free.

The forced chain is B+ -> D0bar pi+, D0bar -> K+ pi- pi0, pi0 -> gamma gamma, or its conjugate, half of the events
each; three-body phase space, without the resonances that the Dalitz plot of D0 -> K- pi+ pi0 has (rho+ above all).
The other B decays as Pythia's table says. Beams, flight directions and detector are those of tools/events.

Particle identification is two numbers per track, from a Gaussian variable z with mean +-s/2 and width 1:
  score    1 / (1 + exp(-s z)): the probability of the upper hypothesis when both are equally frequent
  kaon     mean +s/2 for K and p; s = 3.4 - 0.5 max(0, p - 1.5), at least 2 {p in GeV, lab}
  lepton   mean +s/2 for e and mu; s = 4 for p > 0.7, else 2
"""

import numpy as np

from detector import detect
from generator import COLUMNS, Generator, make_pythia, particles

B, D0, PI0, PHOTON, PION, KAON = 521, 421, 111, 22, 211, 321
FORCED = [
    "ProcessLevel:all = off",
    f"{B}:onMode = off",
    f"{B}:onIfMatch = -{D0} {PION}",
    f"{D0}:onMode = off",
    f"{D0}:onIfMatch = -{KAON} {PION} {PI0}",
    f"{PI0}:onMode = off",
    f"{PI0}:onIfMatch = {PHOTON} {PHOTON}",
]
SIGNAL_DAUGHTERS = 5  # K, pi, two photons and the bachelor pi


class ForcedDecay(Generator):
    """Events as the detector sees them, with the truth."""

    def __init__(self, seed):
        super().__init__(seed)
        stream = np.random.SeedSequence((*seed, 2))
        self.forced = make_pythia(FORCED, 1 + int(stream.generate_state(1)[0]) % 900_000_000)
        self.response = np.random.default_rng(stream.spawn(1)[0])

    def event(self):
        """The next event with all daughters of the forced B found: particles, then the decays they come from."""
        while True:
            generated = self._generated()
            seen = detect(generated, self.response)
            found = self._particles(generated, seen)
            forest = _forest(generated, found.pop("index"))
            if forest is not None:
                return found | forest

    def _generated(self):
        """Row 0 is the Upsilon(4S), row 1 the forced B."""
        species = B if self.random.random() < 0.5 else -B
        upsilon, (signal, other) = self.back_to_back(B)
        self.decay(self.forced, [(species, signal)])
        rows = particles(self.forced, [upsilon], {1: 0})
        self.decay(self.decayer, [(-species, other)])
        rows = particles(self.decayer, rows, {1: 0})
        ids, mothers, status = (np.array([row[i] for row in rows]) for i in range(3))
        values = np.array([row[3:] for row in rows])
        return dict(zip(COLUMNS, values.T), pdg=ids, mother=mothers, status=status)

    def _particles(self, generated, seen):
        """Tracks and photons in random order; `index` is the generated particle."""
        index = np.concatenate([seen.track, seen.photon])
        momentum = np.concatenate([seen.momentum, seen.photons[:, 1:]])
        charge = np.concatenate([seen.charge, np.zeros(len(seen.photon))])
        true = np.abs(generated["pdg"][index])
        size = np.linalg.norm(momentum, axis=1)
        kaon = self._score(np.isin(true, (KAON, 2212)), np.maximum(2.0, 3.4 - 0.5 * np.maximum(0.0, size - 1.5)))
        lepton = self._score(np.isin(true, (11, 13)), np.where(size > 0.7, 4.0, 2.0))
        order = self.response.permutation(len(index))
        columns = {"px": momentum[:, 0], "py": momentum[:, 1], "pz": momentum[:, 2], "charge": charge}
        scores = {"kaon": np.where(charge != 0, kaon, 0.0), "lepton": np.where(charge != 0, lepton, 0.0)}
        return {name: values[order] for name, values in ({"index": index} | columns | scores).items()}

    def _score(self, upper, separation):
        z = np.where(upper, 0.5, -0.5) * separation + self.response.normal(size=len(upper))
        return 1.0 / (1.0 + np.exp(-separation * z))


def _forest(generated, index):
    """`mother` and `pdg` of the event's nodes; None without all of the forced decay.

    Nodes are the particles that were found, every pi0 of which both photons were, and D and B of the forced decay.
    Stable particles have a direct line of decays above them: what is no node is passed over.
    """
    pdg, mother = generated["pdg"], generated["mother"]
    signal = _below(mother, 1)
    if np.count_nonzero(signal[index]) < SIGNAL_DAUGHTERS:
        return None
    photons = index[pdg[index] == PHOTON]
    pairs, counts = np.unique(mother[photons], return_counts=True)
    pions = [p for p, count in zip(pairs, counts) if pdg[p] == PI0 and count == 2]
    charmed = np.flatnonzero(signal & (np.abs(pdg) == D0))
    nodes = np.concatenate([index, pions, charmed, [1]]).astype(int)
    place = {row: node for node, row in enumerate(nodes)}
    mothers = []
    for row in nodes:
        above = mother[row]
        while above >= 0 and above not in place:
            above = mother[above]
        mothers.append(place.get(above, -1))
    return {"mother": np.array(mothers), "pdg": pdg[nodes]}


def _below(mother, root):
    """Which particles descend from `root`; mothers come before their daughters."""
    inside = np.zeros(len(mother), dtype=bool)
    inside[root] = True
    for row in range(root + 1, len(mother)):
        inside[row] = mother[row] >= 0 and inside[mother[row]]
    return inside

