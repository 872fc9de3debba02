import type { Vector } from 'apache-arrow';

import { Operation } from '../operation/operation';
import { KnownOptions } from '../runtime/check';
import { dtypes } from '../runtime/dtype';
import { DTypeError, ShapeError } from '../runtime/errors';
import { tensor } from '../tensor/create';
import { besides, onHost } from '../tensor/host';
import { asRagged, checkBoundaries, type Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';
import { assign, type Problems, problemsOf, type RaggedCosts } from './linearSumAssignment';

/**
 * How far a prediction p is from a target t: `'squaredError'` sum of (p - t)², `'absoluteError'`
 * sum of |p - t|, `'crossEntropy'` -sum of t ln softmax(p) with logits p and probabilities t of
 * classes. Sums are over the features.
 */
export type PairCostKind = 'squaredError' | 'absoluteError' | 'crossEntropy';

export interface PairCostOptions {
  /** Default `'squaredError'`. */
  kind?: PairCostKind;
}

export interface MatchedLossOptions {
  /**
   * `'mean'` (default) over the matched pairs of all events, weighted with the unmatched rows; or
   * `'sum'`.
   */
  reduction?: 'mean' | 'sum';
  /** Whether to match for the maximum sum of `cost` (default false). */
  maximize?: boolean;
  /**
   * `[rows of all problems]`: the loss of a row that has no partner. Default: such rows do not
   * contribute.
   */
  unmatched?: TensorLike;
  /** Weight of a row without a partner, relative to a pair. Default 1. */
  unmatchedWeight?: number;
  out?: TensorLike;
}

export interface HungarianLossOptions {
  /** Default `'squaredError'`. */
  pairCost?: PairCostKind;
  /**
   * `'mean'` (default) over the matched pairs of all events, weighted with the unmatched
   * predictions; or `'sum'`.
   */
  reduction?: 'mean' | 'sum';
  /**
   * `[F]`: what a prediction without a target should be, for example the class "no object", as in
   * DETR (arXiv:2005.12872). Default: such predictions do not contribute.
   */
  noObject?: TensorLike;
  /** Weight of a prediction without a target, relative to a pair (DETR: 0.1). Default 1. */
  noObjectWeight?: number;
  out?: TensorLike;
}

const pairCosts = new Operation('pair_cost');
const matching = new Operation('matched_loss', ['unmatched']);
const pairCostOptions = new KnownOptions('kind');
const matchedLossOptions = new KnownOptions('reduction', 'maximize', 'unmatched', 'unmatchedWeight', 'out');
const hungarianLossOptions = new KnownOptions('pairCost', 'reduction', 'noObject', 'noObjectWeight', 'out');

type Sets = Ragged | RaggedLike | Vector;

/** Costs of all pairs, with a gradient, and the sizes of the events on the host. */
function costsOf(
  predictionSets: Sets,
  targetSets: Sets,
  kind: PairCostKind | undefined,
  operation: string,
): { problems: Problems; rows: Int32Array; columns: Int32Array; prediction: Tensor } {
  const prediction = asRagged(predictionSets, operation, 'prediction'),
    target = asRagged(targetSets, operation, 'target');
  if (prediction.length !== target.length)
    throw new ShapeError(
      operation,
      'target',
      `target has ${target.length} events but prediction has ${prediction.length} (expected as many)`,
    );
  const sizesOf = ({ values, offsets }: Ragged, argument: string): Int32Array => {
    const cuts = onHost(offsets) as Int32Array;
    checkBoundaries(cuts, values.shape[0] ?? 0, operation, `${argument}Offsets`);
    const sizes = new Int32Array(cuts.length - 1);
    for (let b = 0; b < sizes.length; ++b) sizes[b] = cuts[b + 1] - cuts[b];
    return sizes;
  };
  const rows = sizesOf(prediction, 'prediction'),
    columns = sizesOf(target, 'target');
  let entries = 0;
  for (let b = 0; b < rows.length; ++b) entries += rows[b] * columns[b];
  const { values } = prediction;
  if (!dtypes[values._dtype].floating)
    throw new DTypeError(operation, 'prediction', `prediction is ${values.dtype} (expected float32 or float64)`);
  const out = empty(values._dtype, [entries], values._device, operation, 'prediction');
  const inputs = [values, prediction.offsets, target.values, target.offsets];
  const problems = {
    values: pairCosts.run(inputs, { kind }, out),
    rowOffsets: prediction.offsets,
    columnOffsets: target.offsets,
    rows: values.shape[0],
    columns: target.values.shape[0],
    pairs: 0,
    shape: undefined,
  };
  return { problems, rows, columns, prediction: values };
}

/** Matches by the costs, and sums the losses of the matched pairs. */
function lossOf(
  problems: Problems,
  losses: Tensor,
  unmatched: TensorLike | undefined,
  options: { maximize?: boolean; reduction?: unknown; unmatchedWeight?: unknown; out?: TensorLike },
  operation: string,
): Tensor {
  const { maximize, reduction, unmatchedWeight, out } = options;
  const { columnOfRow, rowOfColumn, status } = assign(problems, { maximize }, false, operation);
  const inputs = [losses, problems.rowOffsets, problems.columnOffsets, columnOfRow, rowOfColumn, status, unmatched];
  const result = out === undefined ? undefined : asTensor(out, undefined, operation, 'out').reshape([1]);
  return matching.run(inputs, { reduction, unmatchedWeight }, result).reshape([]);
}

/**
 * The cost of every pair of a prediction and a target of the same event, as {@link matchedLoss} and
 * {@link linearSumAssignment} take it. Differentiable in both.
 * @param prediction - `[N, F]` with boundaries of B events
 * @param target - `[M, F]` with boundaries of B events
 * @returns `values` `[sum of rows x columns]`, and how many predictions (`rows`) and targets
 *   (`columns`) each event has
 * @throws ShapeError, DTypeError; ValueError for boundaries that decrease or overrun
 */
export function pairCost(
  prediction: Sets,
  target: Sets,
  options: PairCostOptions = {},
): { values: Tensor; rows: Tensor; columns: Tensor } {
  pairCostOptions.check(options, 'pairCost');
  const { problems, rows, columns } = costsOf(prediction, target, options.kind, 'pairCost');
  return { values: problems.values, rows: tensor(rows), columns: tensor(columns) };
}

/**
 * The loss of matched pairs: rows and columns of each problem are paired for the minimum sum of
 * `cost`, and the losses of the pairs are averaged. The gradient goes to `pairLoss` of pairs and to
 * `unmatched` only: the choice of pairs has no gradient.
 * @param cost - `[R, C]`, `[B, R, C]` or {@link RaggedCosts}, as {@link linearSumAssignment} takes
 *   it
 * @param pairLoss - one number for each cost, in the same order; may be `cost.values` itself
 * @returns a scalar; NaN when a problem has no assignment
 * @throws ShapeError, DTypeError, ValueError
 */
export function matchedLoss(
  cost: TensorLike | RaggedCosts,
  pairLoss: TensorLike,
  options: MatchedLossOptions = {},
): Tensor {
  matchedLossOptions.check(options, 'matchedLoss');
  // A row without a partner may cost something, a column does not.
  const problems = problemsOf(cost, 'matchedLoss', { rows: true, columns: false });
  const dtype = Array.isArray(pairLoss) ? problems.values._dtype : undefined;
  const losses = asTensor(pairLoss, dtype, 'matchedLoss', 'pairLoss');
  if (losses.size !== problems.values.size)
    throw new ShapeError(
      'matchedLoss',
      'pairLoss',
      `pairLoss is ${shapeText(losses.shape)} but there are ${problems.values.size} costs (expected one of each)`,
    );
  return lossOf(problems, losses.reshape([losses.size]), options.unmatched, options, 'matchedLoss');
}

/**
 * A loss between sets that ignores their order: predictions are matched one to one to the targets
 * of their event such that the sum of the pair costs is minimal (the Hungarian method), and the
 * costs of these pairs are averaged. With `noObject`, unmatched predictions are compared with it.
 * Differentiable in prediction and target through matched pairs.
 * @param prediction - `[N, F]` with boundaries of B events
 * @param target - `[M, F]` with boundaries of B events
 * @returns a scalar; NaN when a pair cost is NaN
 * @throws ShapeError, DTypeError; ValueError for boundaries that decrease or overrun, and unknown
 *   options
 */
export function hungarianLoss(prediction: Sets, target: Sets, options: HungarianLossOptions = {}): Tensor {
  hungarianLossOptions.check(options, 'hungarianLoss');
  const { pairCost: kind, reduction, noObject, noObjectWeight, out } = options;
  const { problems, prediction: values } = costsOf(prediction, target, kind, 'hungarianLoss');
  let unmatched: Tensor | undefined;
  if (noObject !== undefined) {
    const dtype = Array.isArray(noObject) ? values._dtype : undefined;
    const wanted = asTensor(noObject, dtype, 'hungarianLoss', 'noObject').detach();
    const count = values.shape[0],
      features = values.shape[1];
    if (wanted.shape.length !== 1 || wanted.size !== features)
      throw new ShapeError(
        'hungarianLoss',
        'noObject',
        `noObject is ${shapeText(wanted.shape)} but prediction is ${shapeText(values.shape)} (expected [F])`,
      );
    // All predictions are one event, and this its only target.
    const inputs = [
      values,
      besides(values, Int32Array.of(0, count)),
      wanted.reshape([1, features]),
      besides(values, Int32Array.of(0, 1)),
    ];
    unmatched = pairCosts.run(
      inputs,
      { kind },
      empty(values._dtype, [count], values._device, 'hungarianLoss', 'noObject'),
    );
  }
  return lossOf(
    problems,
    problems.values,
    unmatched,
    { reduction, unmatchedWeight: noObjectWeight, out },
    'hungarianLoss',
  );
}
