import { Kernel } from '../operation/kernel';
import { KnownOptions, shown } from '../runtime/check';
import { dtypeCode, dtypes } from '../runtime/dtype';
import { DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { copy } from '../runtime/frame';
import { afterwards } from '../runtime/queue';
import { tensor } from '../tensor/create';
import { besides, onHost } from '../tensor/host';
import { shapeText } from '../tensor/shape';
import { asTensor, ofType, type Tensor, type TensorLike } from '../tensor/tensor';
import { rowsOf } from '../tensor/views';
import { jsDivergence } from './divergence';
import { type Binning, edgesOf } from './histogram';
import { backgroundRejection } from './roc';

export interface InverseJsdOptions extends Binning {
  /** Signal efficiency at which the scores are cut; default 0.5. */
  efficiency?: number;
  /** `[N]`. Default: all 1. */
  weights?: TensorLike;
}

/**
 * How much a cut on scores rejects, and how little it sculpts: the two axes of decorrelation
 * studies.
 */
export interface Sculpting {
  /**
   * float64 scalar; at least 1; infinity when passing and failing background have the same shape.
   */
  inverseJsd: Tensor;
  /** float64 `[1]`: 1 / kept share of the background. */
  rejection: Tensor;
  /** float64 `[1]`: the cut: scores at or above it pass. */
  threshold: Tensor;
}

const name = 'inverseJsd';
const sculpted = new Kernel('histogram_2d_forward', { x: 'scores', y: 'variable' }, name);
const knownOptions = new KnownOptions('efficiency', 'weights', 'bins', 'range', 'edges');
const float64 = dtypeCode['float64'],
  uint8 = dtypeCode['uint8'];

/** A column of numbers without a gradient. @internal */
export function column(values: TensorLike, like: Tensor | undefined, operation: string, argument: string): Tensor {
  const made = asTensor(
    values,
    Array.isArray(values) ? (like?._dtype ?? float64) : undefined,
    operation,
    argument,
  ).detach();
  if (!dtypes[made._dtype].floating)
    throw new DTypeError(operation, argument, `${argument} is ${made.dtype} (expected float32 or float64)`);
  if (made.shape.length !== 1 || (like && made.size !== like.size)) {
    const wanted = like ? `[${like.size}]` : '[N]';
    throw new ShapeError(operation, argument, `${argument} is ${shapeText(made.shape)} (expected ${wanted})`);
  }
  const allowed = argument === 'weights' ? Number.isFinite : (value: number) => !Number.isNaN(value);
  const host = onHost(made) as Float64Array;
  const wrong = host.findIndex((value) => !allowed(value));
  if (wrong >= 0)
    throw new ValueError(operation, argument, `${argument} has ${host[wrong]} at position ${wrong} (expected numbers)`);
  return made;
}

/** Labels as bytes in this process's memory. @internal */
export function labelsOf(labels: TensorLike, like: Tensor, operation: string): Uint8Array {
  const made = asTensor(labels, uint8, operation, 'labels');
  if (made.shape.length !== 1 || made.size !== like.size)
    throw new ShapeError(operation, 'labels', `labels is ${shapeText(made.shape)} (expected [${like.size}])`);
  return onHost(ofType(made, uint8, operation, 'labels')) as Uint8Array;
}

/** Columns of one element type: the wider one, which holds all of them exactly. @internal */
export function alike(operation: string, ...columns: Tensor[]): Tensor[] {
  if (columns.every(({ _dtype }) => _dtype === columns[0]._dtype)) return columns;
  return columns.map((values) => ofType(values, float64, operation, 'values'));
}

/**
 * How little a tagger sculpts a variable: 1 / Jensen-Shannon divergence (base 2) between its
 * distributions in background that passes and background that fails the cut of a fixed signal
 * efficiency, as DisCo's figures show it (arXiv:2001.05310). The cut is {@link
 * backgroundRejection}'s; elements outside the bins do not count. It has no gradient.
 * @param scores - `[N]`, NaN is refused
 * @param labels - `[N]`: 0 background, 1 signal
 * @param variable - `[N]`: for example the mass
 * @throws ShapeError, DTypeError; ValueError for NaN, invalid bins and unknown options
 */
export function inverseJsd(
  scores: TensorLike,
  labels: TensorLike,
  variable: TensorLike,
  options: InverseJsdOptions,
): Sculpting {
  knownOptions.check(options, name);
  const { efficiency = 0.5, weights, ...binning } = options ?? {};
  if (typeof efficiency !== 'number' || !(efficiency > 0 && efficiency <= 1))
    throw new ValueError(name, 'efficiency', `efficiency is ${shown(efficiency)} (expected a number above 0, up to 1)`);
  const bins = edgesOf(binning, name);
  const given = column(scores, undefined, name, 'scores');
  const values = column(variable, given, name, 'variable');
  const bytes = labelsOf(labels, given, name);
  const ofElements = weights === undefined ? undefined : column(weights, given, name, 'weights');
  const [wide, position, ...rest] = alike(name, given, values, ...(ofElements ? [ofElements] : []));
  const points = backgroundRejection(wide, besides(wide, bytes), efficiency, rest.length ? { weights: rest[0] } : {});
  const { Array: Elements } = dtypes[wide._dtype];
  const own = rest.length ? (onHost(rest[0]) as Float64Array) : undefined;
  const ofBackground = new Elements(bytes.length) as Float64Array;
  for (let i = 0; i < bytes.length; ++i) ofBackground[i] = bytes[i] === 0 ? (own?.[i] ?? 1) : 0;

  // Failing and passing are two bins of the score, whose common edge is known once the curve is.
  const cuts = besides(wide, Float64Array.of(-Infinity, 0, Infinity));
  copy(points.thresholds, rowsOf(cuts, 1, 2));
  const inputs = [wide, position, cuts, bins.to(wide.device), besides(wide, ofBackground)];
  const [counts] = sculpted.run(inputs, undefined, undefined, [true, false]);
  const divergence = jsDivergence(rowsOf(counts!, 1, 2), rowsOf(counts!, 0, 1)).to('cpu');
  const inverse = tensor(new Float64Array(1), { shape: [] });
  afterwards(() => (inverse.data as Float64Array).set([1 / divergence.item()]));
  return { inverseJsd: inverse, rejection: points.rejection, threshold: points.thresholds };
}
