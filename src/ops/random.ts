import { Kernel } from '../operation/kernel';
import { toOutput } from '../operation/operation';
import { KnownOptions } from '../runtime/check';
import { deviceOf } from '../runtime/device';
import { codeOf, type DType } from '../runtime/dtype';
import { ValueError } from '../runtime/errors';
import { checkShape } from '../tensor/shape';
import { empty, type Tensor, type TensorLike } from '../tensor/tensor';

export interface RandomOptions {
  /** Key of the generator, below 2^64 (a bigint from 2^53 on). */
  seed: number | bigint;
  /** Independent numbers for the same seed. Default 0. */
  stream?: number | bigint;
  /**
   * So many numbers belong to `stream`, as many behind them to the next one, and so on modulo 2^64:
   * each row of a matrix is what a call of its own would draw. Default 0: all belong to `stream`.
   */
  perStream?: number | bigint;
  /** `'float32'` (default) or `'float64'`. */
  dtype?: DType;
  device?: string;
  out?: TensorLike;
}

export interface UniformOptions extends RandomOptions {
  /** Default 0. */
  low?: number;
  /** Not below `low`; default 1. */
  high?: number;
}

export interface NormalOptions extends RandomOptions {
  /** Default 0. */
  mean?: number;
  /** The standard deviation, not negative; default 1. */
  deviation?: number;
}

/**
 * @param names - of the options that only this distribution has
 */
function generator<Options extends RandomOptions>(
  name: string,
  as: string,
  names: readonly string[],
): (shape: readonly number[], options: Options) => Tensor {
  const kernel = new Kernel(name, { y: 'out' }, as);
  const knownOptions = new KnownOptions('seed', 'stream', 'perStream', ...names, 'dtype', 'device', 'out');
  return (shape, options) => {
    checkShape(shape, undefined, as);
    if (options === undefined) throw new ValueError(as, 'seed', 'seed is missing (expected { seed })');
    knownOptions.check(options, as);
    const { seed, stream, perStream, out, dtype = 'float32', device = 'cpu', ...range } = options;
    if (seed === undefined) throw new ValueError(as, 'seed', 'seed is missing (expected an integer)');
    const made =
      out === undefined
        ? empty(codeOf(dtype, as), [...shape], deviceOf(device, as), as, 'shape')
        : toOutput(out, as).reshape(shape);
    return kernel.run([], { seed, stream, perStream, ...range }, [made])[0]!;
  };
}

/**
 * Uniform numbers u in [0, 1), from Philox 4x32-10 (Salmon et al., SC11): the same on every device.
 * With `low` and `high` low + (high - low) u, which rounding may make `high`.
 * @throws ValueError for a seed that is not an integer, limits that are not finite, a `high` below
 *   `low`
 */
export const uniform = generator<UniformOptions>('random_uniform', 'random.uniform', ['low', 'high']);

/**
 * Normal numbers of mean 0 and variance 1, or of the given `mean` and `deviation`, from Philox
 * 4x32-10 by Box and Muller's method.
 * @throws ValueError for a seed that is not an integer, a mean that is not finite, a deviation that
 *   is not or is negative
 */
export const normal = generator<NormalOptions>('random_normal', 'random.normal', ['mean', 'deviation']);
