// The bundled events, as sets of particles in the frame of the collision, with the decays that are
// to be found in them.
import * as ups from 'upsilon-kernels';

import { boostInto } from '../continuum-suppression/particles.mjs';

/** Masses {GeV}: Particle Data Group, Phys. Rev. D 110, 030001. */
export const mass = { pion: 0.13957, kaon: 0.493677, pi0: 0.134977, D: 1.86484, B: 5.27941 };
/** What is to be found, and graFEI's stages of it in a matrix of lowest common ancestors. */
export const kinds = ['B', 'D', 'pi0'];
export const stages = { B: 5, D: 3, pi0: 1 };
const kindOf = { 521: 0, 421: 1, 111: 2 };

/** The sum of four-momenta [E, px, py, pz]. */
export const sumOf = (momenta) => momenta.reduce((sum, p) => sum.map((x, k) => x + p[k]), [0, 0, 0, 0]);
/** The invariant mass of a four-momentum. */
export const massOf = ([energy, ...p]) => Math.sqrt(Math.max(energy ** 2 - p.reduce((sum, x) => sum + x * x, 0), 0));

/**
 * @returns `events`, each `{ particles, objects, lca, codes }`: particles with the four-momentum
 *   `p` [E, px, py, pz] in the frame of the collision {GeV}; objects with `kind` and `members`, the
 *   particles they decay into at last; the matrix of lowest common ancestors; and PDG codes of
 *   particles and decays. `beamEnergy` is half the energy of the collision.
 */
export function readEvents(file) {
  const table = ups.arrow.open(file);
  const collision = JSON.parse(table.schema.metadata.get('collision'));
  const boost = boostInto(collision);
  const columns = Object.fromEntries(
    ['px', 'py', 'pz', 'charge', 'kaon', 'lepton', 'pdg'].map((name) => [name, table.getChild(name)]),
  );
  const mother = ups.ragged(table.getChild('mother'));
  const [mothers, bounds] = [mother.values.data, mother.offsets.data];
  const pdg = Int32Array.from(columns.pdg.data[0].children[0].values);
  const stage = Int32Array.from(pdg, (code) => stages[kinds[kindOf[Math.abs(code)]]] ?? 0);
  const lca = ups.treeToLca(mother, { stage }).values.data;
  let pairs = 0;
  const events = Array.from({ length: table.numRows }, (_, row) => {
    const [px, py, pz, charge, kaon, lepton] = ['px', 'py', 'pz', 'charge', 'kaon', 'lepton'].map((name) =>
      columns[name].get(row).toArray(),
    );
    const particles = Array.from(px, (_, i) => {
      const isKaon = kaon[i] > 127;
      const lab = [px[i], py[i], pz[i]];
      const m = charge[i] === 0 ? 0 : isKaon ? mass.kaon : mass.pion;
      const momentum = boost(Math.hypot(m, ...lab), lab);
      return {
        p: [Math.hypot(m, ...momentum), ...momentum],
        charge: charge[i],
        kaon: kaon[i] / 255,
        lepton: lepton[i] / 255,
      };
    });
    const nodes = [...mothers.subarray(bounds[row], bounds[row + 1])];
    const codes = [...pdg.subarray(bounds[row], bounds[row + 1])];
    const objects = nodes.slice(particles.length).map((_, k) => {
      const node = particles.length + k;
      const isBelow = (i) => i >= 0 && (i === node || isBelow(nodes[i]));
      return { kind: kindOf[Math.abs(codes[node])], members: particles.flatMap((_, i) => (isBelow(i) ? [i] : [])) };
    });
    const matrix = lca.subarray(pairs, (pairs += particles.length ** 2));
    return { particles, objects, lca: matrix, codes };
  });
  return { events, beamEnergy: massOf(collision) / 2 };
}
