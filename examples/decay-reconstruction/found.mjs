// From what the slots say to decays, and how many of them are right.
import * as ups from 'upsilon-kernels';

import { kinds, massOf, stages, sumOf } from './events.mjs';

const [B, D, pi0] = kinds.keys();
const sigmoid = (z) => 1 / (1 + Math.exp(-z));

/**
 * The objects of each event of a batch: of every slot that does not say "nothing" the kind, the
 * particles that more likely belong to it than not, and how sure the slot is.
 */
export function objectsOf({ sizes }, { names, links }, slots) {
  const columns = kinds.length + 1;
  let link = 0;
  return sizes.map((size, e) => {
    const found = [];
    for (let k = 0; k < slots; ++k, link += size) {
      const row = (e * slots + k) * columns;
      const logits = [...names.data.subarray(row, row + columns)];
      const kind = logits.indexOf(Math.max(...logits));
      const shares = Array.from(links.data.subarray(link, link + size), sigmoid);
      const members = shares.flatMap((share, i) => (share > 0.5 ? [i] : []));
      if (kind < kinds.length && members.length > 1)
        found.push({ kind, members, shares, score: logits[kind] - logits[kinds.length] });
    }
    return found;
  });
}

export const sameSet = (a, b) => a.length === b.length && a.every((i) => b.includes(i));
/** Of several objects of a kind the surest. */
export function surest(objects, kind) {
  return objects.filter((one) => one.kind === kind).sort((a, b) => b.score - a.score)[0];
}

/** The objects of the forced decay: B, D, and the pi0 in the D. */
export function trueDecay({ objects }) {
  const [b, d] = [B, D].map((kind) => objects.find((one) => one.kind === kind));
  return [b, d, objects.find((one) => one.kind === pi0 && one.members.every((i) => d.members.includes(i)))];
}

/**
 * The stage of the lowest common ancestor of every two particles, by the surest B, the surest D and
 * all pi0.
 */
export function lcaOf(size, objects) {
  const lca = new Int32Array(size * size);
  const chosen = [surest(objects, B), surest(objects, D), ...objects.filter(({ kind }) => kind === pi0)];
  for (const { kind, members } of chosen.filter(Boolean))
    for (const i of members) for (const j of members) if (i !== j) lca[i * size + j] = stages[kinds[kind]];
  return lca;
}

/**
 * How much of the truth was found.
 * @param found - objects of each event
 * @returns shares of events whose B, D, pi0 of the D, and whole tree are right; of all true pi0 how
 *   many were found, and of all found ones how many are true; of all events those whose lowest
 *   common ancestors make trees; and four-momenta of the B
 */
export function judge(events, found) {
  const right = { B: 0, D: 0, pi0: 0, whole: 0 };
  const pions = { true: 0, found: 0, right: 0 };
  const momenta = [];
  const matrices = events.map(({ size }, e) => lcaOf(size, found[e]));
  events.forEach((event, e) => {
    const { size, particles, objects, lca } = event;
    const [b, d, pion] = trueDecay(event);
    const isFound = (one) => found[e].some(({ kind, members }) => kind === one.kind && sameSet(members, one.members));
    const bestB = surest(found[e], B),
      bestD = surest(found[e], D);
    right.B += bestB !== undefined && sameSet(bestB.members, b.members);
    right.D += bestD !== undefined && sameSet(bestD.members, d.members);
    right.pi0 += isFound(pion);
    right.whole += b.members.every((i) => {
      for (let j = 0; j < size; ++j) if (j !== i && matrices[e][i * size + j] !== lca[i * size + j]) return false;
      return true;
    });
    const truePions = objects.filter(({ kind }) => kind === pi0);
    pions.true += truePions.length;
    pions.found += found[e].filter(({ kind }) => kind === pi0).length;
    pions.right += truePions.filter(isFound).length;
    if (bestB) momenta.push(sumOf(bestB.members.map((i) => particles[i].p)));
  });
  const values = new Int32Array(matrices.reduce((sum, { length }) => sum + length, 0));
  matrices.reduce((at, matrix) => (values.set(matrix, at), at + matrix.length), 0);
  const { status } = ups.lcaToTree({ values, sizes: Int32Array.from(events, ({ size }) => size) });
  return {
    ...Object.fromEntries(Object.entries(right).map(([name, count]) => [name, count / events.length])),
    pionsFound: pions.right / pions.true,
    pionsRight: pions.right / pions.found,
    trees: status.data.reduce((count, code) => count + (code === 0 ? 1 : 0), 0) / events.length,
    momenta,
  };
}

/** Half of what lies between the 16th and the 84th percentile: sigma, were it a Gaussian. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)];
  return (at(0.84) - at(0.16)) / 2;
}

/** Energy difference and beam-constrained mass of B candidates {GeV}. */
export function beamVariables(momenta, beamEnergy) {
  return {
    deltaE: momenta.map(([energy]) => energy - beamEnergy),
    mbc: momenta.map(([, ...p]) => massOf([beamEnergy, ...p])),
  };
}
