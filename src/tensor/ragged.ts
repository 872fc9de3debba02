import type { Vector } from 'apache-arrow';

import { KnownOptions, shown } from '../runtime/check';
import { cpu } from '../runtime/device';
import { dtypeCode } from '../runtime/dtype';
import { DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { wrapArray } from '../runtime/memory';
import { isVector, listColumnOf, listVectorOf } from './column';
import type { NestedArray } from './lists';
import { asTensor, Tensor, type TensorLike } from './tensor';

const int32 = dtypeCode['int32'];

/** Rows of varying number per event: all rows one after the other, and where each event begins. */
export interface RaggedLike {
  /** `[N, ...]` */
  values: TensorLike;
  /** `[B+1]`: event b has the rows `offsets[b]` to `offsets[b+1] - 1`. */
  offsets: TensorLike;
}

/**
 * A list of events with varying numbers of rows: Arrow's `List` column, nothing padded. Made by
 * {@link ragged}.
 */
export class Ragged {
  /** @internal */
  constructor(
    /** `[N, ...]`: the rows of all events. */
    readonly values: Tensor,
    /** int32 `[B+1]`: the event boundaries. They need not begin with 0 (a slice's do not). */
    readonly offsets: Tensor,
  ) {}

  /** Number of events. */
  get length(): number {
    return this.offsets.shape[0] - 1;
  }

  /** `'cpu'`, `'cuda:0'`... */
  get device(): string {
    return this.values.device;
  }

  /**
   * An Arrow `List` vector on the same memory.
   * @throws ValueError for offsets that decrease or overrun; DeviceError when it is not on the CPU
   */
  toArrow(): Vector {
    checkBoundaries(this.offsets, this.values.shape[0] ?? 0, 'toArrow', 'offsets');
    return listVectorOf(this.values.data, this.values._dtype, this.values.shape, this.offsets.data as Int32Array);
  }

  /** On another device: itself when it is there already. */
  to(device: string): Ragged {
    if (device === this.device) return this;
    return new Ragged(this.values.to(device), this.offsets.to(device));
  }

  /** The same event boundaries around other rows. @internal */
  with(values: Tensor): Ragged {
    return new Ragged(values, this.offsets);
  }
}

/** Int32 boundaries or indices from any accepted source. @internal */
export function indices(source: TensorLike, operation: string, name: string): Tensor {
  const made = asTensor(source, Array.isArray(source) ? int32 : undefined, operation, name);
  if (made._dtype !== int32) throw new DTypeError(operation, name, `${name} is ${made.dtype} (expected int32)`);
  if (made.shape.length !== 1)
    throw new ShapeError(operation, name, `${name} has ${made.shape.length} dimensions (expected one)`);
  return made;
}

/**
 * Refuses event boundaries that decrease or overrun. Contents on a device are checked there, when
 * they are used, unless they have been fetched.
 * @internal
 */
export function checkBoundaries(boundaries: Tensor | Int32Array, rows: number, operation: string, name: string): void {
  const isTensor = boundaries instanceof Tensor;
  const last = (isTensor ? boundaries.size : boundaries.length) - 1;
  if (last < 0) throw new ShapeError(operation, name, `${name} is [0] (expected at least one boundary)`);
  if (isTensor && boundaries._device !== cpu) return;
  const offsets = isTensor ? (boundaries.data as Int32Array) : boundaries;
  const refuse = (text: string): never => {
    throw new ValueError(operation, name, `${name} ${text}`);
  };
  if (offsets[0] < 0) refuse(`begins with ${offsets[0]} (expected at least 0)`);
  for (let i = 1; i <= last; ++i) {
    if (offsets[i] < offsets[i - 1]) refuse(`decreases from ${offsets[i - 1]} to ${offsets[i]} at position ${i}`);
  }
  if (offsets[last] > rows) refuse(`ends with ${offsets[last]} but there are only ${rows} rows`);
}

const knownOptions = new KnownOptions('name', 'device');

/** `[[1, 2], [3]]`: an event each, of numbers or of rows that are lists themselves. */
export type RaggedLists = readonly (readonly NestedArray[])[];

/**
 * Events with varying numbers of rows. An Arrow `List` column (also a slice) in one chunk is not
 * copied.
 * @param source - `List<T>`, `List<FixedSizeList<T>[F]>`..., or values `[N, ...]` and offsets
 *   `[B+1]`, or a list per event (`[[1, 2], [3]]`), whose numbers become float32
 * @throws ValueError for nulls
 * @throws ShapeError when rows are of different lengths
 * @throws DTypeError when the column is not a list, or its elements are of a type that no operation
 *   knows
 */
export function ragged(
  source: Vector | RaggedLike | Ragged | RaggedLists,
  options: { name?: string; device?: string } = {},
): Ragged {
  knownOptions.check(options, 'ragged');
  const name = options.name ?? 'list';
  const made = Array.isArray(source)
    ? ofLists(source as RaggedLists, name)
    : asRagged(source as Vector | RaggedLike | Ragged, 'ragged', name);
  return options.device === undefined ? made : made.to(options.device);
}

function ofLists(events: RaggedLists, name: string): Ragged {
  const offsets = new Int32Array(events.length + 1);
  const rows: NestedArray[] = [];
  for (let b = 0; b < events.length; ++b) {
    const event: unknown = events[b];
    if (!Array.isArray(event))
      throw new DTypeError('ragged', name, `${name} has ${shown(event)} at position ${b} (expected a list per event)`);
    for (const row of event as readonly NestedArray[]) rows.push(row);
    offsets[b + 1] = rows.length;
  }
  const values = asTensor(rows, undefined, 'ragged', name);
  return new Ragged(values, new Tensor(wrapArray(offsets), int32, [offsets.length], cpu));
}

/**
 * {@link ragged} for an argument of an operation, which errors then name. @internal
 * @param wantedOfLists - the element type that values become which are lists of numbers
 */
export function asRagged(
  source: Vector | RaggedLike | Ragged,
  operation: string,
  name: string,
  wantedOfLists?: number,
): Ragged {
  if (source instanceof Ragged) return source;
  if (typeof source === 'object' && source !== null) {
    if (isVector(source)) {
      const { array, dtype, shape, offsets } = listColumnOf(source, name, operation);
      const values = new Tensor(wrapArray(array), dtype, shape, cpu);
      return new Ragged(values, new Tensor(wrapArray(offsets), int32, [offsets.length], cpu));
    }
    if ('values' in source && 'offsets' in source) {
      const offsets = indices(source.offsets, operation, 'offsets');
      if (offsets.size === 0)
        throw new ShapeError(operation, 'offsets', 'offsets is [0] (expected at least one boundary)');
      return new Ragged(asTensor(source.values, wantedOfLists, operation, 'values'), offsets);
    }
  }
  const text = `${name} is ${shown(source)} (expected an Arrow List vector, { values, offsets } or ragged() of lists)`;
  throw new DTypeError(operation, name, text);
}
