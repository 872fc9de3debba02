import { Operation, toOutput } from '../operation/operation';
import { shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';
import { momentsOf } from './moments';

const operation = new Operation('layer_norm', ['axes', 'weight', 'bias', 'moments']);

export interface LayerNormOptions {
  /** The last axes of x, which are normalised together: `[-1]`, or `[1, 2, 3]` of four. */
  axes: readonly number[];
  /** Of the shape of those axes; default 1. */
  weight?: TensorLike;
  /** Of the shape of those axes; default 0. */
  bias?: TensorLike;
  /** Added to the variance, default 1e-5. */
  eps?: number;
  activation?: Activation;
  out?: TensorLike;
  /**
   * Mean and variance of x over those axes, `[..., 2]`, as the convolution that made it gives them;
   * default: computed here. Gradients pass through x in either case.
   */
  moments?: TensorLike;
}

/**
 * Layer normalisation (arXiv:1607.06450): `activation((x - mean) / sqrt(variance + eps) * weight +
 * bias)` with mean and variance over the last axes. The same result as PyTorch's layer_norm.
 * @returns a tensor of the shape of x
 * @throws ShapeError, DTypeError; ValueError for axes that are not the last ones
 */
export function layerNorm(x: TensorLike, options: LayerNormOptions): Tensor {
  const name = 'layerNorm';
  if (typeof options !== 'object' || options === null)
    throw new ValueError(name, 'options', `options is ${shown(options)} (expected { axes })`);
  operation.checkOptions(options);
  const { axes, weight, bias, out, moments } = options;
  const tensor = asTensor(x, undefined, name, 'x');
  const count = lastAxes(axes, tensor.shape);
  const values = options as unknown as Record<string, unknown>;
  const known = momentsOf(moments, name, tensor.shape.slice(0, tensor.shape.length - count));
  if (count === 1) return operation.run([tensor, weight, bias, known], values, out);
  const normalised = tensor.shape.slice(tensor.shape.length - count);
  const width = normalised.reduce((product, extent) => product * extent, 1);
  const leading = tensor.shape.slice(0, tensor.shape.length - normalised.length);
  const flat = (value: TensorLike | undefined, argument: string): Tensor | undefined => {
    if (value === undefined || value === null) return undefined;
    const given = asTensor(value, Array.isArray(value) ? tensor._dtype : undefined, name, argument);
    if (given.shape.length === normalised.length && given.shape.every((extent, d) => extent === normalised[d]))
      return given.reshape([width]);
    const text = `${argument} is [${given.shape.join(', ')}] but x is [${tensor.shape.join(', ')}]`;
    throw new ShapeError(name, argument, `${text} (expected ${argument} [${normalised.join(', ')}])`);
  };
  const rows = [...leading, width];
  const result = operation.run(
    [tensor.reshape(rows), flat(weight, 'weight'), flat(bias, 'bias'), known],
    values,
    out === undefined ? undefined : outputRows(out, tensor.shape, rows),
  );
  return result.reshape(tensor.shape);
}

function outputRows(out: TensorLike, shape: readonly number[], rows: number[]): Tensor {
  const given = toOutput(out, 'layerNorm');
  if (given.shape.length === shape.length && given.shape.every((extent, d) => extent === shape[d]))
    return given.reshape(rows);
  const text = `out is [${given.shape.join(', ')}] (expected [${shape.join(', ')}], as x)`;
  throw new ShapeError('layerNorm', 'out', text);
}

/** How many of the last axes these are. */
function lastAxes(axes: unknown, shape: readonly number[]): number {
  const rank = shape.length;
  const text = Array.isArray(axes) && axes.every(Number.isInteger) ? `[${axes.join(', ')}]` : shown(axes);
  const refuse = (expected: string): never => {
    throw new ValueError('layerNorm', 'axes', `axes is ${text} (expected ${expected})`);
  };
  if (!Array.isArray(axes) || axes.length === 0) return refuse('a list of the last axes of x, such as [-1]');
  const wanted = `the last axes of x, which is [${shape.join(', ')}]`;
  const places = axes.map((axis: unknown) => {
    if (typeof axis !== 'number' || !Number.isInteger(axis) || axis < -rank || axis >= rank) return refuse(wanted);
    return axis < 0 ? axis + rank : axis;
  });
  const sorted = [...new Set(places)].sort((a, b) => a - b);
  if (sorted.length !== places.length || sorted[0] !== rank - sorted.length) return refuse(wanted);
  return sorted.length;
}
