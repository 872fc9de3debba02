"""Generated events: Pythia 8 for continuum and for the decays of the two B mesons.

Continuum is e+e- -> gamma*/Z -> u ubar, d dbar, s sbar, c cbar at lowest order, with parton shower and
string fragmentation.  BBbar is Upsilon(4S) -> B+B- (51.4 %) or B0B0bar (48.6 %) made here: the B direction
follows sin^2(theta*) about the beam, and the time-integrated mixing of a coherent pair turns 18.6 % of
the neutral pairs into B0B0 or B0barB0bar.  Pythia then decays the B mesons.  No initial-state radiation,
no photon emission in decays or by quarks.

Of Pythia's record only hadrons, leptons and photons stay, each with its nearest such ancestor as mother;
strings, quarks, gluons and the beams vanish, so the hadrons of the fragmentation are roots in continuum.
"""

import numpy as np
import pythia8mc

import collider

CHARGED_FRACTION = 0.514  # of Upsilon(4S) -> BBbar
MIXING_PROBABILITY = 0.186  # chi_d
UPSILON_4S = 300553
CONTINUUM, BBBAR = 0, 1

PRIMARY, STABLE = 1 << 0, 1 << 1  # basf2 MCParticle status bits

_COMMON = [
    "Print:quiet = on",
    "Random:setSeed = on",
    "PDF:lepton = off",
    "TimeShower:QEDshowerByQ = off",
    # Everything with c*tau below 10 cm decays: K_S, Lambda, Sigma+-, Xi, Omega; not pi, K+-, K_L,
    # mu, n.
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 100",
    "ParticleDecays:mixB = off",
]

COLUMNS = ("mass", "charge", "energy", "px", "py", "pz", "productionTime", "x", "y", "z")


class Generator:
    """Both processes, seeded together: the same seed gives the same sequence of events."""

    def __init__(self, seed):
        streams = np.random.SeedSequence(seed).spawn(3)
        pythia_seeds = [1 + int(s.generate_state(1)[0]) % 900_000_000 for s in streams[:2]]
        self.random = np.random.default_rng(streams[2])
        electron, positron = collider.ELECTRON, collider.POSITRON
        beams = ["Beams:idA = 11", "Beams:idB = -11", "Beams:frameType = 3"]
        beams += [f"Beams:p{axis}A = {float(electron[i])!r}" for i, axis in enumerate("xyz", 1)]
        beams += [f"Beams:p{axis}B = {float(positron[i])!r}" for i, axis in enumerate("xyz", 1)]
        flavours = ["WeakSingleBoson:ffbar2gmZ = on", "23:onMode = off", "23:onIfAny = 1 2 3 4"]
        self.continuum = make_pythia(beams + flavours, pythia_seeds[0])
        self.decayer = make_pythia(["ProcessLevel:all = off"], pythia_seeds[1])
        self.beam_axis = collider.beam_axis_cms()

    def event(self, process):
        """One event: dict of arrays over its particles (`pdg`, `mother`, `status` int32, else float64)."""
        rows = self._bbbar() if process == BBBAR else self._continuum()
        ids, mothers, status = (np.array([row[i] for row in rows], dtype=np.int32) for i in range(3))
        values = np.array([row[3:] for row in rows], dtype=np.float64)
        event = dict(zip(COLUMNS, values.T), pdg=ids, mother=mothers, status=status)
        crossing = round(self.random.normal(0.0, collider.CROSSING_SPREAD)) * collider.BUNCH_SPACING
        event["productionTime"] += crossing
        for axis, offset in zip("xyz", self.random.normal(0.0, collider.VERTEX_SPREAD)):
            event[axis] += offset
        return event

    def _continuum(self):
        while not self.continuum.next():
            pass
        return particles(self.continuum, [], {})

    def _bbbar(self):
        species = 521 if self.random.random() < CHARGED_FRACTION else 511
        pair = [species, -species]
        if species == 511 and self.random.random() < MIXING_PROBABILITY:
            pair = [511, 511] if self.random.random() < 0.5 else [-511, -511]
        upsilon, mesons = self.back_to_back(species)
        self.decay(self.decayer, zip(pair, mesons))
        return particles(self.decayer, [upsilon], {1: 0, 2: 0})

    def back_to_back(self, species):
        """The row of an Upsilon(4S), and (E, px, py, pz) of its two B mesons of `species`."""
        b_mass = self.decayer.particleData.m0(species)
        upsilon_mass = 0.0
        while upsilon_mass < 2 * b_mass:
            upsilon_mass = self.random.normal(collider.SQRT_S, collider.SQRT_S_SPREAD)
        momentum = np.sqrt(upsilon_mass**2 / 4 - b_mass**2) * self._b_direction()
        half = np.full(1, upsilon_mass / 2)
        upsilon = collider.to_lab(np.array([upsilon_mass, 0.0, 0.0, 0.0]))
        mesons = [collider.to_lab(np.concatenate([half, sign * momentum])) for sign in (1, -1)]
        return (UPSILON_4S, -1, PRIMARY, upsilon_mass, 0.0, *upsilon, 0.0, 0.0, 0.0, 0.0), mesons

    def decay(self, decayer, mesons):
        """Lets Pythia decay `mesons`, pairs of PDG code and four-momentum, from the origin."""
        mesons = list(mesons)
        table = decayer.particleData
        while True:
            record = decayer.event
            record.reset()
            for meson_id, (energy, px, py, pz) in mesons:
                mass = table.m0(meson_id)
                record.append(meson_id, 1, 0, 0, float(px), float(py), float(pz), float(energy), mass)
                record[record.size() - 1].tau(table.tau0(meson_id) * self.random.exponential())
            if decayer.next():
                return

    def _b_direction(self):
        """Isotropic about the beam, sin^2(theta*) in the polar angle."""
        while True:
            direction = self.random.normal(size=3)
            direction /= np.linalg.norm(direction)
            if self.random.random() < 1.0 - np.dot(direction, self.beam_axis) ** 2:
                return direction


def make_pythia(settings, seed):
    pythia = pythia8mc.Pythia("", False)
    for line in _COMMON + [f"Random:seed = {seed}"] + settings:
        if not pythia.readString(line):
            raise RuntimeError(f"Pythia does not take '{line}'")
    if not pythia.init():
        raise RuntimeError("Pythia does not initialise")
    return pythia


def _is_physical(particle):
    return particle.isHadron() or particle.isLepton() or particle.id() == 22


def particles(pythia, rows, mother_of):
    """Appends the physical particles of Pythia's record to `rows`.

    `mother_of` gives the row index of the mother for entries that have one outside Pythia's record.
    """
    record = pythia.event
    row_of = {}
    for index in range(1, record.size()):
        particle = record[index]
        if index in mother_of:
            mother = mother_of[index]
        elif particle.statusAbs() > 80 and _is_physical(particle):
            ancestor = particle.mother1()
            while ancestor > 0 and ancestor not in row_of:
                ancestor = record[ancestor].mother1()
            mother = row_of.get(ancestor, -1)
        else:
            continue
        row_of[index] = len(rows)
        # Pythia gives lengths in mm and times in mm/c.
        rows.append(
            (
                particle.id(),
                mother,
                PRIMARY | (STABLE if particle.isFinal() else 0),
                particle.m(),
                particle.charge(),
                particle.e(),
                particle.px(),
                particle.py(),
                particle.pz(),
                particle.tProd() / (10 * collider.SPEED_OF_LIGHT),
                particle.xProd() / 10,
                particle.yProd() / 10,
                particle.zProd() / 10,
            )
        )
    return rows
