import type { Vector } from 'apache-arrow';

import { columnOf, isVector, vectorOf } from './arrow/column';
import * as autograd from './autograd';
import { copyKernel } from './call';
import { cpu, type Device, deviceOf } from './device';
import { codeOfArray, type DType, dtypeCode, dtypes, isTypedArray, type TypedArray } from './dtype';
import { DeviceError, DTypeError, ShapeError, ValueError } from './errors';
import { allocate, type Memory, release, wrapArray } from './memory';

/** Nested lists of numbers: `[[1, 2], [3, 4]]`. */
export type NestedArray = number | readonly NestedArray[];
/** Whatever holds the elements of a tensor. Only plain lists of numbers, and columns in several chunks, are copied. */
export type TensorLike = Tensor | TypedArray | Vector | readonly NestedArray[];

export interface TensorOptions {
  /** Default: the shape of the source. */
  shape?: readonly number[];
  /** Default: the source's, float32 for lists of numbers. Another one than the source's makes a converted copy. */
  dtype?: DType;
  /** Default `'cpu'`. */
  device?: string;
  /** Whether `backward()` computes a gradient for this tensor. */
  requiresGrad?: boolean;
  /** What error messages call the column. */
  name?: string;
}

/** How tensors of other copies of this package are recognised. */
const brand = Symbol.for('upsilon-kernels.tensor');

/** @internal */
export function elementsOf(shape: readonly number[]): number {
  let elements = 1;
  for (let d = 0; d < shape.length; ++d) elements *= shape[d]!;
  return elements;
}

/** @internal */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/**
 * A dense row-major array of numbers: a view on memory of an Arrow column, a typed array, or a native block, never a
 * copy of it. Made by {@link tensor} and by operations.
 */
export class Tensor {
  /** Sizes of the dimensions; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** The sum of what `backward()` found so far. */
  grad: Tensor | undefined;
  /** @internal */ readonly _memory: Memory;
  /** @internal */ readonly _dtype: number;
  /** @internal */ readonly _device: Device;
  /** @internal */ _requiresGrad = false;
  /** The call that made this tensor, when a gradient may be wanted. @internal */
  _origin: autograd.Origin | undefined;
  /** @internal */ _disposed = false;

  /** @internal */
  constructor(memory: Memory, dtype: number, shape: readonly number[], device: Device) {
    this._memory = memory;
    this._dtype = dtype;
    this._device = device;
    this.shape = shape;
    this.grad = undefined;
    this._origin = undefined;
  }

  get [brand](): true {
    return true;
  }

  /** Type of the elements. */
  get dtype(): DType {
    return dtypes[this._dtype]!.name;
  }

  /** `'cpu'`, `'cuda:0'`, `'emulated:0'`. */
  get device(): string {
    return this._device.name;
  }

  /** Number of elements. */
  get size(): number {
    return elementsOf(this.shape);
  }

  /**
   * The elements, row by row: a view, never a copy. Writing to it changes the tensor.
   * @throws DeviceError when the tensor is not on the CPU
   * @throws ValueError after `dispose()`
   */
  get data(): TypedArray {
    if (this._disposed) throw new ValueError('tensor', 'data', 'data was disposed of');
    if (!this._memory.array) {
      throw new DeviceError('tensor', 'data', `data is on ${this.device} (use .to('cpu') to get a copy on the CPU)`);
    }
    return this._memory.array;
  }

  /**
   * The only element, as a number.
   * @throws ShapeError when there are more or fewer
   */
  item(): number {
    if (this.size !== 1)
      throw new ShapeError(
        'tensor',
        'item',
        `item of a tensor of shape ${shapeText(this.shape)} (expected one element)`,
      );
    return Number((this._memory.array ? this : this.to('cpu')).data[0]);
  }

  /** The tensor as an Arrow vector on the same memory: `FixedSizeList` for every dimension after the first. */
  toArrow(): Vector {
    if (this.shape.length === 0)
      throw new ShapeError('tensor', 'toArrow', 'a scalar is no column (expected at least one dimension)');
    return vectorOf(this.data, this._dtype, this.shape);
  }

  /** Nested lists of numbers, for printing and for tests. */
  toArray(): NestedArray {
    const data = this._memory.array ? this.data : this.to('cpu').data;
    const build = (dimension: number, offset: number): NestedArray => {
      if (dimension === this.shape.length) return Number(data[offset]);
      const rows = this.shape[dimension]!;
      const stride = elementsOf(this.shape.slice(dimension + 1));
      return Array.from({ length: rows }, (_, row) => build(dimension + 1, offset + row * stride));
    };
    return build(0, 0);
  }

  /**
   * This tensor on another device: itself when it is there already, otherwise a copy. Waits for the device, and throws
   * what its kernels found wrong.
   * @throws DeviceError when the device cannot be used
   */
  to(device: string): Tensor {
    const target = deviceOf(device);
    if (target === this._device) return this;
    if (target.type !== cpu.type && this._device.type !== cpu.type) return this.to('cpu').to(device);
    const copy = new Tensor(allocate(this._dtype, this.size, target), this._dtype, this.shape, target);
    copyKernel(this, copy);
    return autograd.record(copy, [this], (gradient) => [gradient.to(this.device)]);
  }

  /**
   * The same elements in another shape, on the same memory.
   * @throws ShapeError when the number of elements differs
   */
  reshape(shape: readonly number[]): Tensor {
    checkShape(shape, this.size, 'reshape');
    const view = new Tensor(this._memory, this._dtype, [...shape], this._device);
    view._disposed = this._disposed;
    return autograd.record(view, [this], (gradient) => [gradient.reshape(this.shape)]);
  }

  /** Whether `backward()` computes a gradient here: set on parameters, inherited by what is computed from them. */
  get requiresGrad(): boolean {
    return this._requiresGrad;
  }

  set requiresGrad(wanted: boolean) {
    if (wanted && !dtypes[this._dtype]!.floating) {
      throw new DTypeError(
        'tensor',
        'requiresGrad',
        `a tensor of ${this.dtype} has no gradient (expected float32 or float64)`,
      );
    }
    this._requiresGrad = wanted;
  }

  /**
   * Computes the gradients of this tensor with respect to everything it was computed from that has `requiresGrad`, and
   * adds them to `grad` there.
   * @param gradient - of the final quantity with respect to this tensor; may be left out for a scalar
   * @throws ShapeError when it is left out and the tensor has several elements, or has another shape
   */
  backward(gradient?: TensorLike): void {
    autograd.backward(
      this,
      gradient === undefined ? undefined : tensor(gradient, { dtype: this.dtype, device: this.device }),
    );
  }

  /** The same memory, but what is computed from it is not traced back. */
  detach(): Tensor {
    const view = new Tensor(this._memory, this._dtype, this.shape, this._device);
    view._disposed = this._disposed;
    return view;
  }

  /** Frees the memory now if it is a native block; views on it have length 0 afterwards, and operations refuse it. */
  dispose(): void {
    if (this._disposed) return;
    this._disposed = true;
    release(this._memory);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** @internal */
export function checkShape(shape: readonly number[], elements: number | undefined, operation: string): void {
  if (
    !Array.isArray(shape) ||
    shape.length > 8 ||
    !shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)
  ) {
    throw new ShapeError(
      operation,
      'shape',
      `shape is ${Array.isArray(shape) ? shapeText(shape) : String(shape)} (expected at most 8 sizes)`,
    );
  }
  if (elements !== undefined && elementsOf(shape) !== elements) {
    throw new ShapeError(
      operation,
      'shape',
      `shape ${shapeText(shape)} has ${elementsOf(shape)} elements but there are ${elements}`,
    );
  }
}

function isForeignTensor(value: object): value is Tensor {
  return (value as { [brand]?: boolean })[brand] === true;
}

/** Flattens nested lists; all lists of one depth must have one length. */
function fromLists(lists: readonly NestedArray[], dtype: number, name: string): { array: TypedArray; shape: number[] } {
  const shape: number[] = [];
  for (let level: NestedArray | undefined = lists; Array.isArray(level); level = (level as readonly NestedArray[])[0]) {
    shape.push(level.length);
    if (shape.length > 8) throw new ShapeError('tensor', name, `${name} is nested more than 8 deep`);
  }
  const array = new dtypes[dtype]!.Array(elementsOf(shape));
  let at = 0;
  const fill = (value: NestedArray, depth: number): void => {
    if (depth === shape.length) {
      if (Array.isArray(value)) throw new ShapeError('tensor', name, `${name} has lists of different depths`);
      if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'boolean') {
        throw new DTypeError(
          'tensor',
          name,
          `${name} holds ${value === null ? 'null' : typeof value} (expected numbers)`,
        );
      }
      if (dtype === dtypeCode['int64']) {
        if (typeof value === 'number' && !Number.isInteger(value))
          throw new ValueError('tensor', name, `${name} holds ${value} (expected integers)`);
        array[at++] = BigInt(value);
      } else {
        const number = Number(value);
        if (!dtypes[dtype]!.floating && (!Number.isInteger(number) || Math.abs(number) >= 2 ** 31)) {
          throw new ValueError('tensor', name, `${name} holds ${number} (expected integers of ${dtypes[dtype]!.name})`);
        }
        array[at++] = number;
      }
      return;
    }
    if (!Array.isArray(value) || value.length !== shape[depth]) {
      throw new ShapeError(
        'tensor',
        name,
        `${name} has lists of different lengths (expected ${shape[depth]} everywhere at depth ${depth})`,
      );
    }
    for (const inner of value as readonly NestedArray[]) fill(inner, depth + 1);
  };
  fill(lists, 0);
  return { array, shape };
}

function converted(array: ArrayLike<number | bigint>, dtype: number): TypedArray {
  const result = new dtypes[dtype]!.Array(array.length);
  if (dtype === dtypeCode['int64']) for (let i = 0; i < array.length; ++i) result[i] = BigInt(array[i]!);
  else for (let i = 0; i < array.length; ++i) result[i] = Number(array[i]);
  return result;
}

/**
 * A tensor on the memory of `source`. Typed arrays and one-chunk Arrow vectors (Float32, Float64, Int32, Int64, Uint8 and
 * FixedSizeLists of them, nested or not) are not copied; several chunks are gathered once; lists of numbers are copied.
 * @throws DTypeError for element types that no operation knows
 * @throws ValueError for columns with nulls, saying how many
 * @throws ShapeError when `shape` does not fit, or lists are of different lengths
 */
export function tensor(source: TensorLike, options: TensorOptions = {}): Tensor {
  const name = options.name ?? 'source';
  const wanted = options.dtype === undefined ? undefined : dtypeCode[options.dtype];
  if (options.dtype !== undefined && wanted === undefined) {
    throw new DTypeError(
      'tensor',
      'dtype',
      `dtype is '${String(options.dtype)}' (expected float32, float64, int32, int64 or uint8)`,
    );
  }
  let made = view(source, wanted, name);
  if (wanted !== undefined && made._dtype !== wanted) {
    const host = made.to('cpu');
    made = new Tensor(wrapArray(converted(host.data as ArrayLike<number | bigint>, wanted)), wanted, made.shape, cpu);
  }
  if (options.shape) made = made.reshape(options.shape);
  if (options.device !== undefined) made = made.to(options.device);
  if (options.requiresGrad) {
    // The marked tensor must be one of its own: the source may be in use elsewhere.
    if (made === source) made = made.detach();
    made.requiresGrad = true;
  }
  return made;
}

function view(source: TensorLike, wanted: number | undefined, name: string): Tensor {
  if (source instanceof Tensor) return source;
  if (isTypedArray(source)) {
    const dtype = codeOfArray(source);
    if (dtype !== undefined) return new Tensor(wrapArray(source), dtype, [source.length], cpu);
    if (wanted !== undefined)
      return new Tensor(wrapArray(converted(source, wanted)), wanted, [(source as TypedArray).length], cpu);
    const found = (source as { [Symbol.toStringTag]: string })[Symbol.toStringTag];
    throw new DTypeError(
      'tensor',
      name,
      `${name} is a ${found} (expected Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array; or say which dtype it is to become)`,
    );
  }
  if (Array.isArray(source)) {
    const { array, shape } = fromLists(source as readonly NestedArray[], wanted ?? 0, name);
    return new Tensor(wrapArray(array), wanted ?? 0, shape, cpu);
  }
  if (typeof source === 'object' && source !== null) {
    if (isVector(source)) {
      const { array, dtype, shape } = columnOf(source, name);
      return new Tensor(wrapArray(array), dtype, shape, cpu);
    }
    if (isForeignTensor(source)) {
      return new Tensor(wrapArray(source.data), dtypeCode[source.dtype]!, [...source.shape], cpu);
    }
  }
  throw new DTypeError(
    'tensor',
    name,
    `${name} is ${source === null ? 'null' : typeof source} (expected a tensor, a typed array, an Arrow vector or lists of numbers)`,
  );
}

/** @internal */
export function empty(dtype: number, shape: readonly number[], device: Device): Tensor {
  return new Tensor(allocate(dtype, elementsOf(shape), device), dtype, shape, device);
}

/** @internal */
export function filled(like: Tensor, value: number): Tensor {
  const made = empty(like._dtype, like.shape, cpu);
  if (made._dtype === dtypeCode['int64']) (made.data as BigInt64Array).fill(BigInt(value));
  else (made.data as Float32Array).fill(value);
  return made.to(like.device);
}

/** A tensor of zeros. */
export function zeros(
  shape: readonly number[],
  options: { dtype?: DType; device?: string; requiresGrad?: boolean } = {},
): Tensor {
  const dtype = options.dtype ?? 'float32';
  checkShape(shape, undefined, 'zeros');
  const code = dtypeCode[dtype];
  if (code === undefined)
    throw new DTypeError(
      'zeros',
      'dtype',
      `dtype is '${String(dtype)}' (expected float32, float64, int32, int64 or uint8)`,
    );
  return tensor(filled(empty(code, [...shape], cpu), 0), {
    device: options.device ?? 'cpu',
    requiresGrad: options.requiresGrad ?? false,
  });
}
