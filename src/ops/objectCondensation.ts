import type { Vector } from 'apache-arrow';

import { Kernel } from '../operation/kernel';
import { Operation } from '../operation/operation';
import { KnownOptions } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';

/**
 * The codes whose definitions of the loss are available; see
 * kernels/object_condensation/object_condensation.h.
 */
export type CondensationConvention = 'objectCondensation' | 'catFinder' | 'cmsPepr';

export interface ObjectCondensationOptions {
  /** Default `'objectCondensation'`. */
  convention?: CondensationConvention;
  /** The minimum charge of a hit. Default 1. */
  qMin?: number;
  /**
   * Distance at which the repulsion of a condensation point ends; `'cmsPepr'` has none. Default 1.
   */
  radius?: number;
  /** `[4]` */
  out?: TensorLike;
}

export interface CondenseOptions {
  /** Hits of a higher beta may be condensation points. Default 0.1. */
  tBeta?: number;
  /** Radius of a cluster. Default 0.5. */
  tD?: number;
}

/** Result of {@link condense}. */
export interface Clusters {
  /**
   * int32 `[N]`: the number of each hit's cluster in its event, 0 for that of the highest beta; -1
   * for none.
   */
  clusters: Tensor;
  /**
   * int32 `[N]`: event b's condensation points are the rows `points[offsets[b]]` to
   * `points[offsets[b] + counts[b] - 1]`.
   */
  points: Tensor;
  /** int32 `[B]`: how many clusters each event has. */
  counts: Tensor;
}

const operation = new Operation('object_condensation');
const condensing = new Kernel('condense');
const knownCondenseOptions = new KnownOptions('tBeta', 'tD');
const int32 = dtypeCode['int32'];

/**
 * The four terms of the object condensation loss (Kieseler, arXiv:2002.03605), means over the
 * events: attractive and repulsive potential, beta of the condensation points, beta of the noise.
 * Weights of the terms come with the gradient: `loss.backward([1, 1, 1, sB])`.
 * @param beta - `[N]`, from 0 to 1; what is above the convention's largest (1 - 2^-24, 1 - 1e-7,
 *   1 - 1e-4) counts as that, with no gradient through the charge
 * @param x - `[N, D]` with boundaries of B events: coordinates in the space of clusters
 * @param objectIds - int32 `[N]`: the true object of each hit in its event, above 0; 0 and below
 *   for noise
 * @returns `[4]`
 * @throws ValueError for numbers that are not finite, and boundaries that decrease or overrun
 * @throws ShapeError, DTypeError
 */
export function objectCondensation(
  beta: TensorLike,
  x: Ragged | RaggedLike | Vector,
  objectIds: TensorLike,
  options?: ObjectCondensationOptions,
): Tensor {
  operation.checkOptions(options);
  const { values, offsets } = asRagged(x, 'objectCondensation', 'x');
  const ids = Array.isArray(objectIds) ? asTensor(objectIds, int32, 'objectCondensation', 'objectIds') : objectIds;
  return operation.run([beta, values, ids, offsets], options as Record<string, unknown>, options?.out);
}

/**
 * Clusters from the predictions of a network trained with {@link objectCondensation}, for any
 * number of objects: repeatedly, the hit of highest beta that is not yet in a cluster becomes a
 * condensation point, if its beta is above `tBeta`, and takes the hits within `tD` that are not yet
 * in a cluster. Of equal betas the first is taken. There are no gradients.
 * @param beta - `[N]`
 * @param x - `[N, D]` with boundaries of B events
 * @throws ValueError for numbers that are not finite, and boundaries that decrease or overrun
 * @throws ShapeError, DTypeError
 */
export function condense(beta: TensorLike, x: Ragged | RaggedLike | Vector, options: CondenseOptions = {}): Clusters {
  knownCondenseOptions.check(options, 'condense');
  const { values, offsets } = asRagged(x, 'condense', 'x');
  const strengths = asTensor(beta, Array.isArray(beta) ? values._dtype : undefined, 'condense', 'beta');
  const [clusters, points, counts] = condensing.run([strengths, values, offsets], options as Record<string, unknown>);
  return { clusters: clusters!, points: points!, counts: counts! };
}
