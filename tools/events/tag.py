"""Hadronic tag: one B meson of the event, fully reconstructed from hadrons.

The skim of a hadronic tag keeps an event if at least one such candidate exists.  Everything below uses
measured tracks and photons, in the centre-of-mass frame; masses and momenta in GeV.

  pi, K      tracks of that identity produced within 2 cm of the beam line
  K_S        two opposite tracks (as pi) from one vertex at a radius above 0.2 cm, |m - 0.4976| < 0.012
  pi0        two photons above 0.05, 0.118 < m < 0.150, momentum above 0.15; its four-momentum is scaled to
             the nominal mass
  n pi       pi-, pi- pi0, pi- pi- pi+ or pi- pi- pi+ pi0, whatever its mass
  D0         K- pi+, K- pi+ pi0, K- pi+ pi+ pi-, K_S pi+ pi-
  D+         K- pi+ pi+, K- pi+ pi+ pi0, K_S pi+, K_S pi+ pi0, K_S pi+ pi+ pi-
             |m - m_D| < 0.015, with a pi0 < 0.030
  D*+        D0 pi+, 0.1434 < m(D*) - m(D) < 0.1474;  D+ pi0, 0.138 < m(D*) - m(D) < 0.144
  D*0        D0 pi0, 0.139 < m(D*) - m(D) < 0.145;  D0 gamma (above 0.1), 0.130 < m(D*) - m(D) < 0.155
  B-         D0 or D*0, with n pi
  B0bar      D+ or D*+, with n pi
and all charge conjugates.  No vertex is fitted, and no track or photon is used twice in a candidate.

A B candidate passes with
  Mbc      sqrt(E_beam^2 - p_B^2) > 5.24, E_beam half the nominal sqrt(s)
  Delta E  |E_B - E_beam| < 0.2
The event must have at least 3 tracks and, to keep jet-like continuum away, a second normalised Fox-Wolfram
moment R2 = H2 / H0 < 0.4, H_l = sum_ij |p_i| |p_j| P_l(cos theta_ij) over all tracks (as pi) and photons.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

import collider
from detector import KAON, MASSES, PION

PI0_MASS, KS_MASS = 0.134977, 0.497611
D0_MASS, DPLUS_MASS = 1.86484, 1.86966

MBC_MINIMUM = 5.24
DELTA_E_MAXIMUM = 0.2
R2_MAXIMUM = 0.4


@dataclass
class Candidates:
    """Particles of one kind in one event, a row each."""

    p4: np.ndarray  # [n, 4], centre-of-mass frame
    charge: np.ndarray  # [n], int
    used: np.ndarray  # [n], int64, bit i: track i; bit 31 + i: photon i
    strange: np.ndarray  # [n], int, charge of the kaon inside; 0 without one

    def __len__(self):
        return len(self.charge)

    def __getitem__(self, rows):
        return Candidates(self.p4[rows], self.charge[rows], self.used[rows], self.strange[rows])

    @property
    def mass(self):
        squared = self.p4[:, 0] ** 2 - np.sum(self.p4[:, 1:] ** 2, axis=1)
        return np.sqrt(np.maximum(squared, 0.0))


def join(first, second):
    """Every pair of a candidate of `first` and one of `second` that share no track or photon."""
    rows, columns = np.nonzero((first.used[:, None] & second.used[None, :]) == 0)
    a, b = first[rows], second[columns]
    joined = Candidates(a.p4 + b.p4, a.charge + b.charge, a.used | b.used, a.strange + b.strange)
    return joined, rows, columns


def merge(parts):
    fields = ("p4", "charge", "used", "strange")
    return Candidates(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def choose(candidates, count):
    """Every set of `count` different single tracks."""
    index = np.array(list(combinations(range(len(candidates)), count)), dtype=np.int64).reshape(-1, count)
    return Candidates(
        candidates.p4[index].sum(axis=1),
        candidates.charge[index].sum(axis=1),
        np.bitwise_or.reduce(candidates.used[index], axis=1),
        candidates.strange[index].sum(axis=1),
    )


def has_tag(detected):
    """Whether the event of `detected` (see detector.py) survives the skim."""
    if len(detected.charge) < 3 or fox_wolfram_r2(detected) >= R2_MAXIMUM:
        return False
    pions, kaons, k_shorts = _tracks(detected)
    photons, pi0s = _neutrals(detected)
    d_zeros, d_pluses = _charm(pions, kaons, k_shorts, pi0s)
    if len(d_zeros) + len(d_pluses) == 0:
        return False
    star_zeros, star_pluses = _excited_charm(d_zeros, d_pluses, pions, pi0s, photons)
    bachelors = _bachelors(pions, pi0s)
    return any(_passes(charm, bachelors) for charm in (d_zeros, star_zeros, d_pluses, star_pluses))


def fox_wolfram_r2(detected):
    momentum = _cms(detected.momentum, MASSES[PION])[:, 1:]
    if len(detected.photons):
        momentum = np.concatenate([momentum, collider.to_cms(detected.photons)[:, 1:]])
    size = np.linalg.norm(momentum, axis=1)
    weight = np.outer(size, size)
    dot = momentum @ momentum.T
    second = 1.5 * np.sum(dot * dot / weight) - 0.5 * np.sum(weight)
    return second / np.sum(weight)


def _cms(momentum, mass):
    energy = np.sqrt(np.sum(momentum**2, axis=1) + mass**2)
    return collider.to_cms(np.concatenate([energy[:, None], momentum], axis=1))


def _tracks(detected):
    bits = np.int64(1) << np.arange(len(detected.charge), dtype=np.int64)
    charge = np.rint(detected.charge).astype(np.int64)
    radius = np.hypot(detected.origin[:, 0], detected.origin[:, 1])

    def of(rows, mass, strange):
        return Candidates(_cms(detected.momentum[rows], mass), charge[rows], bits[rows], strange[rows])

    none = np.zeros_like(charge)
    prompt = radius < 2.0
    pions = of(prompt & (detected.identity == PION), MASSES[PION], none)
    kaons = of(prompt & (detected.identity == KAON), MASSES[KAON], charge)

    displaced = np.flatnonzero(radius > 0.2)
    positive, negative = displaced[charge[displaced] > 0], displaced[charge[displaced] < 0]
    apart = np.linalg.norm(detected.origin[positive][:, None] - detected.origin[negative][None], axis=2)
    first, second = np.nonzero(apart < 0.01)
    every = of(slice(None), MASSES[PION], none)
    first, second = every[positive[first]], every[negative[second]]
    total, charge = first.p4 + second.p4, first.charge + second.charge
    pairs = Candidates(total, charge, first.used | second.used, first.strange)
    return pions, kaons, pairs[np.abs(pairs.mass - KS_MASS) < 0.012]


def _neutrals(detected):
    count = len(detected.photons)
    zeros = np.zeros(count, dtype=np.int64)
    bits = np.int64(1) << (31 + np.arange(count, dtype=np.int64))
    photons = Candidates(collider.to_cms(detected.photons), zeros, bits, zeros)
    photons = photons[detected.photons[:, 0] > 0.05]
    pi0s = choose(photons, 2)
    mass = pi0s.mass
    keep = (mass > 0.118) & (mass < 0.150) & (np.linalg.norm(pi0s.p4[:, 1:], axis=1) > 0.15)
    pi0s = pi0s[keep]
    pi0s.p4 = pi0s.p4 * (PI0_MASS / mass[keep])[:, None]
    return photons, pi0s


def _charm(pions, kaons, k_shorts, pi0s):
    """D0 (or anti-D0) and D+ (or D-); `strange` is the kaon's charge, 0 where a K_S hides the flavour."""
    pairs, triples = choose(pions, 2), choose(pions, 3)
    pi0_count = ((0, 0.015), (1, 0.030))

    def window(candidates, mass, width):
        return candidates[np.abs(candidates.mass - mass) < width]

    d_zeros, d_pluses = [], []
    for with_pi0, width in pi0_count:

        def complete(candidates):
            return join(candidates, pi0s)[0] if with_pi0 else candidates

        k_pi = join(kaons, pions)[0]
        k_pi = k_pi[k_pi.charge == 0]
        d_zeros.append(window(complete(k_pi), D0_MASS, width))
        k_pi_pi = join(kaons, pairs)[0]
        k_pi_pi = k_pi_pi[k_pi_pi.charge == -k_pi_pi.strange]
        d_pluses.append(window(complete(k_pi_pi), DPLUS_MASS, width))
        ks_pi = join(k_shorts, pions)[0]
        d_pluses.append(window(complete(ks_pi), DPLUS_MASS, width))
    k_3pi = join(kaons, triples)[0]
    d_zeros.append(window(k_3pi[k_3pi.charge == 0], D0_MASS, 0.015))
    ks_pi_pi = join(k_shorts, pairs)[0]
    d_zeros.append(window(ks_pi_pi[ks_pi_pi.charge == 0], D0_MASS, 0.015))
    ks_3pi = join(k_shorts, triples)[0]
    d_pluses.append(window(ks_3pi[np.abs(ks_3pi.charge) == 1], DPLUS_MASS, 0.015))
    return merge(d_zeros), merge(d_pluses)


def _excited_charm(d_zeros, d_pluses, pions, pi0s, photons):
    def excited(charm, slow, low, high):
        stars, rows, _ = join(charm, slow)
        difference = stars.mass - charm.mass[rows]
        return stars[(difference > low) & (difference < high)]

    star_pluses = excited(d_zeros, pions, 0.1434, 0.1474)
    star_pluses = star_pluses[star_pluses.charge != star_pluses.strange]
    radiative = photons[photons.p4[:, 0] > 0.1]
    return (
        merge([excited(d_zeros, pi0s, 0.139, 0.145), excited(d_zeros, radiative, 0.130, 0.155)]),
        merge([star_pluses, excited(d_pluses, pi0s, 0.138, 0.144)]),
    )


def _bachelors(pions, pi0s):
    triples = choose(pions, 3)
    triples = triples[np.abs(triples.charge) == 1]
    return merge([pions, join(pions, pi0s)[0], triples, join(triples, pi0s)[0]])


def _passes(charm, bachelor):
    mesons, rows, columns = join(charm, bachelor)
    # A neutral D (K-) goes with a negative bachelor, a charged one with the opposite charge; a D0
    # without a charged kaon goes with either.
    charm_charge, bachelor_charge = charm.charge[rows], bachelor.charge[columns]
    flavour = charm.strange[rows]
    fits_neutral = (flavour == 0) | (flavour == bachelor_charge)
    fits = np.where(charm_charge == 0, fits_neutral, charm_charge == -bachelor_charge)
    momentum2 = np.sum(mesons.p4[:, 1:] ** 2, axis=1)
    delta_e = mesons.p4[:, 0] - collider.BEAM_ENERGY_CMS
    mbc2 = collider.BEAM_ENERGY_CMS**2 - momentum2
    good = fits & (mbc2 > MBC_MINIMUM**2) & (np.abs(delta_e) < DELTA_E_MAXIMUM)
    return bool(good.any())
