// From generated events to what the network takes: three sets of particles per event, in the frame
// of the collision and along the event's thrust axis.
import * as ups from 'upsilon-kernels';

/** basf2's status bits of particles that no detector sees as such: virtual, initial. */
const unseen = 0x30;
/** The acceptance of Belle II's drift chamber: 17° to 150° {cos of the polar angle}. */
const [backward, forward] = [Math.cos((150 * Math.PI) / 180), Math.cos((17 * Math.PI) / 180)];
const photon = 22;
const charged = new Set([11, 13, 211, 321, 2212]);
const neutralHadrons = new Set([130, 2112]);

export const setNames = ['charged', 'photons', 'neutral hadrons'];
export const featureNames = ['log |p*|', '|p along thrust| / |p*|', 'p*', 'side', 'type'];

/** Which set a particle belongs to, -1 for none. */
function setOf(pdg) {
  const code = Math.abs(pdg);
  return charged.has(code) ? 0 : code === photon ? 1 : neutralHadrons.has(code) ? 2 : -1;
}

/** A Lorentz boost into the rest frame of `total` [E, px, py, pz]. */
export function boostInto([energy, ...momentum]) {
  const beta = momentum.map((p) => p / energy),
    beta2 = beta.reduce((sum, b) => sum + b * b, 0),
    gamma = 1 / Math.sqrt(1 - beta2);
  return (e, p) => {
    const along = beta.reduce((sum, b, k) => sum + b * p[k], 0);
    const factor = beta2 > 0 ? ((gamma - 1) * along) / beta2 - gamma * e : 0;
    return p.map((component, k) => component + factor * beta[k]);
  };
}

/**
 * Final-state particles in the acceptance.
 * @returns `sets`, each `{ values, offsets }`; `thrust` and `isB`, a number for each event
 */
export function readEvents(file) {
  const table = ups.arrow.open(file);
  const lists = Object.fromEntries(
    ['pdg', 'mother', 'status', 'energy', 'px', 'py', 'pz', 'charge'].map((name) => [
      name,
      ups.ragged(table.getChild(name)),
    ]),
  );
  const column = Object.fromEntries(Object.entries(lists).map(([name, { values }]) => [name, values.data]));
  const bounds = lists.pdg.offsets.data,
    events = bounds.length - 1;
  const seen = [],
    offsets = new Int32Array(events + 1);
  for (let event = 0; event < events; ++event) {
    const [begin, end] = [bounds[event], bounds[event + 1]];
    const momentum = (i) => [column.px[i], column.py[i], column.pz[i]];
    const total = [0, 0, 0, 0],
      hasDaughters = new Set();
    for (let i = begin; i < end; ++i) {
      if (column.mother[i] >= 0) hasDaughters.add(begin + column.mother[i]);
      else [column.energy[i], ...momentum(i)].forEach((value, k) => (total[k] += value));
    }
    const boost = boostInto(total);
    for (let i = begin; i < end; ++i) {
      const set = setOf(column.pdg[i]),
        p = momentum(i),
        size = Math.hypot(...p);
      const inside = p[2] > backward * size && p[2] < forward * size;
      if (set < 0 || hasDaughters.has(i) || column.status[i] & unseen || !inside) continue;
      seen.push({ event, set, pdg: column.pdg[i], p: boost(column.energy[i], p) });
    }
    offsets[event + 1] = seen.length;
  }
  const momenta = Float32Array.from(seen.flatMap(({ p }) => p));
  const axes = ups.thrust({ values: ups.tensor(momenta, { shape: [seen.length, 3] }), offsets }).data;
  const thrust = Float64Array.from({ length: events }, (_, event) =>
    Math.hypot(...axes.slice(3 * event, 3 * event + 3)),
  );
  const sets = setNames.map((_, set) =>
    setOfEvents(
      seen.filter((one) => one.set === set),
      events,
      axes,
      thrust,
    ),
  );
  return { sets, thrust, isB: Uint8Array.from(table.getChild('process')) };
}

/** Features of the particles of one set. */
function setOfEvents(particles, events, axes, thrust) {
  const offsets = new Int32Array(events + 1);
  for (const { event } of particles) ++offsets[event + 1];
  for (let event = 0; event < events; ++event) offsets[event + 1] += offsets[event];
  const values = particles.flatMap(({ event, pdg, p }) => {
    const size = Math.hypot(...p);
    const along = p.reduce((sum, component, k) => sum + component * axes[3 * event + k], 0) / (thrust[event] || 1);
    const code = Math.abs(pdg);
    const type =
      code === 11 || code === 13 ? 1 : code === 321 || code === 130 ? -1 : code === 2212 || code === 2112 ? 0.5 : 0;
    return [Math.log(size + 1e-3), Math.abs(along) / (size + 1e-9), size, along >= 0 ? 1 : -1, type];
  });
  return { values: ups.tensor(Float32Array.from(values), { shape: [particles.length, featureNames.length] }), offsets };
}
