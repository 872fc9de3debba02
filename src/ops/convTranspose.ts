import { ShapeError, ValueError } from '../runtime/errors';
import type { Tensor, TensorLike } from '../tensor/tensor';
import {
  type Axis,
  Convolution,
  type Padding,
  paddings,
  type PerAxis,
  perAxis,
  type SharedOptions,
} from './convolution';

export interface ConvTransposeOptions extends SharedOptions {
  /** What is cropped from the result, default 0. */
  padding?: Padding;
  /** Extra places at the end, default 0; must be below stride or dilation. */
  outputPadding?: PerAxis;
  /** The result's extents, instead of `outputPadding`. */
  outputSize?: PerAxis;
}

function extents(
  axes: readonly Axis[],
  options: ConvTransposeOptions,
  name: string,
): { extent: number; before: number }[] {
  const { length } = axes;
  const more = perAxis(options.outputPadding, length, 0, 0, name, 'outputPadding');
  const wanted =
    options.outputSize === undefined ? undefined : perAxis(options.outputSize, length, 0, 0, name, 'outputSize');
  if (wanted && options.outputPadding !== undefined)
    throw new ValueError(name, 'outputSize', 'outputSize and outputPadding are both given (expected one of them)');
  return paddings(options.padding, length, name).map(([before, after], a) => {
    const { input, kernel, stride, dilation } = axes[a];
    const least = (input - 1) * stride - before - after + dilation * (kernel - 1) + 1;
    const room = Math.max(stride, dilation);
    if (more[a] >= room)
      throw new ValueError(
        name,
        'outputPadding',
        `outputPadding is ${more[a]} (expected less than stride ${stride} or dilation ${dilation})`,
      );
    if (wanted && (wanted[a] < least || wanted[a] >= least + room))
      throw new ShapeError(
        name,
        'outputSize',
        `outputSize is ${wanted[a]} along axis ${2 + a} (expected ${least} to ${least + room - 1})`,
      );
    return { extent: wanted ? wanted[a] : least + more[a], before };
  });
}

const [one, two, three] = [1, 2, 3].map(
  (rank) => new Convolution<ConvTransposeOptions>('conv_transpose', rank, extents, ['outputPadding', 'outputSize']),
);

/**
 * Transposed convolution along one axis, the adjoint of {@link conv1d} with the same weight; the
 * same result as PyTorch's conv_transpose1d.
 * @param x - `[B, Cin, W]`
 * @param weight - `[Cin, Cout / groups, k]`
 * @returns `[B, Cout, (W - 1) stride - padding before and after + dilation (k - 1) + 1 +
 *   outputPadding]`
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function convTranspose1d(x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor {
  return one.run(x, weight, options);
}

/**
 * Transposed convolution along two axes, the adjoint of {@link conv2d}; the same result as
 * PyTorch's conv_transpose2d.
 * @param x - `[B, Cin, H, W]`
 * @param weight - `[Cin, Cout / groups, k, k]`
 * @returns `[B, Cout, Hout, Wout]`
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function convTranspose2d(x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor {
  return two.run(x, weight, options);
}

/**
 * Transposed convolution along three axes, the adjoint of {@link conv3d}; the same result as
 * PyTorch's conv_transpose3d.
 * @param x - `[B, Cin, D, H, W]`
 * @param weight - `[Cin, Cout / groups, k, k, k]`
 * @returns `[B, Cout, Dout, Hout, Wout]`
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function convTranspose3d(x: TensorLike, weight: TensorLike, options: ConvTransposeOptions = {}): Tensor {
  return three.run(x, weight, options);
}
