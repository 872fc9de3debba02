import type { Vector } from 'apache-arrow';

import { Operation } from '../operation/operation';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import type { Tensor, TensorLike } from '../tensor/tensor';

/** How the rows of a set become one. */
export type Pool = 'sum' | 'mean' | 'max' | 'min';

const operation = new Operation('set_pool', ['weights']);

/**
 * One row per set (event) from the rows of its elements. An empty set gives 0; NaN makes max and
 * min NaN. With `weights` `[N]` sum is weighted and mean is the weighted mean, 0 where a set's
 * weights sum to 0.
 * @param x - `[N, F]` with boundaries of B sets
 * @returns `[B, F]`
 * @throws ValueError for boundaries that decrease or overrun, an unknown pool, weights together
 *   with max or min
 * @throws ShapeError, DTypeError
 */
export function setPool(
  x: Ragged | RaggedLike | Vector,
  pool: Pool,
  options?: { weights?: TensorLike; out?: TensorLike },
): Tensor {
  operation.checkOptions(options, []);
  const { values, offsets } = asRagged(x, 'setPool', 'x');
  return operation.run([values, offsets, options?.weights], { pool }, options?.out);
}
