import { Kernel } from '../operation/kernel';
import { KnownOptions } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { ShapeError } from '../runtime/errors';
import { shapeText } from '../tensor/shape';
import { asAlike, asTensor, ofType, type Tensor, type TensorLike } from '../tensor/tensor';

export interface RocOptions {
  /** `[N]`, also zero or negative. Default: all 1. */
  weights?: TensorLike;
}

/**
 * N + 1 points from the strictest cut to none; elements of equal score enter together, so their
 * points are the same.
 */
export interface RocCurve {
  /** float64 `[N + 1]`: kept share of the background. */
  falsePositiveRate: Tensor;
  /** float64 `[N + 1]`: kept share of the signal. */
  truePositiveRate: Tensor;
  /** float64 `[N + 1]`: scores of at least this are kept; infinity for the first point. */
  thresholds: Tensor;
}

export interface WorkingPoints {
  /** float64 `[K]`: 1 / kept share of the background; infinity where none is kept. */
  rejection: Tensor;
  /** float64 `[K]`: scores of at least this are kept. */
  thresholds: Tensor;
}

const kernels = {
  rocAuc: new Kernel('roc', undefined, 'rocAuc'),
  rocCurve: new Kernel('roc', undefined, 'rocCurve'),
  backgroundRejection: new Kernel('roc', undefined, 'backgroundRejection'),
};
const knownOptions = new KnownOptions('weights');
const float64 = dtypeCode['float64'],
  uint8 = dtypeCode['uint8'];
const none = [false, false, false, false, false, false];

/** Of the six results of the kernel those that `wanted` names by their places. */
function run(
  name: keyof typeof kernels,
  given: { scores: TensorLike; labels: TensorLike; efficiencies?: Tensor },
  options: RocOptions | undefined,
  wanted: readonly number[],
): Tensor[] {
  knownOptions.check(options, name);
  const { scores, weights } = asAlike({ scores: given.scores, weights: options?.weights }, name);
  const labels = asTensor(given.labels, uint8, name, 'labels');
  const bytes = ofType(labels, uint8, name, 'labels');
  const outputs = none.map((_, place) => wanted.includes(place));
  const found = kernels[name].run([scores, bytes, weights, given.efficiencies], undefined, undefined, outputs);
  return wanted.map((place) => found[place]!);
}

/**
 * The area under the ROC curve: the probability, by weight, that a signal element scores above a
 * background element, where ties count one half. Exact, in O(N log N). It has no gradient.
 * @param scores - `[N]`, NaN is refused
 * @param labels - `[N]`: 0 background, 1 signal
 * @returns a float64 scalar, NaN without signal or without background
 * @throws ShapeError, DTypeError; ValueError for NaN and for labels that are not uint8
 */
export function rocAuc(scores: TensorLike, labels: TensorLike, options?: RocOptions): Tensor {
  return run('rocAuc', { scores, labels }, options, [0])[0];
}

/**
 * The ROC curve, exact: a point for every element, from the highest score on. It has no gradient.
 * @param scores - `[N]`, NaN is refused
 * @param labels - `[N]`: 0 background, 1 signal
 * @throws ShapeError, DTypeError; ValueError for NaN and for labels that are not uint8
 */
export function rocCurve(scores: TensorLike, labels: TensorLike, options?: RocOptions): RocCurve {
  const [falsePositiveRate, truePositiveRate, thresholds] = run('rocCurve', { scores, labels }, options, [1, 2, 3]);
  return { falsePositiveRate, truePositiveRate, thresholds };
}

/**
 * Background rejection at fixed signal efficiency: 1 / false positive rate at the point of the ROC
 * curve whose true positive rate is nearest to the efficiency, the strictest of several.
 * @param scores - `[N]`, NaN is refused
 * @param labels - `[N]`: 0 background, 1 signal
 * @param efficiencies - `[K]`, or one number
 * @throws ShapeError, DTypeError; ValueError for NaN and for labels that are not uint8
 */
export function backgroundRejection(
  scores: TensorLike,
  labels: TensorLike,
  efficiencies: TensorLike | number,
  options?: RocOptions,
): WorkingPoints {
  const name = 'backgroundRejection';
  const list = asTensor(
    typeof efficiencies === 'number' ? [efficiencies] : efficiencies,
    float64,
    name,
    'efficiencies',
  );
  if (list.shape.length !== 1)
    throw new ShapeError(name, 'efficiencies', `efficiencies is ${shapeText(list.shape)} (expected [K])`);
  const wanted = ofType(list, float64, name, 'efficiencies');
  const on = asAlike({ scores, weights: options?.weights }, name).scores;
  const efficiencyList = wanted.to(on.device);
  const [rejection, thresholds] = run(name, { scores: on, labels, efficiencies: efficiencyList }, options, [4, 5]);
  return { rejection, thresholds };
}
