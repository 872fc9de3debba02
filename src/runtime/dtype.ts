import { types } from 'node:util';

import { shown } from './check';
import { DTypeError } from './errors';

/** Element types of tensors. */
export type DType = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8';
/** The arrays that hold them. */
export type TypedArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

interface DTypeInfo {
  name: DType;
  bytes: number;
  floating: boolean;
  Array: new (buffer: ArrayBufferLike | number, byteOffset?: number, length?: number) => TypedArray;
}

/**
 * In the order of the codes that cross into the addon (`dtypes` in native/addon/frame.h). @internal
 */
export const dtypes: readonly DTypeInfo[] = [
  { name: 'float32', bytes: 4, floating: true, Array: Float32Array },
  { name: 'float64', bytes: 8, floating: true, Array: Float64Array },
  { name: 'int32', bytes: 4, floating: false, Array: Int32Array },
  { name: 'int64', bytes: 8, floating: false, Array: BigInt64Array },
  { name: 'uint8', bytes: 1, floating: false, Array: Uint8Array },
];

/** @internal */
export const dtypeCode: Readonly<Record<string, number>> = Object.freeze(
  Object.assign(Object.create(null) as Record<string, number>, {
    float32: 0,
    float64: 1,
    int32: 2,
    int64: 3,
    uint8: 4,
  }),
);

const codeOfClass: Readonly<Record<string, number>> = Object.assign(Object.create(null) as Record<string, number>, {
  Float32Array: 0,
  Float64Array: 1,
  Int32Array: 2,
  BigInt64Array: 3,
  Uint8Array: 4,
});

/**
 * The class is asked for by name: arrays of another realm (a vm context, Jest) are as good.
 * @internal
 */
export function codeOfArray(array: object): number | undefined {
  return codeOfClass[(array as { [Symbol.toStringTag]: string })[Symbol.toStringTag]];
}

/** @internal */
export function isTypedArray(value: unknown): value is TypedArray {
  return types.isTypedArray(value);
}

/** @internal */
export function isShared(array: TypedArray): boolean {
  return types.isSharedArrayBuffer(array.buffer);
}

/** The number of an element type in `dtypes`. @internal */
export function codeOf(dtype: unknown, operation: string): number {
  const code = typeof dtype === 'string' ? dtypeCode[dtype] : undefined;
  if (code !== undefined) return code;
  const names = dtypes.map(({ name }) => name).join(', ');
  throw new DTypeError(operation, 'dtype', `dtype is ${shown(dtype)} (expected ${names})`);
}
