// Parts of memory. Nothing else makes one: where a part begins is said differently for arrays,
// blocks and devices.
import { dtypes, type TypedArray } from './dtype';
import { Kind, type Memory } from './memory';

/**
 * The memory of `elements` elements of what `memory` holds, from the one numbered `begin` on.
 * @param dtype - of the elements
 * @internal
 */
export function viewOf(memory: Memory, dtype: number, begin: number, elements: number): Memory {
  const { kind, array, block, keeper, byteOffset } = memory;
  const end = begin + elements;
  return {
    kind,
    // Memory that is gone (a disposed block, a detached array) has no parts: the call that uses it
    // reports the error.
    array: array && array.length >= end ? array.subarray(begin, end) : array,
    block,
    keeper,
    byteOffset: kind === Kind.block ? byteOffset + begin * dtypes[dtype].bytes : 0,
  };
}

/** Parts that follow each other in host memory, as one; undefined where they do not. @internal */
export function joined(parts: readonly Memory[]): Memory | undefined {
  const first = parts[0];
  if (!first?.array) return undefined;
  const begin = first.array.byteOffset;
  let bytes = 0;
  for (const part of parts) {
    if (!shareStorage(first, part) || part.array!.byteOffset !== begin + bytes) return undefined;
    bytes += part.array!.byteLength;
  }
  const Elements = first.array.constructor as new (
    buffer: ArrayBufferLike,
    begin: number,
    length: number,
  ) => TypedArray;
  return { ...first, array: new Elements(first.array.buffer, begin, bytes / first.array.BYTES_PER_ELEMENT) };
}

/** Whether writing to the one may change the other. @internal */
export function shareStorage(one: Memory, other: Memory): boolean {
  if (one === other) return true;
  // A device's block has no array; one on the host may be known by its array alone.
  if (one.array === undefined || other.array === undefined)
    return one.kind === Kind.block && other.kind === Kind.block && one.block === other.block;
  return one.array.buffer === other.array.buffer;
}

/** Whether the first elements of both are the same memory. @internal */
export function beginTogether(one: Memory, other: Memory): boolean {
  return (
    shareStorage(one, other) &&
    (one.array?.byteOffset ?? one.byteOffset) === (other.array?.byteOffset ?? other.byteOffset)
  );
}
