"""A parametrised detector: what tracks and photon clusters become of a generated event.

Numbers are round ones near the design performance of Belle II (arXiv:1011.0352) and, for the calorimeter,
Belle (Nucl. Instrum. Meth. A 479 (2002) 117).  Units: GeV, cm, rad.  `random` is a numpy Generator.

Acceptance, both kinds: polar angle in the lab between 17 and 150 degrees.

Tracks, from stable e, mu, pi, K, p:
  efficiency   0.97 (1 - exp(-(pT - 0.05) / 0.06)) for pT > 0.05, times max(0, 1 - r / 60) for a production
               radius r in the xy plane, times exp(-100 m / (pT c tau)) for pi and K decaying on the 100 cm
               through the drift chamber
  pT           relative sigma sqrt((0.0011 pT)^2 + (0.0025 / beta)^2)
  theta, phi   sigma sqrt(0.001^2 + (0.002 / p)^2)
  identity     one answer out of e, mu, pi, K, p, see `_identification`

Photons:
  efficiency   0.95 (1 - exp(-(E - 0.03) / 0.03)) for E > 0.03
  energy       relative sigma sqrt((0.00066 / E)^2 + (0.0081 / E^(1/4))^2 + 0.0134^2), E in GeV
  theta, phi   sigma (0.27 + 3.4 / sqrt(E) + 1.8 / E^(1/4)) mm / 1250 mm

Neither K_L, neutrons, split-off clusters nor beam background leave anything.
"""

from dataclasses import dataclass

import numpy as np

ACCEPTANCE = np.deg2rad([17.0, 150.0])

ELECTRON, MUON, PION, KAON, PROTON = range(5)
TYPE_OF = {11: ELECTRON, 13: MUON, 211: PION, 321: KAON, 2212: PROTON}
MASSES = np.array([0.000511, 0.105658, 0.139570, 0.493677, 0.938272])
DECAY_LENGTHS = np.array([np.inf, np.inf, 780.4, 371.1, np.inf])  # c tau, cm

MAXIMUM_TRACKS = 31  # of an event, as many as one candidate's set of used tracks can name
MAXIMUM_PHOTONS = 31


@dataclass
class Detected:
    """Tracks and photons of one event."""

    track: np.ndarray  # [tracks], which particle of the event
    photon: np.ndarray  # [photons]
    momentum: np.ndarray  # [tracks, 3], measured, lab
    charge: np.ndarray  # [tracks]
    identity: np.ndarray  # [tracks], the answer of particle identification
    origin: np.ndarray  # [tracks, 3], true production vertex
    photons: np.ndarray  # [photons, 4], (E, px, py, pz), measured, lab


def detect(event, random):
    stable = event["status"] & 2 != 0
    momentum = np.stack([event["px"], event["py"], event["pz"]], axis=1)
    transverse = np.hypot(momentum[:, 0], momentum[:, 1])
    theta = np.arctan2(transverse, momentum[:, 2])
    visible = stable & (theta > ACCEPTANCE[0]) & (theta < ACCEPTANCE[1])
    kind = np.array([TYPE_OF.get(abs(int(pdg)), -1) for pdg in event["pdg"]])

    tracks = np.flatnonzero(visible & (kind >= 0))
    origin = np.stack([event["x"], event["y"], event["z"]], axis=1)[tracks]
    efficiency = _track_efficiency(transverse[tracks], np.hypot(origin[:, 0], origin[:, 1]), kind[tracks])
    found = random.random(len(tracks)) < efficiency
    tracks, origin = tracks[found][:MAXIMUM_TRACKS], origin[found][:MAXIMUM_TRACKS]

    photons = np.flatnonzero(visible & (event["pdg"] == 22))
    found = random.random(len(photons)) < _photon_efficiency(event["energy"][photons])
    photons = photons[found][:MAXIMUM_PHOTONS]

    return Detected(
        track=tracks,
        photon=photons,
        momentum=_measured_tracks(momentum[tracks], kind[tracks], random),
        charge=event["charge"][tracks],
        identity=_identified(np.linalg.norm(momentum[tracks], axis=1), kind[tracks], random),
        origin=origin,
        photons=_measured_photons(momentum[photons], random),
    )


def _track_efficiency(transverse, radius, kind):
    turn_on = 1.0 - np.exp(-np.maximum(transverse - 0.05, 0.0) / 0.06)
    displaced = np.maximum(0.0, 1.0 - radius / 60.0)
    survives = np.exp(-100.0 * MASSES[kind] / (np.maximum(transverse, 1e-6) * DECAY_LENGTHS[kind]))
    return 0.97 * turn_on * displaced * survives


def _photon_efficiency(energy):
    return 0.95 * (1.0 - np.exp(-np.maximum(energy - 0.03, 0.0) / 0.03))


def _measured_tracks(momentum, kind, random):
    transverse = np.hypot(momentum[:, 0], momentum[:, 1])
    total = np.linalg.norm(momentum, axis=1)
    beta = total / np.hypot(total, MASSES[kind])
    angle = np.hypot(0.001, 0.002 / total)
    noise = random.normal(size=(3, len(total)))
    transverse_measured = transverse * (1.0 + np.hypot(0.0011 * transverse, 0.0025 / beta) * noise[0])
    theta = np.arctan2(transverse, momentum[:, 2]) + angle * noise[1]
    phi = np.arctan2(momentum[:, 1], momentum[:, 0]) + angle * noise[2]
    columns = [transverse_measured * np.cos(phi), transverse_measured * np.sin(phi)]
    return np.stack([*columns, transverse_measured / np.tan(theta)], axis=1)


def _measured_photons(momentum, random):
    energy = np.linalg.norm(momentum, axis=1)
    root = energy**0.25
    noise = random.normal(size=(3, len(energy)))
    relative = np.sqrt((0.00066 / energy) ** 2 + (0.0081 / root) ** 2 + 0.0134**2)
    angle = (0.27 + 3.4 / root**2 + 1.8 / root) / 1250.0
    measured = energy * np.maximum(1.0 + relative * noise[0], 0.1)
    theta = np.arctan2(np.hypot(momentum[:, 0], momentum[:, 1]), momentum[:, 2]) + angle * noise[1]
    phi = np.arctan2(momentum[:, 1], momentum[:, 0]) + angle * noise[2]
    direction = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    return np.stack([measured, *(measured * d for d in direction)], axis=1)


def _identification(momentum):
    """Probabilities [track, true type, answer] of particle identification at lab momentum p {GeV}.

    e   is e with 0.93 above 0.3, else 0.5;      the rest is pi
    mu  is mu with 0.88 above 0.7, else 0;       the rest is pi
    K   is K with 0.93 - 0.06 max(0, p - 1.5), at least 0.7;      the rest is pi
    pi  is K with 0.03 + 0.03 max(0, p - 1.5), at most 0.12; mu with 0.02 above 0.7; e with 0.003
    p   is p with 0.90, K with 0.04;             the rest is pi
    """
    above = np.maximum(0.0, momentum - 1.5)
    table = np.zeros((len(momentum), 5, 5))
    table[:, ELECTRON, ELECTRON] = np.where(momentum > 0.3, 0.93, 0.5)
    table[:, MUON, MUON] = np.where(momentum > 0.7, 0.88, 0.0)
    table[:, KAON, KAON] = np.maximum(0.7, 0.93 - 0.06 * above)
    table[:, PION, KAON] = np.minimum(0.12, 0.03 + 0.03 * above)
    table[:, PION, MUON] = np.where(momentum > 0.7, 0.02, 0.0)
    table[:, PION, ELECTRON] = 0.003
    table[:, PROTON, PROTON] = 0.90
    table[:, PROTON, KAON] = 0.04
    table[:, :, PION] = 1.0 - table.sum(axis=2)
    return table


def _identified(momentum, kind, random):
    probabilities = _identification(momentum)[np.arange(len(kind)), kind]
    return (random.random((len(kind), 1)) > np.cumsum(probabilities, axis=1)).sum(axis=1)
