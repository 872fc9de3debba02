import type { Vector } from 'apache-arrow';

import { Operation } from '../operation/operation';
import { KnownOptions } from '../runtime/check';
import { ShapeError } from '../runtime/errors';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import { asTensor, Tensor, type TensorLike } from '../tensor/tensor';
import { checkLayers, type Layer, mlp } from './mlp';

/** Options of {@link attentionPool}. */
export interface AttentionPoolOptions {
  /**
   * A network that gives every particle its score: at least one layer, the last with one output.
   */
  gate: readonly Layer[];
  /**
   * A network applied to every particle before the mean. Default: none, the particles as they are.
   */
  features?: readonly Layer[];
  out?: TensorLike;
}

const name = 'attentionPool';
const operation = new Operation('attention_pool');
const knownOptions = new KnownOptions('gate', 'features', 'out');

/**
 * One row per event: the mean of its particles under a softmax over learned scores (global
 * attention pooling, Li et al., arXiv:1511.05493; the same result as DGL's GlobalAttentionPooling).
 * A gate of one layer without activation is computed in the same pass; its bias then has no effect,
 * as it cancels in the softmax. An empty event gives 0.
 * @param x - `[N, F]` with boundaries of B events
 * @returns `[B, F]`, or `[B, Fout]` of the last layer of `features`
 * @throws ValueError for boundaries that decrease or overrun, and a gate without layers
 * @throws ShapeError, DTypeError
 */
export function attentionPool(x: Ragged | RaggedLike | Vector, options: AttentionPoolOptions): Tensor {
  knownOptions.check(options, name);
  const { gate, features = [], out } = options ?? {};
  const gateLayers = checkLayers(gate, name, 'gate');
  const featureLayers =
    Array.isArray(features) && features.length === 0 ? undefined : checkLayers(features, name, 'features');
  const { values, offsets } = asRagged(x, name, 'x');
  const last = gateLayers[gateLayers.length - 1];
  const weight = asTensor(last.weight, Array.isArray(last.weight) ? values._dtype : undefined, name, 'gate');
  if (weight.shape.length !== 2 || weight.shape[0] !== 1) {
    const text = `gate ends with a weight of shape [${weight.shape.join(', ')}] (expected [1, F], a score for each particle)`;
    throw new ShapeError(name, 'gate', text);
  }
  if (!featureLayers && gateLayers.length === 1 && isPlain(last))
    return operation.run([values, offsets, weight.reshape([weight.shape[1]]), undefined], undefined, out);
  const scores = mlp(values, gateLayers);
  const rows = featureLayers ? mlp(values, featureLayers) : values;
  return operation.run([rows, offsets, undefined, scores.reshape([scores.size])], undefined, out);
}

/** No activation, and no bias whose gradient, all zeros, somebody wants. */
function isPlain({ bias, activation = 'none' }: Layer): boolean {
  return activation === 'none' && !(bias instanceof Tensor && bias.requiresGrad);
}
