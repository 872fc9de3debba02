import { Operation, toOutput } from '../operation/operation';
import { shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { shapeText } from '../tensor/shape';
import { asTensor, Tensor, type TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';
import { momentsOf } from './moments';

const tensorOptions = ['mean', 'variance', 'weight', 'bias', 'mask', 'residual', 'training', 'momentum', 'moments'];
const given = new Operation('batch_norm', tensorOptions);
const training = new Operation(
  'batch_norm_training',
  tensorOptions,
  { running_mean: 'mean', running_variance: 'variance' },
  'batchNorm',
);

export interface BatchNormOptions {
  /**
   * `[C]`, mean of every channel. Updated in place in training, so it must be memory that the
   * caller keeps.
   */
  mean?: TensorLike;
  /** `[C]`, variance of every channel; in training updated in place, as `mean` is. */
  variance?: TensorLike;
  /** `[C]`; default 1. */
  weight?: TensorLike;
  /** `[C]`; default 0. */
  bias?: TensorLike;
  /** Added to the variance, default 1e-5. */
  eps?: number;
  /** Whether mean and variance are the batch's own (default false). */
  training?: boolean;
  /** In training, the share of the batch in the running mean and variance; default 0.1. */
  momentum?: number;
  /** One number for each row of x; rows with 0 are padding: they are not counted and give 0. */
  mask?: TensorLike;
  /** A tensor of the shape of x, added before the activation, as in residual blocks. */
  residual?: TensorLike;
  activation?: Activation;
  out?: TensorLike;
  /**
   * In training, mean and variance of x for every row and channel, `[B, C, 2]`, as the convolution
   * that made it gives them; default: computed here.
   */
  moments?: TensorLike;
}

/**
 * Batch normalisation (arXiv:1502.03167), over axis 1, the channels:
 * `activation((x - mean) / sqrt(variance + eps) * weight + bias + residual)`. As PyTorch's
 * batch_norm: with `training` mean and variance are the batch's own, through which gradients pass,
 * and the given ones, the running statistics, are moved towards them; otherwise the given ones are
 * used. They have no gradient.
 * @param x - `[N, C]` or `[B, C, ...]`
 * @returns a tensor of the shape of x
 * @throws ShapeError, DTypeError; ValueError without statistics when not in training
 */
export function batchNorm(x: TensorLike, options: BatchNormOptions): Tensor {
  const name = 'batchNorm';
  if (typeof options !== 'object' || options === null)
    throw new ValueError(name, 'options', `options is ${shown(options)} (expected { mean, variance })`);
  given.checkOptions(options);
  const { mean, variance, weight, bias, mask, residual, out, moments } = options;
  const { training: inTraining = false } = options;
  if (typeof inTraining !== 'boolean')
    throw new ValueError(name, 'training', `training is ${shown(inTraining)} (expected true or false)`);
  const tensor = asTensor(x, undefined, name, 'x');
  const { shape } = tensor;
  if (shape.length < 2) throw new ShapeError(name, 'x', `x is ${shapeText(shape)} (expected [N, C] or [B, C, ...])`);
  const rows = [shape[0], shape[1], shape.slice(2).reduce((product, extent) => product * extent, 1)];
  const like = (argument: string, made: Tensor): Tensor => {
    if (made.shape.length === shape.length && made.shape.every((extent, d) => extent === shape[d]))
      return made.reshape(rows);
    throw new ShapeError(
      name,
      argument,
      `${argument} is ${shapeText(made.shape)} (expected ${shapeText(shape)}, as x)`,
    );
  };
  const added =
    residual === undefined || residual === null
      ? undefined
      : like('residual', asTensor(residual, Array.isArray(residual) ? tensor._dtype : undefined, name, 'residual'));
  const to = out === undefined ? undefined : like('out', toOutput(out, name));
  const affine = [weight, bias, mask, added];
  const values = options as unknown as Record<string, unknown>;
  if (moments !== undefined && !inTraining)
    throw new ValueError(name, 'moments', 'moments is given but training is false (expected true)');
  const known = momentsOf(moments, name, shape.slice(0, 2));
  const result = inTraining
    ? training.run([tensor.reshape(rows), ...affine, known], values, to, undefined, [
        undefined,
        undefined,
        kept(mean, 'mean'),
        kept(variance, 'variance'),
      ])
    : given.run([tensor.reshape(rows), mean, variance, ...affine], values, to);
  return result.reshape(shape);
}

/** Running statistics, which are written to. */
function kept(value: TensorLike | undefined, name: string): Tensor | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) {
    const text = `${name} is a list of numbers, which could not be updated (expected a tensor or typed array)`;
    throw new ValueError('batchNorm', name, text);
  }
  return asTensor(value, undefined, 'batchNorm', name);
}
