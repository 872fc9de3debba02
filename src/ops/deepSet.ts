import type { Vector } from 'apache-arrow';

import { Operation } from '../operation/operation';
import { KnownOptions } from '../runtime/check';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import type { Tensor, TensorLike } from '../tensor/tensor';
import { checkLayers, type Layer, layerArguments, layersPerCall, mlp } from './mlp';
import type { Pool } from './setPool';

/**
 * The two networks of {@link deepSet}, and how the particles of an event are pooled between them.
 */
export interface DeepSetOptions {
  /** Applied to every particle: at least one layer. */
  phi: readonly Layer[];
  pool: Pool;
  /** Applied to every event's pooled row; default: none, the pooled rows themselves. */
  rho?: readonly Layer[];
  /** `[N]`: sum is weighted, mean is the weighted mean. Not with max and min. */
  weights?: TensorLike;
  out?: TensorLike;
}

const operation = new Operation('deep_set', [], { particle_weights: 'weights' });
const knownOptions = new KnownOptions('phi', 'pool', 'rho', 'weights', 'out');

/**
 * rho(pool of phi(x_i)) for every event (Zaheer et al., arXiv:1703.06114). On the CPU the values of
 * phi are never in memory as a whole, neither forward nor backward; if phi has more than four
 * layers, this holds for the last four. An empty event's pooled row is 0.
 * @param x - `[N, F]` with boundaries of B events
 * @returns `[B, Fout]` of rho's last layer
 * @throws ValueError for boundaries that decrease or overrun, a phi without layers, weights
 *   together with max or min
 * @throws ShapeError, DTypeError
 */
export function deepSet(x: Ragged | RaggedLike | Vector, options: DeepSetOptions): Tensor {
  knownOptions.check(options, 'deepSet');
  const { phi, pool, rho = [], weights, out } = options ?? {};
  const phiLayers = checkLayers(phi, 'deepSet', 'phi');
  const rhoLayers = Array.isArray(rho) && rho.length === 0 ? undefined : checkLayers(rho, 'deepSet', 'rho');
  const { values, offsets } = asRagged(x, 'deepSet', 'x');
  const before = phiLayers.length - layersPerCall;
  const rows = before > 0 ? mlp(values, phiLayers.slice(0, before)) : values;
  const { inputs, activations } = layerArguments(phiLayers, Math.max(before, 0));
  const given = [rows, offsets, weights, ...inputs];
  const pooled = operation.run(given, { ...activations, pool }, rhoLayers ? undefined : out);
  return rhoLayers ? mlp(pooled, rhoLayers, { out }) : pooled;
}
