import { Operation, toOutput } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { besides } from '../tensor/host';
import { shapeText } from '../tensor/shape';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';
import { embedding } from './embedding';
import { momentsOf } from './moments';

export interface InstanceNormOptions {
  /** `[C]`; default 1. */
  weight?: TensorLike;
  /** `[C]`; default 0. */
  bias?: TensorLike;
  /** Added to the variance, default 1e-5. */
  eps?: number;
  activation?: Activation;
  out?: TensorLike;
  /**
   * Mean and variance of x, `[B, C, 2]`, as the convolution that made it gives them; default:
   * computed here.
   */
  moments?: TensorLike;
}

const name = 'instanceNorm';
// Every channel of every sample is a channel of its own of one long sample.
const operation = new Operation('batch_norm_training', [], undefined, name);
const known = new KnownOptions('weight', 'bias', 'eps', 'activation', 'out', 'moments');

/**
 * Instance normalisation (arXiv:1607.08022): `activation((x - mean) / sqrt(variance + eps) * weight
 * + bias)` with mean and variance over all places of one channel of one sample. The same result as
 * PyTorch's InstanceNorm1d, 2d and 3d, which have no weight and bias by default.
 * @param x - `[B, C, ...]` with at least one axis of places
 * @returns a tensor of the shape of x
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function instanceNorm(x: TensorLike, options: InstanceNormOptions = {}): Tensor {
  if (typeof options !== 'object' || options === null)
    throw new ValueError(name, 'options', `options is ${shown(options)} (expected { weight, bias })`);
  known.check(options, name);
  const given = asTensor(x, undefined, name, 'x');
  const { shape } = given;
  if (shape.length < 3)
    throw new ShapeError(name, 'x', `x is ${shapeText(shape)} (expected [B, C, ...], with axes of places)`);
  const [samples, channels, ...axes] = shape;
  const rows = [1, samples * channels, axes.reduce((product, extent) => product * extent, 1)];
  let channelOf: Tensor | undefined;
  const repeated = (value: TensorLike | undefined, argument: string): Tensor | undefined => {
    if (value === undefined || value === null) return undefined;
    const one = asTensor(value, Array.isArray(value) ? given._dtype : undefined, name, argument);
    if (one.shape.length !== 1 || one.shape[0] !== channels)
      throw new ShapeError(
        name,
        argument,
        `${argument} is ${shapeText(one.shape)} but x is ${shapeText(shape)} (expected ${argument} [${channels}])`,
      );
    if (samples === 1) return one;
    channelOf ??= besides(
      given,
      Int32Array.from({ length: rows[1] }, (_, row) => row % channels),
    );
    return embedding(channelOf, one.reshape([channels, 1])).reshape([rows[1]]);
  };
  const { weight, bias, out, eps, activation, moments } = options;
  const to = out === undefined ? undefined : toOutput(out, name);
  if (to && (to.shape.length !== shape.length || to.shape.some((extent, d) => extent !== shape[d])))
    throw new ShapeError(name, 'out', `out is ${shapeText(to.shape)} (expected ${shapeText(shape)}, as x)`);
  const inputs = [given.reshape(rows), repeated(weight, 'weight'), repeated(bias, 'bias')];
  const ofChannels = momentsOf(moments, name, shape.slice(0, 2), rows.slice(0, 2));
  const result = operation.run([...inputs, undefined, undefined, ofChannels], { eps, activation }, to?.reshape(rows));
  return result.reshape(shape);
}
