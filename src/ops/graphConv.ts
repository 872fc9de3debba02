import { checkGraph, type Graph, transposeOf } from '../graph/graph';
import { Operation } from '../operation/operation';
import type { Tensor, TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';

const operation = new Operation('graph_conv', ['bias']);

export interface GraphConvOptions {
  /** `[Fout]`, added after the aggregation. */
  bias?: TensorLike;
  activation?: Activation;
  /** `'symmetric'` (default): D^-1/2 A D^-1/2; `'row'`: D^-1 A; `'none'`: A. */
  normalization?: 'symmetric' | 'row' | 'none';
  /** Whether every node gets an edge to itself (default true). */
  selfLoops?: boolean;
  out?: TensorLike;
}

/**
 * Graph convolution of Kipf and Welling (arXiv:1609.02907): `activation(A x weight^T + bias)` with
 * the normalised adjacency matrix A. The same result as PyTorch Geometric's GCNConv.
 * @param x - `[N, Fin]`
 * @param weight - `[Fout, Fin]`
 * @returns `[N, Fout]`
 * @throws ShapeError, DTypeError; ValueError for an edge outside the nodes
 */
export function graphConv(graph: Graph, x: TensorLike, weight: TensorLike, options?: GraphConvOptions): Tensor {
  operation.checkOptions(options);
  const { rowOffsets, sources, weights } = checkGraph(graph, 'graphConv');
  return operation.run(
    [rowOffsets, sources, weights, x, weight, options?.bias],
    options as Record<string, unknown>,
    options?.out,
    transposeOf(graph),
  );
}
