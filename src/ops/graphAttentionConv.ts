import { checkGraph, type Graph, transposeOf } from '../graph/graph';
import { Operation } from '../operation/operation';
import { shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';

const operation = new Operation('graph_attention_conv', [
  'weight',
  'attentionSource',
  'attentionTarget',
  'heads',
  'bias',
]);

export interface GraphAttentionConvOptions {
  /** `[H*F, Fin]`: H heads of F features, one after the other. */
  weight: TensorLike;
  /** `[H, F]`, PyG's `att_src`. */
  attentionSource: TensorLike;
  /** `[H, F]`, PyG's `att_dst`. */
  attentionTarget: TensorLike;
  /** Number of heads H; default that of `attentionSource`. */
  heads?: number;
  /** Slope of leakyRelu below 0, default 0.2. */
  negativeSlope?: number;
  /** Whether the heads stand side by side (default) or are averaged. */
  concat?: boolean;
  /** `[H*F]`, or `[F]` without `concat`. */
  bias?: TensorLike;
  /** Whether existing self-loops are replaced by one per node (default true). */
  selfLoops?: boolean;
  activation?: Activation;
  out?: TensorLike;
}

/**
 * Graph attention (GAT, arXiv:1710.10903): every node takes the weighted mean of its neighbours,
 * the weights being a softmax over learned scores. The same result as PyTorch Geometric's GATConv
 * and DGL's. Edge weights are ignored.
 * @param x - `[N, Fin]`
 * @returns `[N, H*F]`, or `[N, F]` without `concat`
 * @throws ShapeError, DTypeError; ValueError for an edge outside the nodes
 */
export function graphAttentionConv(graph: Graph, x: TensorLike, options: GraphAttentionConvOptions): Tensor {
  const name = 'graphAttentionConv';
  const { rowOffsets, sources } = checkGraph(graph, name);
  if (typeof options !== 'object' || options === null) {
    const text = `options is ${shown(options)} (expected { weight, attentionSource, attentionTarget, heads })`;
    throw new ValueError(name, 'options', text);
  }
  operation.checkOptions(options);
  const { heads, weight, attentionSource, attentionTarget, bias, out } = options;
  if (heads !== undefined) checkHeads(heads, attentionSource);
  return operation.run(
    [rowOffsets, sources, x, weight, attentionSource, attentionTarget, bias],
    options as unknown as Record<string, unknown>,
    out,
    transposeOf(graph),
  );
}

/**
 * The kernel reads the number of heads off the attention vectors; a caller who says another is
 * mistaken.
 */
function checkHeads(heads: unknown, attentionSource: TensorLike): void {
  const name = 'graphAttentionConv';
  if (typeof heads !== 'number' || !Number.isInteger(heads) || heads < 0)
    throw new ValueError(name, 'heads', `heads is ${shown(heads)} (expected a number of heads)`);
  if (attentionSource === undefined || attentionSource === null) return;
  const { shape } = asTensor(attentionSource, undefined, name, 'attentionSource');
  if (shape[0] !== heads) {
    const text = `attentionSource is [${shape.join(', ')}] but heads is ${heads} (expected attentionSource [H, F])`;
    throw new ShapeError(name, 'attentionSource', text);
  }
}
