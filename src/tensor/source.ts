// What may stand where a tensor is wanted, as a typed array.
import type { Vector } from 'apache-arrow';

import { shown } from '../runtime/check';
import { codeOfArray, dtypes, isTypedArray, type TypedArray } from '../runtime/dtype';
import { DeviceError, DTypeError } from '../runtime/errors';
import { type Column, columnOf, isVector } from './column';
import { converted, fromLists, type NestedArray } from './lists';
import { checkShape } from './shape';

/** How tensors of other copies of this package are recognised. @internal */
export const tensorBrand = Symbol.for('upsilon-kernels.tensor');

/** What is used of a tensor of another copy of this package. */
interface ForeignTensor {
  readonly [tensorBrand]: true;
  readonly device: string;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

function isForeignTensor(value: object): value is ForeignTensor {
  return (value as { [tensorBrand]?: boolean })[tensorBrand] === true;
}

/**
 * Elements of any accepted source: only lists, and columns in several chunks, are copied.
 * @param wanted - the element type that lists, and arrays of a type that no operation knows, become
 * @internal
 */
export function sourceOf(
  source: TypedArray | Vector | readonly NestedArray[] | ForeignTensor,
  wanted: number | undefined,
  operation: string,
  name: string,
): Column {
  if (isTypedArray(source)) {
    const dtype = codeOfArray(source);
    if (dtype !== undefined) return { array: source, dtype, shape: [source.length] };
    if (wanted !== undefined) {
      const array = converted(source, wanted, operation, name);
      return { array, dtype: wanted, shape: [array.length] };
    }
    const found = (source as { [Symbol.toStringTag]: string })[Symbol.toStringTag];
    const classes = dtypes.map(({ Array }) => Array.name).join(', ');
    const text = `${name} is a ${found} (expected ${classes}; or say which dtype it is to become)`;
    throw new DTypeError(operation, name, text);
  }
  if (Array.isArray(source)) {
    const dtype = wanted ?? 0;
    return { ...fromLists(source as readonly NestedArray[], dtype, operation, name), dtype };
  }
  if (typeof source === 'object' && source !== null) {
    if (isForeignTensor(source)) return adopted(source, operation, name);
    if (isVector(source)) return columnOf(source, name, operation);
  }
  throw new DTypeError(
    operation,
    name,
    `${name} is ${shown(source)} (expected a tensor, a typed array, an Arrow vector or lists of numbers)`,
  );
}

/** A view on the memory of a tensor of another copy of this package. */
function adopted(foreign: ForeignTensor, operation: string, name: string): Column {
  const { device, shape } = foreign;
  if (device !== 'cpu') {
    const text = `${name} is on ${shown(device)} in another copy of the package (expected it on the CPU)`;
    throw new DeviceError(operation, name, text);
  }
  const array: unknown = foreign.data;
  const dtype = isTypedArray(array) ? codeOfArray(array) : undefined;
  if (dtype === undefined)
    throw new DTypeError(operation, name, `${name} is not a tensor that this version understands`);
  checkShape(shape, (array as TypedArray).length, operation);
  return { array: array as TypedArray, dtype, shape: [...shape] };
}
