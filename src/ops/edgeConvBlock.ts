import { wantsGradient } from '../autograd/tape';
import { checkGraph, type Graph } from '../graph/graph';
import { KnownOptions, shown } from '../runtime/check';
import { dtypeCode, dtypes } from '../runtime/dtype';
import { ShapeError, ValueError } from '../runtime/errors';
import { besides, onHost } from '../tensor/host';
import { shapeText } from '../tensor/shape';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';
import { batchNorm } from './batchNorm';
import { edgeConv } from './edgeConv';
import { embedding } from './embedding';
import { linear } from './linear';
import type { Layer } from './mlp';
import { setPool } from './setPool';

/** Batch normalisation of a layer's outputs. */
export interface Norm {
  /** Running statistics: used when not in training, moved towards the batch's in training. */
  mean?: TensorLike;
  variance?: TensorLike;
  weight?: TensorLike;
  bias?: TensorLike;
}

/** A dense layer without bias, whose outputs are normalised. */
export interface NormalisedLayer {
  /** `[Fout, Fin]`; further axes of length 1, as convolutions have them, do not matter. */
  weight: TensorLike;
  norm: Norm;
}

export interface EdgeConvBlockOptions {
  /**
   * Over the edges, each followed by batch normalisation and ReLU; from one to four, the first with
   * a weight `[M, 2F]`.
   */
  layers: readonly NormalisedLayer[];
  /** Over the nodes, followed by batch normalisation. Without one x itself is added. */
  shortcut?: NormalisedLayer;
  /** Added to the variances, default 1e-5. */
  eps?: number;
  /** Whether the normalisations take mean and variance from the batch (default false). */
  training?: boolean;
  /** In training, the share of the batch in the running statistics; default 0.1. */
  momentum?: number;
  /**
   * One number for each node; nodes with 0 are padding: they are left out of the normalisations,
   * and give 0.
   */
  mask?: TensorLike;
}

const name = 'edgeConvBlock';
const knownOptions = new KnownOptions('layers', 'shortcut', 'eps', 'training', 'momentum', 'mask');
const knownLayer = new KnownOptions('weight', 'norm');
const knownNorm = new KnownOptions('mean', 'variance', 'weight', 'bias');
const defaultEps = 1e-5;

function checkLayer(layer: unknown, what: string): NormalisedLayer & { weight: Tensor } {
  if (typeof layer !== 'object' || layer === null)
    throw new ValueError(name, what, `${what} is ${shown(layer)} (expected { weight, norm })`);
  knownLayer.check(layer, name, what);
  const { weight, norm } = layer as NormalisedLayer;
  if (typeof norm !== 'object' || norm === null)
    throw new ValueError(name, what, `${what} has the norm ${shown(norm)} (expected { mean, variance, weight, bias })`);
  knownNorm.check(norm, name, what);
  const given = asTensor(weight, undefined, name, what);
  const { shape } = given;
  if (shape.length < 2 || shape.slice(2).some((extent) => extent !== 1))
    throw new ShapeError(name, what, `${what} has a weight ${shapeText(shape)} (expected [Fout, Fin])`);
  return { weight: shape.length === 2 ? given : given.reshape(shape.slice(0, 2)), norm };
}

/**
 * A layer and its normalisation as one layer, worked out in float64: W' = s W, b' = bias - mean s.
 */
function folded(layer: NormalisedLayer & { weight: Tensor }, eps: number, what: string): Layer {
  const { weight, norm } = layer;
  const [outputs, inputs] = weight.shape;
  const host = (value: TensorLike, argument: string): ArrayLike<number> => {
    const made = asTensor(value, undefined, name, argument);
    if (made.size !== outputs || made.shape.length !== 1)
      throw new ShapeError(name, argument, `${argument} is ${shapeText(made.shape)} (expected [${outputs}])`);
    return onHost(made) as Float32Array;
  };
  const { mean, variance } = norm;
  if (mean === undefined || variance === undefined)
    throw new ValueError(name, what, `${what} has no mean or variance (expected both when not in training)`);
  const means = host(mean, `${what}.mean`),
    variances = host(variance, `${what}.variance`),
    weights = norm.weight === undefined ? undefined : host(norm.weight, `${what}.weight`),
    biases = norm.bias === undefined ? undefined : host(norm.bias, `${what}.bias`),
    before = onHost(weight) as Float32Array;
  const { Array: Elements } = dtypes[weight._dtype];
  const after = new Elements(before.length) as Float32Array,
    bias = new Elements(outputs) as Float32Array;
  for (let out = 0; out < outputs; ++out) {
    const scale = (weights?.[out] ?? 1) / Math.sqrt(variances[out] + eps);
    bias[out] = (biases?.[out] ?? 0) - means[out] * scale;
    for (let i = out * inputs; i < (out + 1) * inputs; ++i) after[i] = before[i] * scale;
  }
  return { weight: besides(weight, after, weight.shape), bias: besides(weight, bias) };
}

/** For every edge its target, and whether it counts: edges of no row, and into padding, do not. */
function edgesOf(graph: Graph, mask: Tensor | undefined): { targets: Tensor; counts: Tensor | undefined } {
  const { rowOffsets, sources } = graph;
  const offsets = onHost(rowOffsets) as Int32Array,
    nodes = mask && (onHost(mask) as Uint8Array);
  const targets = new Int32Array(sources.size),
    counts = new Uint8Array(sources.size);
  let counted = 0;
  for (let node = 0; node + 1 < offsets.length; ++node) {
    targets.fill(node, offsets[node], offsets[node + 1]);
    if (nodes?.[node] === 0) continue;
    counts.fill(1, offsets[node], offsets[node + 1]);
    counted += offsets[node + 1] - offsets[node];
  }
  return {
    targets: besides(sources, targets),
    counts: counted === counts.length ? undefined : besides(sources, counts),
  };
}

/** [W_1 - W_2, W_2] of [W_1, W_2], so that it applies to [x_i, x_j] instead of [x_i, x_j - x_i]. */
function forEnds(weight: Tensor): Tensor {
  const width = weight.shape[1],
    half = width / 2;
  const { Array: Elements } = dtypes[weight._dtype];
  const change = new Elements(width * width) as Float32Array;
  for (let i = 0; i < width; ++i) {
    change[i * width + i] = 1;
    if (i < half) change[i * width + i + half] = -1;
  }
  return linear(weight, besides(weight, change, [width, width]));
}

/**
 * ParticleNet's block (arXiv:1902.08570): layers over the edges, each normalised and with ReLU,
 * applied to `[x_i, x_j - x_i]`; their mean over the edges into a node, plus the shortcut; ReLU.
 * Outside training, and where no parameter wants a gradient, the normalisations are folded into the
 * layers, which then run as one {@link edgeConv}. In training the values of every edge are kept,
 * for mean and variance are over all of them.
 * @param x - `[N, F]`
 * @returns `[N, Fout]`
 * @throws ShapeError, DTypeError, ValueError
 */
export function edgeConvBlock(graph: Graph, x: TensorLike, options: EdgeConvBlockOptions): Tensor {
  knownOptions.check(options, name);
  const edges = checkGraph(graph, name);
  const { layers, shortcut, eps = defaultEps, training = false, momentum, mask } = options ?? {};
  if (!Array.isArray(layers) || layers.length === 0 || layers.length > 4)
    throw new ValueError(name, 'layers', `layers is ${shown(layers)} (expected a list of one to four layers)`);
  const all = layers.map((layer: unknown, l) => checkLayer(layer, `layers[${l}]`));
  const way = shortcut === undefined ? undefined : checkLayer(shortcut, 'shortcut');
  const input = asTensor(x, undefined, name, 'x');
  if (input.shape.length !== 2) throw new ShapeError(name, 'x', `x is ${shapeText(input.shape)} (expected [N, F])`);
  const [first] = all;
  if (first.weight.shape[1] !== 2 * input.shape[1]) {
    const text = `layers[0] has a weight ${shapeText(first.weight.shape)} (expected [Fout, ${2 * input.shape[1]}])`;
    throw new ShapeError(name, 'layers[0]', text);
  }
  const padding =
    mask === undefined ? undefined : asTensor(mask, Array.isArray(mask) ? dtypeCode['uint8'] : undefined, name, 'mask');
  if (padding && (padding.size !== input.shape[0] || padding._dtype !== dtypeCode['uint8']))
    throw new ShapeError(name, 'mask', `mask is ${padding.dtype} ${shapeText(padding.shape)} (expected uint8 [N])`);

  const together = { eps, training, momentum };
  let collected: Tensor;
  if (training || wantsGradient(all.flatMap(({ weight, norm }) => [weight, ...tensorsOf(norm)]))) {
    const { targets, counts } = edgesOf(edges, padding);
    let values = embedding(targets, input, { append: embedding(edges.sources, input) });
    all.forEach(({ weight, norm }, l) => {
      const before = linear(values, l === 0 ? forEnds(weight) : weight);
      values = batchNorm(before, { ...norm, ...together, mask: counts, activation: 'relu' });
    });
    collected = setPool({ values, offsets: edges.rowOffsets }, 'mean');
  } else {
    const merged = all.map((layer, l) => ({ ...folded(layer, eps, `layers[${l}]`), activation: 'relu' as const }));
    collected = edgeConv(edges, input, { layers: merged });
  }
  if (way) {
    const before = linear(input, way.weight);
    return batchNorm(before, { ...way.norm, ...together, mask: padding, residual: collected, activation: 'relu' });
  }
  const [zeros, ones] = [0, 1].map((value) => new dtypes[input._dtype].Array(input.shape[1]).fill(value as never));
  const statistics = {
    mean: besides(input, zeros),
    variance: besides(input, ones),
  };
  return batchNorm(input, { ...statistics, eps: 0, mask: padding, residual: collected, activation: 'relu' });
}

function tensorsOf(norm: Norm): Tensor[] {
  return [norm.weight, norm.bias].flatMap((value) =>
    value === undefined || Array.isArray(value) ? [] : [asTensor(value, undefined, name, 'norm')],
  );
}
