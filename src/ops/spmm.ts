import { checkGraph, type Graph, transposeOf } from '../graph/graph';
import { Operation } from '../operation/operation';
import type { Tensor, TensorLike } from '../tensor/tensor';

const operation = new Operation('spmm');

/**
 * Sparse times dense matrix: row i is the sum of the rows of `x` at the sources of the edges into
 * node i, each times its weight. A node without edges gives 0. Sums run in the order of the edges.
 * @param x - `[N, F]`
 * @returns `[N, F]`
 * @throws ShapeError, DTypeError; ValueError for an edge outside the nodes
 */
export function spmm(graph: Graph, x: TensorLike, options?: { out?: TensorLike }): Tensor {
  operation.checkOptions(options);
  const { rowOffsets, sources, weights } = checkGraph(graph, 'spmm');
  return operation.run([rowOffsets, sources, weights, x], undefined, options?.out, transposeOf(graph));
}
