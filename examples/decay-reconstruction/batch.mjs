// Events as the tensors that the network takes, and as what its slots are compared with.
import * as ups from 'upsilon-kernels';

import { kinds, mass } from './events.mjs';

export const particleFeatures = ['ln p*', 'p*', 'cos theta*', 'charge', 'photon', 'kaon', 'lepton'];
export const pairFeatures = ['ln m', 'pi0', 'about pi0', 'cos angle', 'charges', 'photons', 'ln E'];
const B = kinds.indexOf('B');

const bump = (x, width) => Math.exp(-0.5 * (x / width) ** 2);

function writeFeatures({ p, charge, kaon, lepton }, to, at) {
  const size = Math.hypot(p[1], p[2], p[3]);
  to[at] = Math.log(size) + 1;
  to[at + 1] = 2 * size - 1;
  to[at + 2] = p[3] / size;
  to[at + 3] = charge;
  to[at + 4] = charge === 0 ? 1 : 0;
  to[at + 5] = 2 * kaon - 1;
  to[at + 6] = 2 * lepton - 1;
}

function writePair(a, b, to, at) {
  const [e, x, y, z] = a.p,
    [f, u, v, w] = b.p;
  const product = x * u + y * v + z * w,
    sizes = Math.sqrt((x * x + y * y + z * z) * (u * u + v * v + w * w));
  const m = Math.sqrt(Math.max((e + f) ** 2 - (x + u) ** 2 - (y + v) ** 2 - (z + w) ** 2, 0));
  const photons = a.charge === 0 && b.charge === 0 ? 1 : 0;
  to[at] = Math.log(m + 0.02) + 0.5;
  to[at + 1] = photons * bump(m - mass.pi0, 0.004);
  to[at + 2] = photons * bump(m - mass.pi0, 0.012);
  to[at + 3] = product / sizes;
  to[at + 4] = a.charge * b.charge;
  to[at + 5] = photons;
  to[at + 6] = Math.log(e + f);
}

/** An event with the features of its particles, and of every two of them. */
export function prepare(event) {
  const { particles } = event,
    size = particles.length;
  const features = new Float32Array(size * particleFeatures.length),
    pairs = new Float32Array(((size * (size - 1)) / 2) * pairFeatures.length);
  particles.forEach((one, i) => writeFeatures(one, features, i * particleFeatures.length));
  for (let i = 0, at = 0; i < size; ++i)
    for (let j = i + 1; j < size; ++j, at += pairFeatures.length) writePair(particles[i], particles[j], pairs, at);
  return { ...event, size, features, pairs };
}

/**
 * An event to train on that never was: the forced B of one event beside the other B of a second
 * one. So there are as many as there are pairs of events, and almost as good ones: the two B fly
 * apart with 0.3 GeV only.
 * @param conjugate - whether particles become antiparticles, which nature hardly minds
 */
export function mixed(one, other, conjugate) {
  const inSignal = (event) => event.objects.find(({ kind }) => kind === B).members;
  const chargeOf = (event) => inSignal(event).reduce((sum, i) => sum + event.particles[i].charge, 0);
  const sign = conjugate ? -1 : 1,
    otherSign = sign * (chargeOf(one) === chargeOf(other) ? 1 : -1);
  const place = [new Map(), new Map()];
  const particles = [];
  const take = (event, k, i, by) => {
    place[k].set(i, particles.length);
    particles.push({ ...event.particles[i], charge: by * event.particles[i].charge });
  };
  for (const i of inSignal(one)) take(one, 0, i, sign);
  const away = inSignal(other);
  other.particles.forEach((_, i) => !away.includes(i) && take(other, 1, i, otherSign));
  const objects = [one, other].flatMap((event, k) =>
    event.objects.flatMap(({ kind, members }) =>
      members.every((i) => place[k].has(i)) ? [{ kind, members: members.map((i) => place[k].get(i)) }] : [],
    ),
  );
  return prepare({ particles, objects });
}

function joined(parts) {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The boundaries of lists of these sizes. */
export function boundaries(sizes) {
  const offsets = new Int32Array(sizes.length + 1);
  sizes.forEach((size, i) => (offsets[i + 1] = offsets[i] + size));
  return offsets;
}

/** Prepared events as one batch. The tokens of an event are the slots and then its particles. */
export function batchOf(events, { slots, heads }) {
  const sizes = events.map(({ size }) => size);
  const starts = boundaries(sizes),
    tokens = boundaries(sizes.map((size) => slots + size));
  const features = joined(events.map((event) => event.features));
  const none = new Float32Array(pairFeatures.length);
  const pairs = joined([none, ...events.map((event) => event.pairs)]);
  return {
    sizes,
    features: ups.tensor(features, { shape: [features.length / particleFeatures.length, particleFeatures.length] }),
    starts,
    pairs: ups.tensor(pairs, { shape: [pairs.length / pairFeatures.length, pairFeatures.length] }),
    biasEntries: biasEntries(sizes, slots, heads),
    tokens,
    slotStarts: boundaries(events.map(() => slots)),
    ...rowsOf(sizes, starts, tokens, slots),
    ...targetsOf(events, slots),
  };
}

/**
 * Rows to be gathered: tokens from a table of the slots and all particles, and both from the tokens
 * again.
 */
function rowsOf(sizes, starts, tokens, slots) {
  const tokenRows = new Int32Array(tokens[sizes.length]),
    slotRows = new Int32Array(sizes.length * slots),
    particleRows = new Int32Array(starts[sizes.length]);
  sizes.forEach((size, e) => {
    for (let k = 0; k < slots; ++k) {
      slotRows[e * slots + k] = tokens[e] + k;
      tokenRows[tokens[e] + k] = k;
    }
    for (let i = 0; i < size; ++i) {
      particleRows[starts[e] + i] = tokens[e] + slots + i;
      tokenRows[tokens[e] + slots + i] = slots + starts[e] + i;
    }
  });
  return { tokenRows, slotRows, particleRows };
}

/**
 * Where the bias of attention, a matrix for each event and head, stands in rows of one number per
 * head for each pair.
 */
function biasEntries(sizes, slots, heads) {
  const entries = new Int32Array(sizes.reduce((sum, size) => sum + heads * (slots + size) ** 2, 0));
  let at = 0,
    first = 1; // row 0 is for a slot with whatever, and a particle with itself
  for (const size of sizes) {
    for (let head = 0; head < heads; ++head)
      for (let i = -slots; i < size; ++i)
        for (let j = -slots; j < size; ++j) {
          const [low, high] = i < j ? [i, j] : [j, i];
          const pair = low < 0 || low === high ? 0 : first + (low * (2 * size - low - 1)) / 2 + high - low - 1;
          entries[at++] = pair * heads + head;
        }
    first += (size * (size - 1)) / 2;
  }
  return entries;
}

/**
 * What slots are compared with. `linkTerms` lists, for every pair of a slot and an object of the
 * same event, the losses of the slot's links to all particles, out of a table that has those of all
 * links if absent, and then if present.
 */
function targetsOf(events, slots) {
  const objectCounts = Int32Array.from(events, ({ objects }) => objects.length),
    objectStarts = boundaries(objectCounts);
  const columns = kinds.length + 1;
  const classes = new Float32Array(objectStarts[events.length] * columns);
  const links = events.reduce((sum, { size }) => sum + slots * size, 0);
  const linkTerms = new Int32Array(events.reduce((sum, { objects, size }) => sum + slots * objects.length * size, 0)),
    termCounts = [];
  let at = 0,
    link = 0;
  events.forEach(({ objects, size }, e) => {
    objects.forEach(({ kind }, j) => (classes[(objectStarts[e] + j) * columns + kind] = 1));
    for (let k = 0; k < slots; ++k, link += size)
      for (const { members } of objects) {
        for (let i = 0; i < size; ++i) linkTerms[at + i] = link + i;
        for (const i of members) linkTerms[at + i] += links;
        at += size;
        termCounts.push(size);
      }
  });
  return {
    classes: ups.tensor(classes, { shape: [objectStarts[events.length], columns] }),
    objectStarts,
    objectCounts,
    slotCounts: new Int32Array(events.length).fill(slots),
    linkTerms,
    termStarts: boundaries(termCounts),
  };
}
