// Simulated and generated showers of the same energies, by their observables.
import * as ups from 'upsilon-kernels';

import { cells, energiesOf, simulate } from './simulation.mjs';

/** Showers that the training has not seen. */
const seed = 99,
  count = 1000,
  together = 100;

function observe(generate) {
  const kept = { energy: [], hits: [], longitudinal: [], radial: [], spectrum: [], centre: [] };
  let edges;
  for (let first = 0; first < count; first += together) {
    const energies = energiesOf({ count: together, seed, first });
    const axis = ups.tensor(new Float32Array(2 * together).fill((cells - 1) / 2), { shape: [together, 2] });
    const found = ups.showerObservables(generate({ energies, seed, first }), { axis });
    for (const [name, list] of Object.entries(kept)) list.push(...found[name].data);
    edges = [...found.edges.data];
  }
  return { ...kept, edges };
}

function momentsOf(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return { mean, spread };
}

/** The mean of every column. */
function profileOf(values, columns) {
  const sums = new Array(columns).fill(0);
  values.forEach((value, i) => (sums[i % columns] += value / count));
  return sums;
}

/**
 * @param generator - whatever has `generate`
 * @returns profiles, distributions and a few numbers of both kinds, and showers to look at
 */
export function compare(generator) {
  const energies = energiesOf({ count, seed });
  const kinds = { truth: observe(simulate), generated: observe((options) => generator.generate(options)) };
  const both = (of) => ({ truth: of(kinds.truth), generated: of(kinds.generated) });
  const distributions = [
    {
      name: 'visible energy / incident energy',
      unit: 'MIP/GeV',
      of: ({ energy }) => energy.map((e, i) => e / energies[i]),
    },
    { name: 'hits', unit: '', of: ({ hits }) => hits },
    {
      name: 'depth of the centre of gravity',
      unit: 'layers',
      of: ({ centre }) => centre.filter((_, i) => i % 3 === 0),
    },
  ].map(({ name, unit, of }) => ({ name, unit, ...both(of) }));
  const numbers = [
    ...distributions,
    { name: 'centre of gravity across', unit: 'cells', ...both(({ centre }) => centre.filter((_, i) => i % 3 === 2)) },
  ].map(({ name, unit, truth, generated }) => ({
    name,
    unit,
    truth: momentsOf(truth),
    generated: momentsOf(generated),
  }));
  const shown = Float32Array.of(20, 80);
  return {
    longitudinal: both(({ longitudinal }) => profileOf(longitudinal, cells)),
    radial: both(({ radial }) => profileOf(radial, cells / 2)),
    spectrum: { edges: kinds.truth.edges, ...both(({ spectrum, edges }) => profileOf(spectrum, edges.length - 1)) },
    distributions,
    numbers,
    showers: {
      energies: [...shown],
      truth: simulate({ energies: shown, seed: 7, first: 0 }).data,
      generated: generator.generate({ energies: shown, seed: 7, first: 0 }).data,
    },
  };
}
