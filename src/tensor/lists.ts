// Plain lists of numbers, and arrays of other types, as typed arrays.
import { shown } from '../runtime/check';
import { dtypeCode, dtypes, type TypedArray } from '../runtime/dtype';
import { DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { elementsOf } from './shape';

/** Nested lists of numbers: `[[1, 2], [3, 4]]`; bigints for int64. */
export type NestedArray = number | bigint | readonly NestedArray[];
/** What the elements of a type must be between; absent for floating types. */
const limits: readonly (readonly [number, number] | undefined)[] = [
  undefined,
  undefined,
  [-(2 ** 31), 2 ** 31 - 1],
  [-(2 ** 63), 2 ** 63 - 1024],
  [0, 255],
];

/** A number as an element of a tensor: never wrapped, never truncated. */
function element(value: number | bigint, dtype: number, operation: string, name: string): number | bigint {
  const limit = limits[dtype];
  if (typeof value === 'bigint' && dtype === dtypeCode['int64']) {
    if (BigInt.asIntN(64, value) === value) return value;
  } else {
    const number = Number(value);
    if (!limit) return number;
    if (Number.isInteger(number) && number >= limit[0] && number <= limit[1])
      return dtype === dtypeCode['int64'] ? BigInt(value) : number;
  }
  throw new ValueError(operation, name, `${name} holds ${value} (expected integers of ${dtypes[dtype].name})`);
}

/** Flattens nested lists; all lists of one depth must have one length. @internal */
export function fromLists(
  lists: readonly NestedArray[],
  dtype: number,
  operation: string,
  name: string,
): { array: TypedArray; shape: number[] } {
  const shape: number[] = [];
  for (let level: NestedArray | undefined = lists; Array.isArray(level); level = (level as readonly NestedArray[])[0]) {
    shape.push(level.length);
    if (shape.length > 8) throw new ShapeError(operation, name, `${name} is nested more than 8 deep`);
  }
  if (elementsOf(shape) > 2 ** 31) throw new ShapeError(operation, name, `${name} has too many numbers for a list`);
  const array = new dtypes[dtype].Array(elementsOf(shape));
  let at = 0;
  const fill = (value: NestedArray, depth: number): void => {
    if (depth === shape.length) {
      if (Array.isArray(value)) throw new ShapeError(operation, name, `${name} has lists of different depths`);
      const plain = typeof value === 'boolean' ? Number(value) : value;
      if (typeof plain !== 'number' && typeof plain !== 'bigint')
        throw new DTypeError(operation, name, `${name} holds ${shown(value)} (expected numbers)`);
      array[at++] = element(plain, dtype, operation, name);
      return;
    }
    if (!Array.isArray(value) || value.length !== shape[depth]) {
      throw new ShapeError(
        operation,
        name,
        `${name} has lists of different lengths (expected ${shape[depth]} everywhere at depth ${depth})`,
      );
    }
    for (let i = 0; i < value.length; ++i) fill((value as readonly NestedArray[])[i], depth + 1);
  };
  fill(lists, 0);
  return { array, shape };
}

/** The same numbers of another type; those that it cannot hold are refused. @internal */
export function converted(
  array: ArrayLike<number | bigint>,
  dtype: number,
  operation: string,
  name: string,
): TypedArray {
  const result = new dtypes[dtype].Array(array.length);
  for (let i = 0; i < array.length; ++i) result[i] = element(array[i], dtype, operation, name);
  return result;
}
