import { Kernel } from './call';
import { deviceOf } from './device';
import { KnownOptions } from './check';
import { type DType } from './dtype';
import { ValueError } from './errors';
import { toOutput } from './operation';
import { checkShape, codeOf, empty, type Tensor, type TensorLike } from './tensor';

export interface RandomOptions {
  /** Key of the generator, below 2^64 (a bigint from 2^53 on). */
  seed: number | bigint;
  /** Independent numbers for the same seed. Default 0. */
  stream?: number | bigint;
  /** `'float32'` (default) or `'float64'`. */
  dtype?: DType;
  device?: string;
  out?: TensorLike;
}

const knownOptions = new KnownOptions('seed', 'stream', 'dtype', 'device', 'out');

function generator(name: string, as: string): (shape: readonly number[], options: RandomOptions) => Tensor {
  const kernel = new Kernel(name, { y: 'out' }, as);
  return (shape, options) => {
    checkShape(shape, undefined, as);
    if (options === undefined) throw new ValueError(as, 'seed', 'seed is missing (expected { seed })');
    knownOptions.check(options, as);
    const { seed, stream, out, dtype = 'float32', device = 'cpu' } = options;
    if (seed === undefined) throw new ValueError(as, 'seed', 'seed is missing (expected an integer)');
    const made =
      out === undefined ? empty(codeOf(dtype, as), [...shape], deviceOf(device, as)) : toOutput(out, as).reshape(shape);
    return kernel.run([], { seed, stream }, [made])[0]!;
  };
}

/**
 * Uniform numbers in [0, 1), from Philox 4x32-10 (Salmon et al., SC11): the same on every device.
 * @throws ValueError for a seed that is no integer
 */
export const uniform = generator('random_uniform', 'random.uniform');

/**
 * Normal numbers of mean 0 and variance 1, from Philox 4x32-10 by Box and Muller's method.
 * @throws ValueError for a seed that is no integer
 */
export const normal = generator('random_normal', 'random.normal');
