import type { Vector } from 'apache-arrow';

import { columnOf, isVector, vectorOf } from './arrow/column';
import * as autograd from './autograd';
import { copyKernel } from './call';
import { KnownOptions, shown } from './check';
import { cpu, type Device, deviceOf } from './device';
import { codeOfArray, type DType, dtypeCode, dtypes, isTypedArray, type TypedArray } from './dtype';
import { DeviceError, DTypeError, ShapeError, ValueError } from './errors';
import { allocate, type Memory, release, wrapArray } from './memory';

/** Nested lists of numbers: `[[1, 2], [3, 4]]`; bigints for int64. */
export type NestedArray = number | bigint | readonly NestedArray[];
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
  for (let d = 0; d < shape.length; ++d) elements *= shape[d];
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
    return dtypes[this._dtype].name;
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

  /** Nested lists of numbers (of bigints for int64), for printing and for tests. */
  toArray(): NestedArray {
    const data = this._memory.array ? this.data : this.to('cpu').data;
    const build = (dimension: number, offset: number): NestedArray => {
      if (dimension === this.shape.length) return data[offset];
      const rows = this.shape[dimension];
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
    const copy = empty(this._dtype, this.shape, target, 'tensor', 'device');
    copyKernel(this, copy);
    return autograd.record(copy, [this], (gradient) => [gradient.to(this.device)]);
  }

  /**
   * The same elements in another shape, on the same memory.
   * @param shape - one size may be -1: what the others leave
   * @throws ShapeError when the number of elements differs
   */
  reshape(shape: readonly number[]): Tensor {
    const wanted = inferred(shape, this.size);
    checkShape(wanted, this.size, 'reshape');
    const view = new Tensor(this._memory, this._dtype, [...wanted], this._device);
    view._disposed = this._disposed;
    return autograd.record(view, [this], (gradient) => [gradient.reshape(this.shape)]);
  }

  /** Whether `backward()` computes a gradient here: set on parameters, inherited by what is computed from them. */
  get requiresGrad(): boolean {
    return this._requiresGrad;
  }

  set requiresGrad(wanted: boolean) {
    if (wanted && !dtypes[this._dtype].floating) {
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

/** The shape with its only -1 replaced; any other is left to {@link checkShape}. */
function inferred(shape: readonly number[], elements: number): readonly number[] {
  const wanted: unknown = shape;
  if (!Array.isArray(wanted) || shape.filter((extent) => extent === -1).length !== 1) return shape;
  const rest = elements / elementsOf(shape.filter((extent) => extent !== -1));
  return Number.isSafeInteger(rest) ? shape.map((extent) => (extent === -1 ? rest : extent)) : shape;
}

/** @internal */
export function checkShape(shape: readonly number[], elements: number | undefined, operation: string): void {
  if (
    !Array.isArray(shape) ||
    shape.length > 8 ||
    !shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)
  ) {
    const found = Array.isArray(shape) ? `[${shape.map(shown).slice(0, 9).join(', ')}]` : shown(shape);
    throw new ShapeError(operation, 'shape', `shape is ${found} (expected at most 8 sizes)`);
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

/** Flattens nested lists; all lists of one depth must have one length. */
function fromLists(
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

function converted(array: ArrayLike<number | bigint>, dtype: number, operation: string, name: string): TypedArray {
  const result = new dtypes[dtype].Array(array.length);
  for (let i = 0; i < array.length; ++i) result[i] = element(array[i], dtype, operation, name);
  return result;
}

/** The number of an element type in {@link dtypes}. @internal */
export function codeOf(dtype: unknown, operation: string): number {
  const code = typeof dtype === 'string' ? dtypeCode[dtype] : undefined;
  if (code !== undefined) return code;
  const names = dtypes.map(({ name }) => name).join(', ');
  throw new DTypeError(operation, 'dtype', `dtype is ${shown(dtype)} (expected ${names})`);
}

const knownOptions = new KnownOptions('shape', 'dtype', 'device', 'requiresGrad', 'name');

/**
 * A tensor on the memory of `source`. Typed arrays and one-chunk Arrow vectors (Float32, Float64, Int32, Int64, Uint8 and
 * FixedSizeLists of them, nested or not) are not copied; several chunks are gathered once; lists of numbers are copied.
 * @throws DTypeError for element types that no operation knows
 * @throws ValueError for columns with nulls, saying how many; for numbers that the element type cannot hold
 * @throws ShapeError when `shape` does not fit, or lists are of different lengths
 */
export function tensor(source: TensorLike, options: TensorOptions = {}): Tensor {
  knownOptions.check(options, 'tensor');
  const { shape, device, requiresGrad } = options;
  const name = options.name === undefined ? 'source' : String(options.name);
  const wanted = options.dtype === undefined ? undefined : codeOf(options.dtype, 'tensor');
  if (requiresGrad !== undefined && typeof requiresGrad !== 'boolean') {
    const text = `requiresGrad is ${shown(requiresGrad)} (expected true or false)`;
    throw new ValueError('tensor', 'requiresGrad', text);
  }
  let made = asTensor(source, wanted, 'tensor', name);
  if (wanted !== undefined && made._dtype !== wanted) {
    const host = made.to('cpu');
    const array = converted(host.data, wanted, 'tensor', name);
    made = new Tensor(wrapArray(array), wanted, made.shape, cpu);
  }
  if (shape !== undefined) {
    checkShape(shape, made.size, 'tensor');
    made = made.reshape(shape);
  }
  if (device !== undefined) made = made.to(device);
  if (requiresGrad) {
    // The marked tensor must be one of its own: the source may be in use elsewhere.
    if (made === source) made = made.detach();
    made.requiresGrad = true;
  }
  return made;
}

/** {@link tensor} for an argument of an operation, which errors then name. @internal */
export function asTensor(source: TensorLike, wanted: number | undefined, operation: string, name: string): Tensor {
  if (source instanceof Tensor) return source;
  if (isTypedArray(source)) {
    const dtype = codeOfArray(source);
    if (dtype !== undefined) return new Tensor(wrapArray(source), dtype, [source.length], cpu);
    if (wanted !== undefined) {
      const array = converted(source, wanted, operation, name);
      return new Tensor(wrapArray(array), wanted, [array.length], cpu);
    }
    const found = (source as { [Symbol.toStringTag]: string })[Symbol.toStringTag];
    const classes = dtypes.map(({ Array }) => Array.name).join(', ');
    const text = `${name} is a ${found} (expected ${classes}; or say which dtype it is to become)`;
    throw new DTypeError(operation, name, text);
  }
  if (Array.isArray(source)) {
    const { array, shape } = fromLists(source as readonly NestedArray[], wanted ?? 0, operation, name);
    return new Tensor(wrapArray(array), wanted ?? 0, shape, cpu);
  }
  if (typeof source === 'object' && source !== null) {
    if (isVector(source)) {
      const { array, dtype, shape } = columnOf(source, name, operation);
      return new Tensor(wrapArray(array), dtype, shape, cpu);
    }
    if (isForeignTensor(source)) return adopted(source, operation, name);
  }
  throw new DTypeError(
    operation,
    name,
    `${name} is ${shown(source)} (expected a tensor, a typed array, an Arrow vector or lists of numbers)`,
  );
}

/** A tensor of another copy of this package, as a view on its memory. */
function adopted(foreign: Tensor, operation: string, name: string): Tensor {
  const { device, shape } = foreign;
  if (device !== 'cpu') {
    const text = `${name} is on ${shown(device)} in another copy of the package (expected it on the CPU)`;
    throw new DeviceError(operation, name, text);
  }
  const array = foreign.data;
  const dtype = isTypedArray(array) ? codeOfArray(array) : undefined;
  if (dtype === undefined) throw new DTypeError(operation, name, `${name} is no tensor that this version understands`);
  checkShape(shape, array.length, operation);
  return new Tensor(wrapArray(array), dtype, [...shape], cpu);
}

/** The rows of a tensor, each on its part of the same memory. @internal */
export function rowsOf(all: Tensor): Tensor[] {
  const shape = all.shape.slice(1);
  const size = elementsOf(shape);
  const { array, ...memory } = all._memory;
  return Array.from({ length: all.shape[0] }, (_, row) => {
    const part = array?.subarray(row * size, (row + 1) * size);
    const byteOffset = memory.byteOffset + row * size * dtypes[all._dtype].bytes;
    return new Tensor({ ...memory, array: part, byteOffset }, all._dtype, shape, all._device);
  });
}

/**
 * A tensor whose elements may be anything yet.
 * @param operation - who needs it, and for which `argument`; errors name them
 * @throws OutOfMemoryError
 * @internal
 */
export function empty(
  dtype: number,
  shape: readonly number[],
  device: Device,
  operation: string,
  argument: string,
): Tensor {
  return new Tensor(allocate(dtype, elementsOf(shape), device, operation, argument), dtype, shape, device);
}

/**
 * A tensor of one value; the other parameters are those of {@link empty}.
 * @internal
 */
export function filled(
  { _dtype: dtype, shape, _device: device }: Pick<Tensor, '_dtype' | 'shape' | '_device'>,
  value: number,
  operation: string,
  argument: string,
): Tensor {
  const made = empty(dtype, shape, cpu, operation, argument);
  if (dtype === dtypeCode['int64']) (made.data as BigInt64Array).fill(BigInt(value));
  else (made.data as Float32Array).fill(value);
  if (device === cpu) return made;
  const there = empty(dtype, shape, device, operation, argument);
  copyKernel(made, there);
  return there;
}

const knownZerosOptions = new KnownOptions('dtype', 'device', 'requiresGrad');

/**
 * A tensor of zeros. From 16 KB on its memory is a native block.
 * @throws ShapeError, DTypeError; ValueError for options that there are not
 */
export function zeros(
  shape: readonly number[],
  options: { dtype?: DType; device?: string; requiresGrad?: boolean } = {},
): Tensor {
  knownZerosOptions.check(options, 'zeros');
  const { dtype = 'float32', device = 'cpu', requiresGrad = false } = options;
  const code = codeOf(dtype, 'zeros');
  checkShape(shape, undefined, 'zeros');
  return tensor(filled({ _dtype: code, shape: [...shape], _device: cpu }, 0, 'zeros', 'shape'), {
    device,
    requiresGrad,
  });
}
