"""The collision: SuperKEKB's beams, its centre-of-mass frame, interaction point and bunch crossings.

Frame as in Belle II: origin at the interaction point, z along the detector axis (the bisector of the
incoming electron and the outgoing positron), x horizontal.  Units: GeV, cm, ns.
"""

import numpy as np

ELECTRON_ENERGY = 7.007
POSITRON_ENERGY = 4.000
CROSSING_ANGLE = 0.083  # rad, shared equally by both beams

SPEED_OF_LIGHT = 29.9792458  # cm/ns

# Spread of sqrt(s) from the spread of the beam energies.
SQRT_S_SPREAD = 0.0054

# Gaussian widths of the luminous region and the spacing of filled bunches (every second bucket of
# the 508.9 MHz radio frequency); the trigger time is uncertain by a few crossings.
VERTEX_SPREAD = np.array([1.0e-3, 2.0e-5, 3.3e-2])
BUNCH_SPACING = 3.930
CROSSING_SPREAD = 2.0  # crossings

_half = CROSSING_ANGLE / 2
ELECTRON = np.array([ELECTRON_ENERGY, ELECTRON_ENERGY * np.sin(_half), 0.0, ELECTRON_ENERGY * np.cos(_half)])
POSITRON = np.array([POSITRON_ENERGY, POSITRON_ENERGY * np.sin(_half), 0.0, -POSITRON_ENERGY * np.cos(_half)])
TOTAL = ELECTRON + POSITRON  # (E, px, py, pz)
SQRT_S = float(np.sqrt(TOTAL[0] ** 2 - np.sum(TOTAL[1:] ** 2)))  # 10.5791
BEAM_ENERGY_CMS = SQRT_S / 2
VELOCITY = TOTAL[1:] / TOTAL[0]  # of the centre-of-mass frame in the lab, unit c


def boost(p4, velocity):
    """Boosts (E, px, py, pz) rows by `velocity`: a particle at rest moves with `velocity` afterwards."""
    p4 = np.asarray(p4, dtype=np.float64)
    beta2 = float(np.dot(velocity, velocity))
    gamma = 1.0 / np.sqrt(1.0 - beta2)
    along = p4[..., 1:] @ velocity
    energy = gamma * (p4[..., 0] + along)
    factor = (gamma - 1.0) / beta2 * along + gamma * p4[..., 0]
    momentum = p4[..., 1:] + factor[..., None] * velocity
    return np.concatenate([energy[..., None], momentum], axis=-1)


def to_cms(p4):
    return boost(p4, -VELOCITY)


def to_lab(p4):
    return boost(p4, VELOCITY)


def beam_axis_cms():
    """Unit vector of the electron beam in the centre-of-mass frame."""
    momentum = to_cms(ELECTRON)[1:]
    return momentum / np.linalg.norm(momentum)
