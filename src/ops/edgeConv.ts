import { checkGraph, type Graph, transposeOf } from '../graph/graph';
import { Operation } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { ValueError } from '../runtime/errors';
import type { Tensor, TensorLike } from '../tensor/tensor';
import type { Layer } from './mlp';

const operation = new Operation('edge_conv', ['layers']);
const knownLayer = new KnownOptions('weight', 'bias', 'activation');
const maxLayers = 4;

export interface EdgeConvOptions {
  /** One to four layers; the first has the weight `[M, 2F]`. */
  layers: readonly Layer[];
  /** How the edges into a node are reduced (default `'mean'`). */
  reduce?: 'mean' | 'max';
  out?: TensorLike;
}

function checkLayers(layers: unknown): readonly Layer[] {
  if (!Array.isArray(layers) || layers.length === 0 || layers.length > maxLayers) {
    const text = `layers is ${shown(layers)} (expected a list of one to ${maxLayers} layers)`;
    throw new ValueError('edgeConv', 'layers', text);
  }
  layers.forEach((layer: unknown, index) => {
    const name = `layers[${index}]`;
    if (layer === undefined)
      throw new ValueError('edgeConv', name, `${name} is missing (expected { weight, bias, activation })`);
    knownLayer.check(layer, 'edgeConv', name);
  });
  return layers as readonly Layer[];
}

/**
 * Convolution of dynamic graph networks (arXiv:1801.07829), the block of ParticleNet
 * (arXiv:1902.08570): the layers are applied to `[x_i, x_j - x_i]` for every edge from j to i, and
 * reduced over the edges of i; a node without edges gets 0. The same result as PyTorch Geometric's
 * EdgeConv.
 * @param x - `[N, F]`
 * @returns `[N, Fout]` of the last layer
 * @throws ShapeError, DTypeError; ValueError for an edge outside the nodes, and unless there are
 *   one to four layers
 */
export function edgeConv(graph: Graph, x: TensorLike, options: EdgeConvOptions): Tensor {
  operation.checkOptions(options, ['reduce']);
  const { rowOffsets, sources } = checkGraph(graph, 'edgeConv');
  const layers = checkLayers((options as EdgeConvOptions | undefined)?.layers);
  const inputs: (TensorLike | undefined)[] = [rowOffsets, sources, x];
  const values: Record<string, unknown> = { reduce: options.reduce };
  for (let l = 0; l < maxLayers; ++l) {
    const layer: Layer | undefined = layers[l];
    inputs.push(layer?.weight, layer?.bias);
    values[`activation${l}`] = layer?.activation;
  }
  return operation.run(inputs, values, options.out, transposeOf(graph));
}
