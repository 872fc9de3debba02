import { shown } from './check';
import { cpu, type Device } from './device';
import { dtypes, isShared, type TypedArray } from './dtype';
import { failedAllocation, OutOfMemoryError, ValueError } from './errors';
import { native, type NativeBlock } from './native';

/** `MemoryKind` of native/addon/frame.h. @internal */
export const enum Kind {
  absent,
  array,
  shared,
  block,
}

/** Where a tensor's elements are. Several tensors may share one. @internal */
export interface Memory {
  readonly kind: Kind;
  /** Host memory: exactly the elements. */
  readonly array: TypedArray | undefined;
  /** For `Kind.block`: its number, and what keeps it alive. */
  readonly block: number;
  readonly keeper: NativeBlock | undefined;
  /**
   * Where the elements begin in what a call is given: in the block {bytes}; 0 for an array, which
   * begins there itself.
   */
  readonly byteOffset: number;
}

/** A tensor as calls see it. @internal */
export interface Elements {
  readonly _memory: Memory;
  /** The number of their type in `dtypes`. */
  readonly _dtype: number;
  readonly _device: Device;
  readonly _disposed: boolean;
  readonly shape: readonly number[];
}

/**
 * Below this, memory of the JavaScript engine is cheaper than a block (measured: they break even at
 * 4 to 16 KB).
 */
const smallestBlock = 16384;
/**
 * Blocks that are not disposed of are released by finalizers, which run only between turns of the
 * event loop: a long synchronous loop would pile them up. Beyond this many bytes in one turn, the
 * engine's own memory is used, which it frees at any time.
 */
const largestTurn = 256 * 2 ** 20;
/** No machine has so many bytes, and from here on their number is not exact. */
const addressable = 2 ** 52;
let bytesThisTurn = 0;
let turnIsCounted = false;

/**
 * Which ArrayBuffers are memory of the library: views on them need no copy in calls off the thread.
 */
const blockOfBuffer = new WeakMap<object, NativeBlock>();

/**
 * The block that an array is a view on; undefined for memory of the JavaScript engine. @internal
 */
export function blockUnder(array: TypedArray): NativeBlock | undefined {
  // A detached view no longer refers to the block.
  return array.byteLength > 0 ? blockOfBuffer.get(array.buffer) : undefined;
}

function known(block: NativeBlock): NativeBlock {
  if (block.buffer && block.id !== undefined) blockOfBuffer.set(block.buffer, block);
  return block;
}

/**
 * A file as bytes; nothing is read before it is used. Errors name `operation` and its argument
 * `file`. @internal
 */
export function mapFile(file: string, operation: string): Uint8Array {
  if (typeof file !== 'string') throw new ValueError(operation, 'file', `file is ${shown(file)} (expected a name)`);
  try {
    return new Uint8Array(known(native.mapFile(file)).buffer!);
  } catch (error) {
    if (error instanceof ValueError) throw new ValueError(operation, 'file', error.message);
    throw error;
  }
}

/** @internal */
export function wrapArray(array: TypedArray): Memory {
  return { kind: isShared(array) ? Kind.shared : Kind.array, array, block: 0, keeper: undefined, byteOffset: 0 };
}

/**
 * Memory for `elements` elements, not initialised.
 * @param operation - who needs it, and for which `argument`, as users call them
 * @throws OutOfMemoryError, DeviceError that say so
 * @internal
 */
export function allocate(dtype: number, elements: number, device: Device, operation: string, argument: string): Memory {
  const { bytes, Array: Elements } = dtypes[dtype];
  const size = elements * bytes;
  if (device === cpu) {
    if ((size < smallestBlock || bytesThisTurn + size > largestTurn) && size < 2 ** 32) {
      try {
        return { kind: Kind.array, array: new Elements(elements), block: 0, keeper: undefined, byteOffset: 0 };
      } catch {
        // The engine has no memory left: a block may still be had, and if not, its error has a
        // type.
      }
    }
  }
  const made = known(createBlock(size, device, operation, argument));
  if (device === cpu) countThisTurn(size);
  const array = made.buffer && new Elements(made.buffer, 0, elements);
  if (made.id === undefined) return wrapArray(array!);
  return { kind: Kind.block, array, block: made.id, keeper: made, byteOffset: 0 };
}

function createBlock(size: number, device: Device, operation: string, argument: string): NativeBlock {
  try {
    if (size > addressable) throw new OutOfMemoryError('', '', `${size} bytes are more than can be addressed`);
    return native.block(size, device.type, device.id);
  } catch (error) {
    throw failedAllocation(error, operation, argument);
  }
}

function countThisTurn(size: number): void {
  bytesThisTurn += size;
  if (turnIsCounted) return;
  turnIsCounted = true;
  setImmediate(() => {
    bytesThisTurn = 0;
    turnIsCounted = false;
  }).unref();
}

/** Frees a block now; memory of the engine is left to the engine. @internal */
export function release(memory: Memory): void {
  if (memory.kind !== Kind.block) return;
  const bytes = memory.keeper!.buffer?.byteLength ?? 0;
  if (native.dispose(memory.block, memory.keeper!.buffer)) bytesThisTurn = Math.max(0, bytesThisTurn - bytes);
}
