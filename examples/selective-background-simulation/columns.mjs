// The columns of a user's file under the names, units and conventions of the network.
import { UserError } from './errors.mjs';

/** Other names under which files have a column; units are the same: GeV, cm, ns. */
const otherNames = {
  pdg: ['PDG', 'm_pdg'],
  mother: ['motherIndex', 'm_mother'],
  status: ['m_status'],
  mass: ['m_mass'],
  energy: ['E', 'm_energy'],
  px: ['m_momentum_x'],
  py: ['m_momentum_y'],
  pz: ['m_momentum_z'],
  productionTime: ['prodTime', 'm_productionTime'],
  x: ['m_productionVertex_x'],
  y: ['m_productionVertex_y'],
  z: ['m_productionVertex_z'],
};

/** The column called `name`, or undefined. */
export function columnOf(batch, name) {
  for (const candidate of [name, ...(otherNames[name] ?? [])]) {
    const column = batch.getChild(candidate);
    if (column) return column;
  }
  return undefined;
}

/**
 * Mothers as 0-based indices with -1 for a root. basf2 stores 1-based ones with 0 for none. Every
 * event has a root, so a file without any negative mother is 1-based; only that is copied.
 */
function zeroBased(column, ups) {
  const { values, offsets } = ups.ragged(column, { name: 'mother' });
  const begin = offsets.data[0],
    end = offsets.data[offsets.data.length - 1];
  if (begin === end || values.data.subarray(begin, end).some((mother) => mother < 0))
    return { mother: column, oneBased: false };
  const shifted = Int32Array.from(values.data, (mother) => Number(mother) - 1);
  return { mother: { values: shifted, offsets }, oneBased: true };
}

/**
 * What the filter takes, from one record batch.
 * @returns `particles` by name, and whether mothers were counted from 1
 */
export function particlesOf(batch, filter, ups) {
  const needed = ['pdg', 'mother', ...filter.features];
  const columns = Object.fromEntries([...needed, 'status', 'mass'].map((name) => [name, columnOf(batch, name)]));
  const missing = needed.filter((name) => !columns[name]);
  if (missing.length > 0) {
    const present = batch.schema.fields.map((field) => field.name).join(', ');
    throw new UserError(`there is no column ${missing.join(', ')} (the file has ${present || 'none'})`);
  }
  const { mother, oneBased } = zeroBased(columns.mother, ups);
  return { particles: { ...columns, mother }, oneBased };
}

/** A number per event, or undefined when the file has no such column. */
export function perEvent(batch, name) {
  const column = batch.getChild(name);
  return column ? Float64Array.from(column, Number) : undefined;
}
