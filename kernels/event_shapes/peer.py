"""What an analyst writes today: numpy, event by event. Pairs are taken by matrix products within an event, the thrust
search runs from all momenta at once; the B's and the rest's axes as basf2's."""

import numpy
import torch

STEPS = 100


def thrust_of(p):
    """The vector T n of momenta [n, 3]."""
    lengths = numpy.linalg.norm(p, axis=1)
    if not lengths.sum() > 0:
        return numpy.zeros(3)
    safe = numpy.where(lengths > 0, lengths, 1)[:, None]
    axes = numpy.where(p[:, 2:] >= 0, p, -p) / safe
    for _ in range(STEPS):
        before = axes
        along_before = p @ before.T
        axes = numpy.where(along_before >= 0, 1.0, -1.0).T @ p
        if not ((p @ axes.T) * along_before < 0).any():
            break
    sizes = numpy.linalg.norm(axes, axis=1)
    with numpy.errstate(invalid="ignore", divide="ignore"):
        thrusts = numpy.nan_to_num(numpy.abs(p @ axes.T).sum(0) / (lengths.sum() * sizes))
    best = int(thrusts.argmax())
    return axes[best] / sizes[best] * thrusts[best]


def length(v):
    return float(numpy.linalg.norm(v))


def unit(p):
    lengths = numpy.linalg.norm(p, axis=-1, keepdims=True)
    return numpy.divide(p, lengths, out=numpy.zeros_like(p), where=lengths > 0)


def legendre(z):
    return [numpy.ones_like(z), z, 1.5 * z**2 - 0.5, 2.5 * z**3 - 1.5 * z, 4.375 * z**4 - 3.75 * z**2 + 0.375]


EDGES = numpy.cos(numpy.deg2rad(numpy.arange(10, 90, 10) - 2e-6))


def one_event(p4, charge, role, energy, signal_bit, cones_of_rest, cms_energy):
    y = numpy.zeros(30)
    p = p4[:, :3]
    size = numpy.linalg.norm(p, axis=1)
    n = unit(p)
    rest, of_b, signal = role & 3 == 0, role & 1 != 0, role & signal_bit != 0
    final = rest | of_b
    b, o = thrust_of(p[of_b]), thrust_of(p[rest])
    y[1], y[2] = length(b), length(o)
    y[3] = abs(unit(b) @ unit(o))
    y[4] = abs(unit(b)[2])
    moment = numpy.outer(size[final], size[final])
    if moment.sum() > 0:
        y[0] = (moment * legendre(n[final] @ n[final].T)[2]).sum() / moment.sum()
    counted = rest | signal
    y[5] = numpy.hypot(p[counted, 0], p[counted, 1]).sum()
    missing, missing_energy = -p[counted].sum(0), cms_energy - p4[counted, 3].sum()
    y[6] = abs(missing_energy) * missing_energy - missing @ missing
    largest = 2 * (cms_energy - energy)
    signal &= size > 0
    for first, others in ((7, p[rest & (charge != 0)]), (10, p[rest & (charge == 0)]), (13, missing[None])):
        polynomials = legendre(n[signal] @ unit(others).T)
        for k in (0, 2, 4):
            y[first + k // 2] = (polynomials[k] @ numpy.linalg.norm(others, axis=1)).sum() / largest
    other = numpy.concatenate([p[rest], missing[None]])
    other_size = numpy.linalg.norm(other, axis=1)
    polynomials = legendre(unit(other) @ unit(other).T)
    pairs = numpy.tril(numpy.outer(other_size, other_size), -1)
    other_charge = numpy.append(charge[rest], 0)
    charged_pairs = pairs * numpy.outer(other_charge, other_charge)
    for k in range(5):
        y[16 + k] = ((charged_pairs if k % 2 else pairs) * polynomials[k]).sum() / largest**2
    inside = rest if cones_of_rest else final
    cosine = numpy.abs(n[inside] @ unit(b))
    y[21:] = numpy.bincount((cosine[:, None] <= EDGES).sum(1), weights=size[inside], minlength=9)
    return y


def event_shapes(p4, charge, role, offsets, energy, signal, cones, cms_energy):
    p4, charge, energy = (x.cpu().double().numpy() for x in (p4, charge, energy))
    role, cuts = role.cpu().numpy(), offsets.cpu().tolist()
    bit = 2 if signal == "daughters" else 1

    def run():
        y = numpy.empty((30, len(cuts) - 1))
        for event, (begin, end) in enumerate(zip(cuts, cuts[1:])):
            y[:, event] = one_event(p4[begin:end], charge[begin:end], role[begin:end], energy[event], bit,
                                    cones == "rest", cms_energy)
        return (torch.from_numpy(y),)

    return {"numpy, event by event": run}


def thrust(p, offsets):
    p, cuts = p.cpu().double().numpy(), offsets.cpu().tolist()

    def run():
        return (torch.from_numpy(numpy.stack([thrust_of(p[begin:end]) for begin, end in zip(cuts, cuts[1:])])),)

    return {"numpy, event by event": run}
