import type { Vector } from 'apache-arrow';

import { Operation } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { dtypeCode, dtypes } from '../runtime/dtype';
import { ShapeError, ValueError } from '../runtime/errors';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import { asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';
import { checkLayers, type Layer, layerArguments, layersPerCall, mlp } from './mlp';
import type { Pool } from './setPool';

/**
 * Options of {@link multiDeepSet}: the networks of the sets, and how their results become one row.
 */
export interface MultiDeepSetOptions {
  /** One network for each set, applied to its particles: at least one layer. */
  phi: readonly (readonly Layer[])[];
  pool: Pool;
  /**
   * `'after'` (default): every set is pooled separately and the pooled rows are concatenated.
   * `'before'`: the particles of all sets are pooled together; every phi then ends with the same
   * width.
   */
  fuse?: 'after' | 'before';
  /** Applied to every event's row; default: none, the rows themselves. */
  rho?: readonly Layer[];
  /**
   * Of the particles of each set, `[N]`, where a set has any: sum is weighted, mean the weighted
   * mean.
   */
  weights?: readonly (TensorLike | undefined)[];
  out?: TensorLike;
}

const name = 'multiDeepSet';
const maxSets = 8;
const words = Object.fromEntries(
  Array.from({ length: maxSets }, (_, s) => [
    [`x${s}`, `sets[${s}].values`],
    [`offsets${s}`, `sets[${s}].offsets`],
    [`particle_weights${s}`, `weights[${s}]`],
  ]).flat(),
) as Record<string, string>;
const operation = new Operation('multi_deep_set', [], words);
const knownOptions = new KnownOptions('phi', 'pool', 'fuse', 'rho', 'weights', 'out');

/**
 * Deep sets over several sets of particles per event, of different features and multiplicities:
 * tracks and photons of the signal B and of the rest of the event. A network for each set, pooling,
 * and a network per event in one. On the CPU the values of a phi are never in memory as a whole,
 * neither forward nor backward; if a phi has more than four layers, this holds for the last four.
 * Nothing is padded, and an empty set's pooled row is 0.
 * @param sets - one to eight, each `[N, F]` of its own with boundaries of the same B events
 * @returns `[B, Fout]` of rho's last layer
 * @throws ValueError for boundaries that decrease or overrun, no sets or too many, a phi without
 *   layers, weights together with max or min; ShapeError for sets of different numbers of events,
 *   and a phi too many or too few; DTypeError
 */
export function multiDeepSet(sets: readonly (Ragged | RaggedLike | Vector)[], options: MultiDeepSetOptions): Tensor {
  knownOptions.check(options, name);
  const { phi, pool, fuse = 'after', rho = [], weights, out } = options ?? {};
  if (!Array.isArray(sets) || sets.length === 0 || sets.length > maxSets)
    throw new ValueError(name, 'sets', `sets is ${shown(sets)} (expected a list of one to ${maxSets} sets)`);
  const networks = checkNetworks(phi, sets.length);
  const particleWeights = checkWeights(weights, sets.length);
  const rhoLayers = Array.isArray(rho) && rho.length === 0 ? undefined : checkLayers(rho, name, 'rho');
  const inputs: (TensorLike | undefined)[] = [];
  const choices: Record<string, unknown> = { pool, fuse };
  const widths: number[] = [];
  const ragged = sets.map((set, s) => asRagged(set as Ragged, name, `sets[${s}]`));
  ragged.forEach(({ values, offsets }, s) => {
    const layers = networks[s];
    const before = Math.max(layers.length - layersPerCall, 0);
    const rows = before > 0 ? mlp(values, layers.slice(0, before)) : values;
    const { inputs: parameters, activations } = layerArguments(layers, before);
    inputs.push(rows, offsets, particleWeights[s], ...parameters);
    for (const [key, value] of Object.entries(activations)) choices[`phi${s}A${key.slice(1)}`] = value;
    widths.push(outputsOf(layers[layers.length - 1], s));
  });
  if (fuse === 'before' && widths.some((width) => width !== widths[0]))
    throw new ShapeError(
      name,
      'phi',
      `phi end with ${widths.join(', ')} features (expected the same of all, to be fused before pooling)`,
    );
  const perSet = 3 + 2 * layersPerCall;
  while (inputs.length < maxSets * perSet) inputs.push(undefined);
  const width = fuse === 'before' ? widths[0] : widths.reduce((sum, one) => sum + one, 0);
  const first = ragged[0];
  const dtype = dtypes[first.values._dtype].floating ? first.values._dtype : dtypeCode.float32;
  const place =
    rhoLayers || out === undefined ? empty(dtype, [first.length, width], first.values._device, name, 'out') : out;
  const pooled = operation.run(inputs, choices, place);
  return rhoLayers ? mlp(pooled, rhoLayers, { out }) : pooled;
}

function checkNetworks(phi: unknown, sets: number): (readonly Layer[])[] {
  if (!Array.isArray(phi))
    throw new ValueError(name, 'phi', `phi is ${shown(phi)} (expected a list of layers for each set)`);
  if (phi.length !== sets)
    throw new ShapeError(name, 'phi', `phi has ${phi.length} networks but there are ${sets} sets (expected one each)`);
  return phi.map((layers: readonly Layer[], s) => checkLayers(layers, name, `phi[${s}]`));
}

function checkWeights(weights: unknown, sets: number): readonly (TensorLike | undefined)[] {
  if (weights === undefined) return [];
  if (!Array.isArray(weights) || weights.length !== sets)
    throw new ValueError(name, 'weights', `weights is ${shown(weights)} (expected a list with an entry for each set)`);
  return weights as readonly (TensorLike | undefined)[];
}

function outputsOf({ weight }: Layer, set: number): number {
  const { shape } = asTensor(weight, undefined, name, `phi[${set}]`);
  return shape[0] ?? 0;
}
