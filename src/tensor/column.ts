// Arrow JS columns as typed arrays and back, without copies. What was found out about the layout of
// its Data objects (apache-arrow 21):
//  - slice() has already advanced `values`, `valueOffsets` and the children of FixedSizeLists;
//    Data.offset counts for null bitmaps only. A sliced List keeps its whole child, and its offsets
//    start where they are.
//  - buffers that come from files are padded: the length of the Data counts, not that of the array.
//  - makeData does not look at the class of the array: Float64 memory can claim to be Float32.
import {
  type Data,
  type DataType,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  makeVector,
  Uint8,
  type Vector,
} from 'apache-arrow';

import { codeOfArray, dtypeCode, dtypes, type TypedArray } from '../runtime/dtype';
import { DTypeError, UpsilonError, ValueError } from '../runtime/errors';

/** Type numbers of Arrow's flatbuffer format. */
const INT = 2,
  FLOAT = 3,
  LIST = 12,
  FIXED_SIZE_LIST = 16;

export interface Column {
  array: TypedArray;
  dtype: number;
  shape: number[];
}

export interface ListColumn extends Column {
  offsets: Int32Array;
}

/** Recognised by structure, as a program may contain several copies of apache-arrow. */
export function isVector(value: object): value is Vector {
  const parts = value as { data?: unknown; type?: { typeId?: unknown } };
  // The type first: of other objects with a `type`, none is asked for data that it may not have at
  // hand.
  return typeof parts.type?.typeId === 'number' && Array.isArray(parts.data);
}

export function isList(vector: Vector): boolean {
  const typeId: number = (vector.type as DataType).typeId;
  return typeId === LIST;
}

/** `FixedSizeList[4]<Float32>`: Arrow's types have texts of their own. */
function typeText(type: { toString(): string }): string {
  return type.toString();
}

function primitiveCode(type: DataType, name: string, operation: string): number {
  const { typeId, bitWidth, isSigned, precision } = type as unknown as Record<string, number | boolean>;
  if (typeId === FLOAT && precision === 1) return dtypeCode['float32'];
  if (typeId === FLOAT && precision === 2) return dtypeCode['float64'];
  if (typeId === INT && bitWidth === 32 && isSigned) return dtypeCode['int32'];
  if (typeId === INT && bitWidth === 64 && isSigned) return dtypeCode['int64'];
  if (typeId === INT && bitWidth === 8 && !isSigned) return dtypeCode['uint8'];
  const hint = typeId === LIST ? '; lists of varying length are for ragged()' : '';
  throw new DTypeError(
    operation,
    name,
    `${name} is a column of ${typeText(type)} (expected Float32, Float64, Int32, Int64, Uint8 or FixedSizeLists of them${hint})`,
  );
}

function refuseNulls(data: Data, name: string, operation: string): void {
  const nulls = data.nullCount;
  if (nulls > 0)
    throw new ValueError(operation, name, `${name} has ${nulls} null${nulls === 1 ? '' : 's'} (expected none)`);
}

/**
 * Elements of the primitive column at the bottom of nested FixedSizeLists, and the sizes of these
 * lists.
 */
function flatten(data: Data, name: string, operation: string): Column {
  refuseNulls(data, name, operation);
  if ((data.type.typeId as number) === FIXED_SIZE_LIST) {
    const size = (data.type as FixedSizeList).listSize;
    const child = data.children[0];
    if (!child) throw new ValueError(operation, name, `${name} is a FixedSizeList without elements`);
    const inner = flatten(child, name, operation);
    const rowElements = inner.shape.slice(1).reduce((product, extent) => product * extent, 1);
    const array = inner.array.subarray(0, data.length * size * rowElements);
    if (array.length < data.length * size * rowElements) {
      throw new ValueError(
        operation,
        name,
        `${name} has ${array.length} elements but ${data.length} lists of ${size} rows need ${data.length * size * rowElements}`,
      );
    }
    return { array, dtype: inner.dtype, shape: [data.length, size, ...inner.shape.slice(1)] };
  }
  const dtype = primitiveCode(data.type, name, operation);
  const values = (data.values ?? new dtypes[dtype].Array(0)) as TypedArray;
  if (codeOfArray(values) !== dtype) {
    throw new DTypeError(
      operation,
      name,
      `${name} is declared as ${typeText(data.type)} but its memory is a ${values[Symbol.toStringTag]} (expected a ${dtypes[dtype].Array.name})`,
    );
  }
  if (values.length < data.length)
    throw new ValueError(
      operation,
      name,
      `${name} has ${values.length} elements of memory but its length is ${data.length}`,
    );
  return { array: values.subarray(0, data.length), dtype, shape: [data.length] };
}

/** Chunks are gathered into one array; a single one stays where it is. */
function gather(parts: Column[]): Column {
  if (parts.length === 1) return parts[0];
  const { dtype, shape } = parts[0];
  const array = new dtypes[dtype].Array(parts.reduce((sum, part) => sum + part.array.length, 0));
  let at = 0;
  for (const part of parts) {
    (array as Float32Array).set(part.array as Float32Array, at);
    at += part.array.length;
  }
  return { array, dtype, shape: [parts.reduce((sum, part) => sum + part.shape[0], 0), ...shape.slice(1)] };
}

/** A vector without chunks still has a type, which says what an empty column looks like. */
function chunksOf(vector: Vector): readonly Data[] {
  if (vector.data.length > 0) return vector.data as readonly Data[];
  return [makeData({ type: vector.type as DataType, length: 0 } as never)];
}

function refuseNullsOf(vector: Vector, name: string, operation: string): void {
  // Over all chunks, so that the message has the whole number.
  const nulls = vector.nullCount;
  if (nulls > 0)
    throw new ValueError(operation, name, `${name} has ${nulls} null${nulls === 1 ? '' : 's'} (expected none)`);
}

/**
 * Columns are recognised by structure, so other objects may pass; Arrow's own errors are untyped,
 * so wrap them.
 */
function reading<T>(name: string, operation: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof UpsilonError) throw error;
    const why = error instanceof Error ? error.message : 'it cannot be read';
    throw new DTypeError(operation, name, `${name} is not a readable Arrow column: ${why}`);
  }
}

/** A column of fixed-size rows as one array. */
export function columnOf(vector: Vector, name: string, operation: string): Column {
  return reading(name, operation, () => {
    refuseNullsOf(vector, name, operation);
    return gather(chunksOf(vector).map((chunk) => flatten(chunk, name, operation)));
  });
}

/**
 * A List column: its offsets as they are (a slice's do not start at 0), and all elements they refer
 * to.
 */
export function listColumnOf(vector: Vector, name: string, operation: string): ListColumn {
  return reading(name, operation, () => listColumn(vector, name, operation));
}

function listColumn(vector: Vector, name: string, operation: string): ListColumn {
  if (!isList(vector))
    throw new DTypeError(
      operation,
      name,
      `${name} is a column of ${typeText(vector.type as object)} (expected a List)`,
    );
  refuseNullsOf(vector, name, operation);
  const parts = chunksOf(vector).map((chunk): ListColumn => {
    // Arrow allows a list column of length 0 without any offset.
    const offsets =
      chunk.length === 0 && !(chunk.valueOffsets as Int32Array | undefined)?.length
        ? new Int32Array(1)
        : (chunk.valueOffsets as Int32Array).subarray(0, chunk.length + 1);
    if (offsets.length < chunk.length + 1)
      throw new ValueError(operation, name, `${name} has ${offsets.length} offsets but its length is ${chunk.length}`);
    const child =
      chunk.children[0] ?? makeData({ type: (chunk.type as List).children[0].type as DataType, length: 0 } as never);
    const begin = offsets[0],
      end = offsets[chunk.length];
    // Nulls outside the slice do not matter: check the slice alone, with its own offsets.
    if (child.nullCount > 0 && begin >= 0 && end >= begin && end <= child.length) {
      return {
        ...flatten(child.slice(begin, end - begin), name, operation),
        offsets: offsets.map((offset) => offset - begin),
      };
    }
    return { ...flatten(child, name, operation), offsets };
  });
  if (parts.length === 1) return parts[0];
  const used = parts.map((part) => {
    const begin = part.offsets[0],
      end = part.offsets[part.offsets.length - 1];
    const row = part.shape.slice(1).reduce((product, extent) => product * extent, 1);
    if (begin < 0 || end < begin || end > part.shape[0])
      throw new ValueError(
        operation,
        name,
        `${name} has offsets from ${begin} to ${end} but only ${part.shape[0]} elements`,
      );
    return {
      ...part,
      array: part.array.subarray(begin * row, end * row),
      shape: [end - begin, ...part.shape.slice(1)],
    };
  });
  const offsets = new Int32Array(1 + used.reduce((sum, part) => sum + part.offsets.length - 1, 0));
  let list = 0,
    base = 0;
  for (const part of used) {
    for (let i = 1; i < part.offsets.length; ++i) offsets[++list] = base + part.offsets[i] - part.offsets[0];
    base += part.shape[0];
  }
  return { ...gather(used), offsets };
}

const arrowTypes: readonly (() => DataType)[] = [
  () => new Float32(),
  () => new Float64(),
  () => new Int32(),
  () => new Int64(),
  () => new Uint8(),
];

function dataOf(array: TypedArray, dtype: number, shape: readonly number[]): Data {
  let data: Data = makeData({ type: arrowTypes[dtype](), length: array.length, nullCount: 0, data: array } as never);
  for (let d = shape.length - 1; d > 0; --d) {
    const length = shape.slice(0, d).reduce((product, extent) => product * extent, 1);
    const type = new FixedSizeList(shape[d], new Field('item', data.type, false));
    data = makeData({ type, length, nullCount: 0, child: data } as never);
  }
  return data;
}

/** An Arrow vector on the array: `FixedSizeList` for every dimension after the first. */
export function vectorOf(array: TypedArray, dtype: number, shape: readonly number[]): Vector {
  return makeVector(dataOf(array, dtype, shape));
}

/** An Arrow List vector on values and offsets. */
export function listVectorOf(array: TypedArray, dtype: number, shape: readonly number[], offsets: Int32Array): Vector {
  const child = dataOf(array, dtype, shape);
  const type = new List(new Field('item', child.type, false));
  return makeVector(
    makeData({ type, length: offsets.length - 1, nullCount: 0, valueOffsets: offsets, child } as never),
  );
}
