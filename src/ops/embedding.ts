import { Operation } from '../operation/operation';
import type { Tensor, TensorLike } from '../tensor/tensor';

const operation = new Operation('embedding', ['append']);

/**
 * Rows of a table, looked up by index: `table[indices[i]]`.
 * @param indices - int32 `[N]`
 * @param table - `[V, E]`
 * @param options - `append`: `[N, F]`, further features of the same elements, appended to the
 *   looked-up ones
 * @returns `[N, E]`, or `[N, E + F]`
 * @throws ValueError for an index outside the table
 */
export function embedding(
  indices: TensorLike,
  table: TensorLike,
  options?: { append?: TensorLike; out?: TensorLike },
): Tensor {
  operation.checkOptions(options);
  return operation.run([indices, table, options?.append], undefined, options?.out);
}
