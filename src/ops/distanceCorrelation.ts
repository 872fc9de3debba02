import { record, wantsGradient } from '../autograd/tape';
import { Kernel } from '../operation/kernel';
import { Operation } from '../operation/operation';
import { addTo } from '../runtime/accumulate';
import { KnownOptions } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import type { OptionValues } from '../runtime/plan';
import { besides } from '../tensor/host';
import { indices, Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { asAlike, asTensor, filled, type Tensor, type TensorLike } from '../tensor/tensor';

/** Options shared by the distance covariance and correlation. */
export interface DistanceOptions {
  /** `[n]`, also zero or negative. Default: all equal. */
  weights?: TensorLike;
  /**
   * `'biased'` (default): the V-statistic, what DisCo and `dcor` compute. `'unbiased'`: the
   * U-statistic, without weights; it may be negative.
   */
  estimator?: 'biased' | 'unbiased';
  /**
   * `'normalized'` (default): weights are divided by their sum. `'given'`: they are used unchanged,
   * as in the DisCo code, which expects their sum to be n.
   */
  weightSum?: 'normalized' | 'given';
  /**
   * int32 `[n]`: `argsort(y)`, for a y of one coordinate that stays the same over many calls, such
   * as the masses of a training sample. It is checked: an order that does not sort y is a
   * ValueError.
   */
  order?: TensorLike;
  out?: TensorLike;
}

export interface DistanceCorrelationOptions extends DistanceOptions {
  /** 1 (default): the squared distance correlation; otherwise this power of it. */
  power?: number;
}

const operation = new Operation('distance_correlation', ['weights', 'order']);
const withGradient = new Kernel('distance_correlation_backward');
const multivariate = new Kernel('multivariate_distance_correlation_forward', undefined, 'distanceCorrelation');
const multivariateWithGradient = new Kernel(
  'multivariate_distance_correlation_backward',
  undefined,
  'distanceCorrelation',
);
const correlationOptions = new KnownOptions('weights', 'estimator', 'weightSum', 'order', 'power', 'out');
const covarianceOptions = new KnownOptions('weights', 'estimator', 'weightSum', 'order', 'out');

/**
 * Distance correlation of two variables (Székely, Rizzo, Bakirov, Ann. Statist. 35, 2769), squared
 * as in DisCo (arXiv:2001.05310): 0 for independent variables, 1 for linearly dependent ones.
 * Differentiable in x, y and weights; value and gradient in O(n log n). Points of several
 * coordinates are compared by their Euclidean distances, in O(n²) time and O(n) memory. A constant
 * variable gives 0.
 * @param x - `[n]` or `[n, d]`, finite numbers
 * @param y - `[n]` or `[n, e]`
 * @returns a float64 scalar
 * @throws ShapeError, DTypeError; ValueError for NaN, infinities and unknown options
 */
export function distanceCorrelation(x: TensorLike, y: TensorLike, options?: DistanceCorrelationOptions): Tensor {
  correlationOptions.check(options, 'distanceCorrelation');
  return ofTwo(x, y, options, 'distanceCorrelation', 'correlation');
}

/**
 * Squared distance covariance of two variables, as {@link distanceCorrelation}.
 * @param x - `[n]` or `[n, d]`, finite numbers
 * @param y - `[n]` or `[n, e]`
 * @returns a float64 scalar
 */
export function distanceCovariance(x: TensorLike, y: TensorLike, options?: DistanceOptions): Tensor {
  covarianceOptions.check(options, 'distanceCovariance');
  return ofTwo(x, y, options, 'distanceCovariance', 'covariance');
}

/**
 * {@link distanceCorrelation} of many variables with one, in every event or bin of a ragged list: y
 * is sorted once for all of them.
 * @param x - `[K, N]`
 * @param y - `[N]`, or a ragged list of `[N]`: the sets, for example bins of mass
 * @returns float64 `[K, B]`, with B = 1 when y is one set
 * @throws ShapeError, DTypeError; ValueError for NaN, infinities and unknown options
 */
export function distanceCorrelations(
  x: TensorLike,
  y: TensorLike | Ragged | RaggedLike,
  options?: DistanceCorrelationOptions,
): Tensor {
  correlationOptions.check(options, 'distanceCorrelations');
  const isList = y instanceof Ragged || (typeof y === 'object' && y !== null && 'offsets' in y && 'values' in y);
  const given = { x, y: isList ? y.values : y, weights: options?.weights };
  const { x: variables, y: values, weights } = asAlike(given, 'distanceCorrelations');
  const offsets = isList
    ? indices(y.offsets, 'distanceCorrelations', 'offsets')
    : oneSet(values, 'distanceCorrelations');
  const order = orderOf(options, 'distanceCorrelations');
  const inputs = [variables, values, weights, offsets, order];
  return operation.run(inputs, kernelOptions(options, 'correlation'), options?.out);
}

function kernelOptions(options: DistanceCorrelationOptions | undefined, quantity: string): OptionValues {
  const { power, estimator, weightSum } = options ?? {};
  return { power, estimator, weightSum, quantity };
}

function orderOf(options: DistanceOptions | undefined, name: string): Tensor | undefined {
  return options?.order === undefined ? undefined : indices(options.order, name, 'order');
}

function oneSet(y: Tensor, name: string): Tensor {
  if (y.shape.length !== 1) throw new ShapeError(name, 'y', `y is ${shapeText(y.shape)} (expected [n])`);
  return besides(y, Int32Array.of(0, y.size));
}

/** How many coordinates a variable has: `[n]` and `[n, 1]` have one. */
function coordinates(z: Tensor, name: string, argument: string): number {
  if (z.shape.length === 1) return 1;
  if (z.shape.length === 2) return z.shape[1];
  throw new ShapeError(name, argument, `${argument} is ${shapeText(z.shape)} (expected [n] or [n, d])`);
}

function ofTwo(
  first: TensorLike,
  second: TensorLike,
  options: DistanceCorrelationOptions | undefined,
  name: string,
  quantity: string,
): Tensor {
  const { x, y, weights } = asAlike({ x: first, y: second, weights: options?.weights }, name);
  const several = coordinates(x, name, 'x') !== 1 || coordinates(y, name, 'y') !== 1;
  const settings = kernelOptions(options, quantity);
  const matrix = (z: Tensor): Tensor => (z.shape.length === 2 ? z : z.reshape([z.size, 1]));
  const flat = several ? undefined : y.reshape([y.size]);
  const order = orderOf(options, name);
  if (order && several)
    throw new ValueError(name, 'order', 'order is given for points of several coordinates (expected x and y of one)');
  const inputs = flat
    ? [x.reshape([1, x.size]), flat, weights, oneSet(flat, name), order]
    : [matrix(x), matrix(y), weights];
  const shape = several ? [] : [1, 1];
  if (!wantsGradient([x, y, weights])) {
    const out = options?.out === undefined ? undefined : asTensor(options.out, undefined, name, 'out').reshape(shape);
    const value = several ? multivariate.run(inputs, settings, [out])[0]! : operation.run(inputs, settings, out);
    return value.reshape([]);
  }
  if (options?.out !== undefined)
    throw new ValueError(name, 'out', 'out cannot be written where a gradient is wanted (leave it out)');

  // Value and gradient share nearly all their work: both are computed now, and backward only
  // multiplies.
  const needed = [x, y, weights].map((input) => input?._requiresGrad ?? false);
  const one = besides(x, Float64Array.of(1), shape);
  const kernel = several ? multivariateWithGradient : withGradient;
  const [value, ...gradients] = kernel.run([...inputs, one], settings, undefined, [true, ...needed]);
  return record(value!.reshape([]), [x, y, weights], (gradient) => {
    const factor = gradient.item();
    return [x, y, weights].map((input, i) => {
      const found = gradients[i];
      if (!input || !found || !needed[i]) return undefined;
      const scaled = filled(found, 0, 'backward', 'gradient');
      addTo(found, scaled, factor);
      return scaled.reshape(input.shape);
    });
  });
}
