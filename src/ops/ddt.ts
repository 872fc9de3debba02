import { KnownOptions, shown } from '../runtime/check';
import { dtypes } from '../runtime/dtype';
import { ValueError } from '../runtime/errors';
import { copy } from '../runtime/frame';
import { afterwards } from '../runtime/queue';
import { tensor } from '../tensor/create';
import { besides, onHost } from '../tensor/host';
import { empty, type Tensor, type TensorLike } from '../tensor/tensor';
import { argsort } from './argsort';
import { type Binning, edgesOf } from './histogram';
import { column, labelsOf } from './inverseJsd';

export interface DdtOptions extends Binning {
  /** Share of background to keep everywhere, above 0 and below 1. */
  efficiency: number;
  /**
   * `[N]`: 0 background, 1 signal; cuts are found from background alone. Default: all is
   * background.
   */
  labels?: TensorLike;
  /** `[N]`, not below 0. Default: all 1. */
  weights?: TensorLike;
}

export interface Ddt {
  /** `[N]`: the score minus the cut at the element's variable: elements at or above 0 pass. */
  scores: Tensor;
  /** float64 `[B]`: centres of the bins. */
  centres: Tensor;
  /** float64 `[B]`: the cut at the centre of each bin, NaN in bins without background. */
  cuts: Tensor;
}

const name = 'ddt';
const knownOptions = new KnownOptions('efficiency', 'labels', 'weights', 'bins', 'range', 'edges');

/** How many of the increasing numbers are at most `value`. */
function upTo(value: number, numbers: ArrayLike<number>): number {
  let low = 0,
    high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bin of a number, -1 outside; the last edge is inside. */
function binOf(value: number, edges: Float64Array): number {
  const last = edges.length - 1;
  return value >= edges[0] && value <= edges[last] ? Math.min(upTo(value, edges), last) - 1 : -1;
}

function centresOf(edges: Float64Array): Float64Array {
  return Float64Array.from({ length: edges.length - 1 }, (_, bin) => {
    const [low, high] = [edges[bin], edges[bin + 1]];
    return Number.isFinite(low) && Number.isFinite(high) ? low + (high - low) / 2 : Number.isFinite(low) ? low : high;
  });
}

/**
 * By bin the highest score that keeps at least the wanted share of the weight. `bins` is -1 for
 * elements that do not count.
 */
function cutsOf(
  scores: ArrayLike<number>,
  order: ArrayLike<number>,
  bins: Int32Array,
  weight: (i: number) => number,
  count: number,
  efficiency: number,
): Float64Array {
  const whole = new Float64Array(count),
    kept = new Float64Array(count),
    cuts = new Float64Array(count).fill(NaN);
  bins.forEach((bin, i) => {
    if (bin >= 0) whole[bin] += weight(i);
  });
  for (let k = 0; k < order.length; ++k) {
    const i = order[k],
      bin = bins[i];
    if (bin < 0 || !Number.isNaN(cuts[bin]) || !(whole[bin] > 0)) continue;
    kept[bin] += weight(i);
    if (kept[bin] >= efficiency * whole[bin]) cuts[bin] = scores[i];
  }
  return cuts;
}

/**
 * The straight line between neighbouring cuts, constant beyond the outermost; NaN where there is
 * none.
 */
function cutAt(value: number, centres: readonly number[], cuts: readonly number[]): number {
  const after = upTo(value, centres);
  if (after === 0 || after === centres.length) return (after === 0 ? cuts[0] : cuts[after - 1]) ?? NaN;
  const share = (value - centres[after - 1]) / (centres[after] - centres[after - 1]);
  return cuts[after - 1] + share * (cuts[after] - cuts[after - 1]);
}

/**
 * Designed decorrelated taggers (DDT, J. Dolen et al., arXiv:1603.00027): from every score,
 * subtracts the cut that keeps a fixed share of background at the element's variable, so that the
 * cut at 0 keeps the same share everywhere and sculpts nothing. The cut is found in bins, a
 * straight line between their centres, constant beyond the outermost. Background outside all bins
 * and bins without background do not count; without any background the scores become NaN. It has no
 * gradient.
 * @param scores - `[N]`, NaN is refused
 * @param variable - `[N]`: for example the mass
 * @throws ShapeError, DTypeError; ValueError for NaN, weights below 0, invalid bins, and unknown
 *   options
 */
export function ddt(scores: TensorLike, variable: TensorLike, options: DdtOptions): Ddt {
  knownOptions.check(options, name);
  const { efficiency, labels, weights, ...binning } = options ?? {};
  if (typeof efficiency !== 'number' || !(efficiency > 0 && efficiency < 1))
    throw new ValueError(name, 'efficiency', `efficiency is ${shown(efficiency)} (expected a number between 0 and 1)`);
  const edges = onHost(edgesOf(binning, name)) as Float64Array;
  const given = column(scores, undefined, name, 'scores'),
    values = column(variable, given, name, 'variable').to('cpu');
  const bytes = labels === undefined ? undefined : labelsOf(labels, given, name);
  const own = weights === undefined ? undefined : (onHost(column(weights, given, name, 'weights')) as Float64Array);
  const negative = own ? own.findIndex((weight) => weight < 0) : -1;
  if (negative >= 0)
    throw new ValueError(name, 'weights', `weights has ${own![negative]} at position ${negative} (expected 0 or more)`);

  const order = argsort(given, { descending: true }).to('cpu'),
    before = given.to('cpu');
  const result = empty(given._dtype, given.shape, given._device, name, 'scores'),
    centres = centresOf(edges),
    cuts = tensor(new Float64Array(centres.length));
  afterwards(() => {
    const positions = values.data as Float64Array,
      found = before.data as Float64Array;
    const bins = Int32Array.from(positions, (value, i) =>
      bytes !== undefined && bytes[i] !== 0 ? -1 : binOf(value, edges),
    );
    const weight = (i: number): number => (own ? own[i] : 1);
    const byBin = cutsOf(found, order.data as Int32Array, bins, weight, centres.length, efficiency);
    (cuts.data as Float64Array).set(byBin);
    const filled = Array.from(byBin.keys()).filter((bin) => !Number.isNaN(byBin[bin]));
    const knots = filled.map((bin) => centres[bin]),
      heights = filled.map((bin) => byBin[bin]);
    const shifted = new dtypes[given._dtype].Array(found.length) as Float64Array;
    for (let i = 0; i < shifted.length; ++i) shifted[i] = found[i] - cutAt(positions[i], knots, heights);
    copy(besides(given, shifted), result);
  });
  return { scores: result, centres: tensor(centres), cuts };
}
