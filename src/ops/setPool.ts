import type { Vector } from 'apache-arrow';

import { Operation } from '../operation';
import { asRagged, type Ragged, type RaggedLike } from '../ragged';
import type { Tensor, TensorLike } from '../tensor';

/** How the rows of a set become one. */
export type Pool = 'sum' | 'mean' | 'max' | 'min';

const operation = new Operation('set_pool');

/**
 * One row per set (event) from the rows of its elements. An empty set gives 0; NaN makes max and min NaN.
 * @param x - `[N, F]` with boundaries of B sets
 * @returns `[B, F]`
 * @throws ValueError for boundaries that decrease or overrun, and a pool that there is not
 * @throws ShapeError, DTypeError
 */
export function setPool(x: Ragged | RaggedLike | Vector, pool: Pool, options?: { out?: TensorLike }): Tensor {
  operation.checkOptions(options, []);
  const { values, offsets } = asRagged(x, 'setPool', 'x');
  return operation.run([values, offsets], { pool }, options?.out);
}
