import { checkGraph, type Graph } from '../graph/graph';
import { Operation } from '../operation/operation';
import { ValueError } from '../runtime/errors';
import type { Tensor, TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';

const operation = new Operation('tree_conv', ['self', 'parent', 'daughters', 'bias']);

export interface TreeConvOptions {
  /** Weight of the particle itself, `[Fout, Fin]`. */
  self: TensorLike;
  /** Weight of its mother, `[Fout, Fin]`. */
  parent: TensorLike;
  /** Weight of its daughters, `[Fout, Fin]`. */
  daughters: TensorLike;
  /** `[Fout]` */
  bias?: TensorLike;
  activation?: Activation;
  /**
   * `'none'` (default); `'mean'` divides the daughters' sum by their number; `'symmetric'` weights
   * every term by 1/sqrt(d_i d_j), d = degree of A + I of the undirected tree.
   */
  normalization?: 'none' | 'mean' | 'symmetric';
  out?: TensorLike;
}

/**
 * Convolution on decay trees with weights of their own for particle, mother and daughters:
 * `activation(self x_i + parent x_mother + daughters sum x_daughter + bias)`. A root has no mother
 * term. From the selective background simulation of Belle II (J. Kahn).
 * @param tree - of {@link tree}
 * @param x - `[N, Fin]`
 * @returns `[N, Fout]`
 * @throws ShapeError, DTypeError; ValueError for a mother outside its event, or a cycle
 */
export function treeConv(tree: Graph, x: TensorLike, options: TreeConvOptions): Tensor {
  operation.checkOptions(options);
  const { mother, nodeOffsets } = checkGraph(tree, 'treeConv', 'tree');
  if (!mother) throw new ValueError('treeConv', 'tree', 'tree is a graph without mothers (expected what tree() gives)');
  return operation.run(
    [nodeOffsets, mother, x, options?.self, options?.parent, options?.daughters, options?.bias],
    options as unknown as Record<string, unknown>,
    options?.out,
  );
}
