import type { Vector } from 'apache-arrow';

import { Kernel } from '../operation/kernel';
import { toOutput } from '../operation/operation';
import { KnownOptions } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { ShapeError } from '../runtime/errors';
import { isList as isListVector, isVector } from '../tensor/column';
import { besides } from '../tensor/host';
import { asRagged, Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { asAlike, type Tensor, type TensorLike } from '../tensor/tensor';

export interface ArgsortOptions {
  /**
   * Whether the largest keys come first (default false). Equal keys keep their order either way.
   */
  descending?: boolean;
  /** int32 `[N]` */
  out?: TensorLike;
}

const reals = new Kernel('argsort', { order: 'out' });
const integers = new Kernel('argsort_integers', { order: 'out' }, 'argsort');
const knownOptions = new KnownOptions('descending', 'out');
const int32 = dtypeCode['int32'];

/**
 * The order that sorts keys: element i of the result is the index of the key that comes i-th. In a
 * ragged list every event is sorted separately, and indices refer to the whole batch:
 * `values[order[i]]` is sorted event by event. The sort is stable, infinities are sorted, and -0
 * equals 0. It has no gradient.
 * @param keys - `[N]`, float32, float64 or int32; or a ragged list of them
 * @returns int32 `[N]`; for a ragged list the same list of indices
 * @throws ValueError for NaN, and boundaries that decrease or overrun
 * @throws ShapeError, DTypeError
 */
export function argsort(keys: Ragged | RaggedLike, options?: ArgsortOptions): Ragged;
export function argsort(keys: TensorLike, options?: ArgsortOptions): Tensor;
export function argsort(keys: TensorLike | Ragged | RaggedLike, options: ArgsortOptions = {}): Tensor | Ragged {
  knownOptions.check(options, 'argsort');
  const list = isList(keys) ? asRagged(keys, 'argsort', 'keys', dtypeCode['float64']) : undefined;
  const values = list ? list.values : asAlike({ keys: keys as TensorLike }, 'argsort').keys;
  if (values.shape.length !== 1)
    throw new ShapeError('argsort', 'keys', `keys is ${shapeText(values.shape)} (expected [N])`);
  const offsets = list ? list.offsets : besides(values, Int32Array.of(0, values.size));
  const { out, ...settings } = options;
  const made = out === undefined ? undefined : [toOutput(out, 'argsort')];
  const order = (values._dtype === int32 ? integers : reals).run([values, offsets], settings, made)[0]!;
  return list ? list.with(order) : order;
}

function isList(keys: unknown): keys is Ragged | RaggedLike | Vector {
  if (typeof keys !== 'object' || keys === null) return false;
  return keys instanceof Ragged || (isVector(keys) && isListVector(keys)) || ('values' in keys && 'offsets' in keys);
}
