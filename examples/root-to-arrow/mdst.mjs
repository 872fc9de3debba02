// MCParticles of basf2's mDST (mdst/dataobjects/include/MCParticle.h): an array of objects per
// event.
import { TSelector, treeProcess } from 'jsroot/tree';

import { Column } from './column.mjs';

/** Arrow name, member of MCParticle, type, unit. */
const members = [
  ['pdg', 'm_pdg', Int32Array],
  ['mother', 'm_mother', Int32Array],
  ['status', 'm_status', Int32Array],
  ['mass', 'm_mass', Float32Array, 'GeV'],
  ['energy', 'm_energy', Float32Array, 'GeV'],
  ['px', 'm_momentum_x', Float32Array, 'GeV'],
  ['py', 'm_momentum_y', Float32Array, 'GeV'],
  ['pz', 'm_momentum_z', Float32Array, 'GeV'],
  ['productionTime', 'm_productionTime', Float32Array, 'ns'],
  ['x', 'm_productionVertex_x', Float32Array, 'cm'],
  ['y', 'm_productionVertex_y', Float32Array, 'cm'],
  ['z', 'm_productionVertex_z', Float32Array, 'cm'],
];

export function isMdst(tree) {
  return tree.fBranches.arr.some(({ fName }) => fName === 'MCParticles');
}

/** Mothers become indices inside the event, -1 for none: basf2 counts from 1 and has 0 for none. */
export async function readMcParticles(tree) {
  const columns = members.map(([name, , Array, unit]) => new Column(name, Array, true, unit));
  const selector = new TSelector();
  for (const [name, member] of members) selector.addBranch(`MCParticles.${member}`, name);
  selector.Process = function process() {
    for (const column of columns) {
      const row = this.tgtobj[column.name];
      column.add(column.name === 'mother' ? Array.from(row, (mother) => mother - 1) : row);
    }
  };
  await treeProcess(tree, selector);
  return columns;
}
