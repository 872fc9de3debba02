import { Kernel } from './call';
import { deviceOf } from './device';
import { type DType, dtypeCode } from './dtype';
import { toOutput } from './operation';
import { checkShape, empty, type Tensor, type TensorLike } from './tensor';

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

function generator(name: string): (shape: readonly number[], options: RandomOptions) => Tensor {
  const kernel = new Kernel(name);
  return (shape, options) => {
    checkShape(shape, undefined, 'random');
    const out =
      options.out !== undefined
        ? toOutput(options.out, 'random').reshape(shape)
        : empty(dtypeCode[options.dtype ?? 'float32'] ?? 0, [...shape], deviceOf(options.device ?? 'cpu', 'random'));
    return kernel.run([], { seed: options.seed, stream: options.stream }, [out])[0]!;
  };
}

/**
 * Uniform numbers in [0, 1), from Philox 4x32-10 (Salmon et al., SC11): the same on every device.
 * @throws ValueError for a seed that is no integer
 */
export const uniform = generator('random_uniform');

/**
 * Normal numbers of mean 0 and variance 1, from Philox 4x32-10 by Box and Muller's method.
 * @throws ValueError for a seed that is no integer
 */
export const normal = generator('random_normal');
