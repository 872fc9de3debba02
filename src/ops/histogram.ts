import { Operation } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { ShapeError, ValueError } from '../runtime/errors';
import { tensor } from '../tensor/create';
import { onHost } from '../tensor/host';
import { shapeText } from '../tensor/shape';
import { asAlike, asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';

/** The bins of a variable: `{ bins, range }` for equal widths, or `edges`. */
export interface Binning {
  /** Number of bins of equal width between the two ends of `range`. */
  bins?: number;
  range?: readonly [number, number];
  /** `[B + 1]`, increasing; the outermost may be infinite. */
  edges?: ArrayLike<number> | Tensor;
}

interface CountingOptions {
  /** `[N]`, also zero or negative. Default: all 1. */
  weights?: TensorLike;
  /**
   * Values outside all bins are `'ignored'` (default), or `'clamped'`: counted in the nearest bin.
   */
  outside?: 'ignored' | 'clamped';
  /**
   * `'none'` (default): an element counts in its bin. `'linear'`: it is shared out between the two
   * bins whose centres it lies between (cloud in cell), so that the counts have a gradient in the
   * values.
   */
  spread?: 'none' | 'linear';
  /** Whether to return the sums of squared weights too (default false). */
  squares?: boolean;
}

export interface HistogramOptions extends Binning, CountingOptions {}

export interface Histogram2dOptions extends CountingOptions {
  x: Binning;
  y: Binning;
}

export interface Histogram {
  /** float64 `[B]`; has a gradient in the weights and, with `spread: 'linear'`, in the values. */
  counts: Tensor;
  /** float64 `[B + 1]` */
  edges: Tensor;
  /**
   * float64 `[B]`, with the option: the sums of squared weights, which are the variances of the
   * counts.
   */
  squares?: Tensor;
}

export interface Histogram2d {
  /** float64 `[A, B]`: bins of x by bins of y. */
  counts: Tensor;
  /** float64 `[A + 1]` */
  xEdges: Tensor;
  /** float64 `[B + 1]` */
  yEdges: Tensor;
  /** float64 `[A, B]`, with the option. */
  squares?: Tensor;
}

const operation = new Operation('histogram');
const operation2d = new Operation('histogram_2d', [], { x_edges: 'edges of x', y_edges: 'edges of y' }, 'histogram2d');
const counting = ['weights', 'outside', 'spread', 'squares'] as const;
const knownOptions = new KnownOptions('bins', 'range', 'edges', ...counting);
const knownOptions2d = new KnownOptions('x', 'y', ...counting);
const knownBinning = new KnownOptions('bins', 'range', 'edges');
const float64 = dtypeCode['float64'];
const maxBins = 2 ** 28;

/** The edges of bins of one width are those of numpy's linspace. @internal */
export function edgesOf({ bins, range, edges }: Binning, name: string, of = ''): Tensor {
  const refuse = (argument: string, found: string, expected: string): never => {
    throw new ValueError(name, argument, `${argument}${of} is ${found} (expected ${expected})`);
  };
  if (edges !== undefined) {
    if (bins !== undefined || range !== undefined)
      refuse('edges', 'given beside bins or range', 'either edges, or bins and range');
    const given = asTensor(edges as TensorLike, float64, name, 'edges');
    if (given.shape.length !== 1 || given.size < 2)
      throw new ShapeError(name, 'edges', `edges${of} is ${shapeText(given.shape)} (expected [B + 1], at least two)`);
    const made = Float64Array.from(onHost(given) as Float64Array, Number);
    for (let k = 0; k + 1 < made.length; ++k)
      if (!(made[k] < made[k + 1])) refuse('edges', `${made[k]} and then ${made[k + 1]}`, 'increasing numbers');
    return tensor(made);
  }
  if (typeof bins !== 'number' || !Number.isInteger(bins) || bins < 1 || bins > maxBins)
    return refuse('bins', shown(bins), 'a positive integer, or edges');
  const ends: unknown = range;
  if (!Array.isArray(ends) || ends.length !== 2)
    return refuse('range', shown(range), 'the first and the last edge, or edges');
  const [from, to] = ends as unknown[];
  const width = Number.isFinite(from) && Number.isFinite(to) ? ((to as number) - (from as number)) / bins : NaN;
  if (!(width > 0 && width < Infinity && (from as number) + width > (from as number)))
    return refuse('range', `[${shown(from)}, ${shown(to)}]`, 'two finite numbers that increase');
  const made = Float64Array.from({ length: bins + 1 }, (_, k) => (from as number) + k * width);
  made[bins] = to as number;
  return tensor(made);
}

/** Values as they have a gradient: only where they are shared out. */
function valuesOf(values: Tensor, options: CountingOptions): Tensor {
  return options.spread === 'linear' ? values : values.detach();
}

function count(
  kernel: Operation,
  values: Tensor[],
  weights: Tensor | undefined,
  edges: Tensor[],
  options: CountingOptions,
  name: string,
): { counts: Tensor; squares?: Tensor } {
  const { outside, spread, squares = false } = options;
  if (typeof squares !== 'boolean')
    throw new ValueError(name, 'squares', `squares is ${shown(squares)} (expected true or false)`);
  const shape = edges.map(({ size }) => size - 1);
  const found = squares ? empty(float64, shape, values[0]._device, name, 'squares') : undefined;
  const placed = edges.map((cuts) => cuts.to(values[0].device));
  const counts = kernel.run([...values, ...placed, weights], { outside, spread }, undefined, undefined, [found]);
  return found ? { counts, squares: found } : { counts };
}

/**
 * Weighted counts in bins, as numpy's `histogram`: a bin holds its lower edge, the last one its
 * upper edge too. Differentiable in the weights and, with `spread: 'linear'`, in x. Sums are
 * float64.
 * @param x - `[N]`; NaN is refused
 * @throws ShapeError, DTypeError; ValueError for NaN, infinite weights, edges that do not increase
 *   and unknown options
 */
export function histogram(x: TensorLike, options: HistogramOptions): Histogram {
  knownOptions.check(options ?? {}, 'histogram');
  const given = options ?? {};
  const edges = edgesOf(given, 'histogram');
  const made = asAlike({ x, weights: given.weights }, 'histogram');
  const values = [valuesOf(made.x, given)];
  const { counts, squares } = count(operation, values, made.weights, [edges], given, 'histogram');
  return { counts, edges, ...(squares && { squares }) };
}

/**
 * {@link histogram} of pairs, as numpy's `histogram2d`. With `spread: 'linear'` a pair is shared
 * out between four bins.
 * @param x - `[N]`; NaN is refused
 * @param y - `[N]`; NaN is refused
 * @throws ShapeError, DTypeError; ValueError for NaN, infinite weights, edges that do not increase
 *   and unknown options
 */
export function histogram2d(x: TensorLike, y: TensorLike, options: Histogram2dOptions): Histogram2d {
  const name = 'histogram2d';
  knownOptions2d.check(options ?? {}, name);
  const given: Partial<Histogram2dOptions> = options ?? {};
  const binning = (of: Binning | undefined, axis: string): Tensor => {
    if (of === undefined || of === null)
      throw new ValueError(name, axis, `${axis} is ${shown(of)} (expected { bins, range } or { edges })`);
    knownBinning.check(of, name, axis);
    return edgesOf(of, name, ` of ${axis}`);
  };
  const xEdges = binning(given.x, 'x'),
    yEdges = binning(given.y, 'y');
  const made = asAlike({ x, y, weights: given.weights }, name);
  const values = [valuesOf(made.x, given), valuesOf(made.y, given)];
  const { counts, squares } = count(operation2d, values, made.weights, [xEdges, yEdges], given, name);
  return { counts, xEdges, yEdges, ...(squares && { squares }) };
}
