import { shown } from '../runtime/check';
import { ValueError } from '../runtime/errors';
import type { Tensor, TensorLike } from '../tensor/tensor';
import { type Axis, Convolution, type Padding, paddings, type SharedOptions } from './convolution';

export interface ConvOptions extends SharedOptions {
  /**
   * Zeros around x, default 0. `'same'` keeps the extents, with the odd zero of an even kernel at
   * the end, as PyTorch and Keras do; for stride 1.
   */
  padding?: Padding | 'same' | 'valid';
}

function extents(axes: readonly Axis[], options: ConvOptions, name: string): { extent: number; before: number }[] {
  let { padding } = options;
  if (typeof padding === 'string') {
    if (padding !== 'same' && padding !== 'valid')
      throw new ValueError(name, 'padding', `padding is ${shown(padding)} (expected numbers, 'same' or 'valid')`);
    if (padding === 'same' && axes.some(({ stride }) => stride !== 1))
      throw new ValueError(name, 'padding', "padding is 'same' and stride is not 1 (expected numbers)");
    const same = padding === 'same';
    padding = axes.map(({ kernel, dilation }) => {
      const both = same ? dilation * (kernel - 1) : 0;
      return [Math.floor(both / 2), Math.ceil(both / 2)] as const;
    });
  }
  return paddings(padding, axes.length, name).map(([before, after], a) => {
    const { input, kernel, stride, dilation } = axes[a];
    return { extent: Math.floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1, before };
  });
}

const [one, two, three] = [1, 2, 3].map((rank) => new Convolution<ConvOptions>('conv', rank, extents, []));

/**
 * Convolution along one axis, `activation(bias + x * weight)`; the same result as PyTorch's conv1d.
 * @param x - `[B, Cin, W]`
 * @param weight - `[Cout, Cin / groups, k]`
 * @returns `[B, Cout, Wout]`
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function conv1d(x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor {
  return one.run(x, weight, options);
}

/**
 * Convolution along two axes, the same result as PyTorch's conv2d.
 * @param x - `[B, Cin, H, W]`
 * @param weight - `[Cout, Cin / groups, k, k]`
 * @returns `[B, Cout, Hout, Wout]`
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function conv2d(x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor {
  return two.run(x, weight, options);
}

/**
 * Convolution along three axes, the same result as PyTorch's conv3d.
 * @param x - `[B, Cin, D, H, W]`
 * @param weight - `[Cout, Cin / groups, k, k, k]`
 * @returns `[B, Cout, Dout, Hout, Wout]`
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function conv3d(x: TensorLike, weight: TensorLike, options: ConvOptions = {}): Tensor {
  return three.run(x, weight, options);
}
