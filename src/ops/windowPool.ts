import { Operation, toOutput } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { shapeText } from '../tensor/shape';
import { asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';
import { integer, perAxis, type PerAxis } from './convolution';

export interface MaxPoolOptions {
  /** Default: the window, so that windows touch. */
  stride?: PerAxis;
  /** Empty places before and after x, default 0; at most half the window. */
  padding?: PerAxis;
  /** Default 1. */
  dilation?: PerAxis;
  /** Whether windows may begin anywhere in x or before it, and end after it (default false). */
  ceilMode?: boolean;
  out?: TensorLike;
}

export interface AvgPoolOptions extends Omit<MaxPoolOptions, 'dilation'> {
  /** Whether places of the padding count in the mean, as zeros (default true, as in PyTorch). */
  countIncludePad?: boolean;
}

export interface GlobalPoolOptions {
  out?: TensorLike;
}

const axisNames = ['D', 'H', 'W'] as const;

/**
 * The windows along one axis that PyTorch has: in ceil mode the last one must begin inside x or
 * before it.
 */
function count(input: number, window: number, stride: number, padding: number, ceilMode: boolean): number {
  const beyond = input + 2 * padding - window;
  const windows = (ceilMode ? Math.ceil(beyond / stride) : Math.floor(beyond / stride)) + 1;
  return ceilMode && (windows - 1) * stride >= input + padding ? windows - 1 : windows;
}

/** One public function. */
class WindowPool {
  private readonly operation: Operation;
  private readonly name: string;
  private readonly known: KnownOptions;

  constructor(
    private readonly rank: number,
    private readonly pool: 'mean' | 'max',
  ) {
    this.name = `${pool === 'max' ? 'max' : 'avg'}Pool${rank}d`;
    this.operation = new Operation('window_pool', [], undefined, this.name);
    this.known = new KnownOptions(
      'stride',
      'padding',
      'ceilMode',
      'out',
      pool === 'max' ? 'dilation' : 'countIncludePad',
    );
  }

  run(given: TensorLike, kernel: PerAxis, options: MaxPoolOptions & AvgPoolOptions): Tensor {
    const { name, rank } = this;
    this.known.check(options, name);
    const x = asTensor(given, undefined, name, 'x');
    if (x.shape.length !== rank + 2)
      throw new ShapeError(
        name,
        'x',
        `x is ${shapeText(x.shape)} (expected ${rank + 2} dimensions: samples, channels and ${rank} more)`,
      );
    if (kernel === undefined || kernel === null)
      throw new ValueError(name, 'kernel', `kernel is ${shown(kernel)} (expected an integer, or one for each axis)`);
    const axes = (value: unknown, otherwise: number, least: number, argument: string): number[] =>
      perAxis(value, rank, otherwise, least, name, argument);
    const window = axes(kernel, 1, 1, 'kernel'),
      stride = options.stride === undefined ? window : axes(options.stride, 1, 1, 'stride'),
      padding = axes(options.padding, 0, 0, 'padding'),
      dilation = axes(options.dilation, 1, 1, 'dilation');
    const extents = window.map((size, a) => {
      if (2 * padding[a] > size)
        throw new ValueError(
          name,
          'padding',
          `padding is ${padding[a]} and kernel ${size} (expected at most half of it)`,
        );
      const spanned = dilation[a] * (size - 1) + 1;
      const extent = count(x.shape[2 + a], spanned, stride[a], padding[a], options.ceilMode === true);
      if (!(extent >= 1))
        throw new ShapeError(
          name,
          'x',
          `x is ${shapeText(x.shape)} and the kernel spans ${spanned} along axis ${2 + a} ` +
            `(expected at least as much with padding ${padding[a]} on both sides)`,
        );
      return extent;
    });
    const values: Record<string, unknown> = { pool: this.pool, countPadding: options.countIncludePad };
    axisNames.slice(3 - rank).forEach((axis, a) => {
      values[`kernel${axis}`] = window[a];
      values[`stride${axis}`] = stride[a];
      values[`padding${axis}`] = padding[a];
      values[`dilation${axis}`] = dilation[a];
    });
    return pooled(this.operation, x, extents, values, options.out);
  }
}

/** Windows over the axes after samples and channels, `extents` of them. */
function pooled(
  operation: Operation,
  x: Tensor,
  extents: readonly number[],
  values: Record<string, unknown>,
  out: TensorLike | undefined,
): Tensor {
  const name = operation.publicName;
  const [samples, channels, ...axes] = x.shape;
  const ones = new Array<number>(3 - axes.length).fill(1);
  const shape = [samples, channels, ...extents],
    inner = [samples * channels, ...ones, ...extents];
  const view = (given: Tensor): Tensor => {
    if (given.shape.length !== shape.length || given.shape.some((extent, d) => extent !== shape[d]))
      throw new ShapeError(name, 'out', `out is ${shapeText(given.shape)} (expected ${shapeText(shape)})`);
    return given.reshape(inner);
  };
  const target = out === undefined ? empty(x._dtype, inner, x._device, name, 'out') : view(toOutput(out, name));
  return operation.run([x.reshape([samples * channels, ...ones, ...axes])], values, target).reshape(shape);
}

const averages = [1, 2, 3].map((rank) => new WindowPool(rank, 'mean')),
  maxima = [1, 2, 3].map((rank) => new WindowPool(rank, 'max'));

/**
 * The mean of every window along one axis; the same result as PyTorch's AvgPool1d.
 * @param x - `[B, C, W]`
 * @param kernel - the window's extent
 * @returns `[B, C, Wout]`
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function avgPool1d(x: TensorLike, kernel: PerAxis, options: AvgPoolOptions = {}): Tensor {
  return averages[0].run(x, kernel, options);
}

/** `avgPool1d` along two axes, PyTorch's AvgPool2d: `[B, C, H, W]` gives `[B, C, Hout, Wout]`. */
export function avgPool2d(x: TensorLike, kernel: PerAxis, options: AvgPoolOptions = {}): Tensor {
  return averages[1].run(x, kernel, options);
}

/**
 * `avgPool1d` along three axes, PyTorch's AvgPool3d: `[B, C, D, H, W]` gives `[B, C, Dout, Hout,
 * Wout]`.
 */
export function avgPool3d(x: TensorLike, kernel: PerAxis, options: AvgPoolOptions = {}): Tensor {
  return averages[2].run(x, kernel, options);
}

/**
 * The largest number of every window along one axis; the same result as PyTorch's MaxPool1d. NaN
 * where the window has one. The gradient goes to the first of equal numbers.
 * @param x - `[B, C, W]`
 * @param kernel - the window's extent
 * @returns `[B, C, Wout]`
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function maxPool1d(x: TensorLike, kernel: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return maxima[0].run(x, kernel, options);
}

/** `maxPool1d` along two axes, PyTorch's MaxPool2d: `[B, C, H, W]` gives `[B, C, Hout, Wout]`. */
export function maxPool2d(x: TensorLike, kernel: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return maxima[1].run(x, kernel, options);
}

/**
 * `maxPool1d` along three axes, PyTorch's MaxPool3d: `[B, C, D, H, W]` gives `[B, C, Dout, Hout,
 * Wout]`.
 */
export function maxPool3d(x: TensorLike, kernel: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return maxima[2].run(x, kernel, options);
}

const kinds = ['sum', 'mean', 'max', 'min'] as const;
const globalOptions = new KnownOptions('out');
const globally = new Operation('window_pool', [], undefined, 'globalPool');

/**
 * One number for each channel: sum, mean, largest or smallest over all places; PyTorch's
 * AdaptiveAvgPool and AdaptiveMaxPool with an output of 1. Nothing to pool gives 0.
 * @param x - `[B, C, ...]` with one to three axes of places
 * @returns `[B, C]`
 * @throws ShapeError, DTypeError; ValueError for an unknown kind
 */
export function globalPool(x: TensorLike, pool: (typeof kinds)[number], options: GlobalPoolOptions = {}): Tensor {
  const name = globally.publicName;
  globalOptions.check(options, name);
  const given = asTensor(x, undefined, name, 'x');
  if (!kinds.includes(pool))
    throw new ValueError(
      name,
      'pool',
      `pool is ${shown(pool)} (expected ${kinds.map((kind) => `'${kind}'`).join(', ')})`,
    );
  const [samples, channels, ...axes] = given.shape;
  if (axes.length < 1 || axes.length > 3)
    throw new ShapeError(
      name,
      'x',
      `x is ${shapeText(given.shape)} (expected samples, channels and one to three axes of places)`,
    );
  const places = axes.reduce((product, extent) => product * extent, 1);
  // A row of places: they are neighbours in memory, whatever their axes.
  const values = { pool, kernelW: integer(Math.max(places, 1), 1, name, 'x') };
  const out = options.out === undefined ? undefined : toOutput(options.out, name);
  if (out && (out.shape.length !== 2 || out.shape[0] !== samples || out.shape[1] !== channels))
    throw new ShapeError(name, 'out', `out is ${shapeText(out.shape)} (expected [${samples}, ${channels}])`);
  const target = out?.reshape([samples, channels, 1]);
  return pooled(globally, given.reshape([samples, channels, places]), [1], values, target).reshape([samples, channels]);
}
