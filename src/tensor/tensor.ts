import type { Vector } from 'apache-arrow';

import { type Arithmetic, backward } from '../autograd/backward';
import { type Origin, record } from '../autograd/tape';
import { addTo } from '../runtime/accumulate';
import { cpu, type Device, deviceOf } from '../runtime/device';
import { type DType, dtypeCode, dtypes, type TypedArray } from '../runtime/dtype';
import { DeviceError, DTypeError, ShapeError, UpsilonError, ValueError } from '../runtime/errors';
import { copy } from '../runtime/frame';
import { allocate, type Memory, release, wrapArray } from '../runtime/memory';
import { immediately } from '../runtime/queue';
import { shareStorage, viewOf } from '../runtime/view';
import { vectorOf } from './column';
import { converted, type NestedArray } from './lists';
import { checkShape, elementsOf, inferredShape, shapeText } from './shape';
import { sourceOf, tensorBrand } from './source';

/**
 * Anything that can become a tensor. Only nested lists of numbers and columns of several chunks are
 * copied.
 */
export type TensorLike = Tensor | TypedArray | Vector | readonly NestedArray[];

/**
 * A dense row-major array of numbers: a view of the memory of an Arrow column, a typed array or a
 * native block, never a copy. Made by {@link tensor} and by operations.
 */
export class Tensor {
  /** Sizes of the dimensions; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** The gradient, summed over all calls of `backward()` so far; undefined before the first. */
  grad: Tensor | undefined;
  /** @internal */ readonly _memory: Memory;
  /** @internal */ readonly _dtype: number;
  /** @internal */ readonly _device: Device;
  /** @internal */ _requiresGrad = false;
  /** The call that made this tensor, when a gradient may be wanted. @internal */
  _origin: Origin<Tensor> | undefined;
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

  /** @internal */
  get [tensorBrand](): true {
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

  /**
   * The tensor as an Arrow vector on the same memory: `FixedSizeList` for every dimension after the
   * first.
   */
  toArrow(): Vector {
    if (this.shape.length === 0)
      throw new ShapeError('tensor', 'toArrow', 'a scalar is not a column (expected at least one dimension)');
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
   * This tensor on another device: itself when it is already there, otherwise a copy. Waits for the
   * device, and throws the errors that its kernels have reported.
   * @throws DeviceError when the device cannot be used
   */
  to(device: string): Tensor {
    const target = deviceOf(device);
    if (target === this._device) return this;
    if (target.type !== cpu.type && this._device.type !== cpu.type) return this.to('cpu').to(device);
    const made = empty(this._dtype, this.shape, target, 'tensor', 'device');
    copy(this, made);
    return record<Tensor>(made, [this], (gradient) => [gradient.to(this.device)]);
  }

  /**
   * The same elements in another shape, on the same memory.
   * @param shape - one size may be -1: it is inferred from the others
   * @throws ShapeError when the number of elements differs
   */
  reshape(shape: readonly number[]): Tensor {
    const wanted = inferredShape(shape, this.size);
    checkShape(wanted, this.size, 'reshape');
    return record<Tensor>(this._view(0, [...wanted]), [this], (gradient) => [gradient.reshape(this.shape)]);
  }

  /**
   * The elements from the one numbered `begin` on as a tensor of another shape, on the same memory
   * and not traced. Every view is made here.
   * @internal
   */
  _view(begin: number, shape: readonly number[]): Tensor {
    const elements = elementsOf(shape),
      size = this.size;
    if (!(begin >= 0 && begin + elements <= size)) {
      const text = `a view of ${shapeText(shape)} from element ${begin} on does not lie inside ${shapeText(this.shape)}`;
      throw new UpsilonError('ERR_UPSILON_INTERNAL', 'tensor', 'shape', text);
    }
    const isPart = elements < size && !this._disposed;
    const memory = isPart ? viewOf(this._memory, this._dtype, begin, elements) : this._memory;
    const view = new Tensor(memory, this._dtype, shape, this._device);
    view._disposed = this._disposed;
    return view;
  }

  /**
   * Whether `backward()` computes a gradient here: set on parameters, inherited by everything
   * computed from them.
   */
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
   * Computes the gradients of this tensor with respect to everything it was computed from that has
   * `requiresGrad`, and adds them to `grad` there.
   * @param gradient - gradient of the final quantity with respect to this tensor; optional for a
   *   scalar
   * @throws ShapeError when it is omitted and the tensor has several elements, or when its shape
   *   differs
   */
  backward(gradient?: TensorLike): void {
    const dtype = this._dtype;
    const given =
      gradient === undefined
        ? undefined
        : ofType(asTensor(gradient, dtype, 'backward', 'gradient'), dtype, 'backward', 'gradient').to(this.device);
    backward<Tensor>(this, given, arithmetic);
  }

  /** A tensor on the same memory, cut off from the tape: no gradient passes through it. */
  detach(): Tensor {
    return this._view(0, this.shape);
  }

  /**
   * Frees the memory now if it is a native block; its views then have length 0, and operations
   * refuse it.
   */
  dispose(): void {
    if (this._disposed) return;
    this._disposed = true;
    release(this._memory);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** `tensor` for an argument of an operation, which errors then name. @internal */
export function asTensor(source: TensorLike, wanted: number | undefined, operation: string, name: string): Tensor {
  if (source instanceof Tensor) return source;
  const { array, dtype, shape } = sourceOf(source, wanted, operation, name);
  return new Tensor(wrapArray(array), dtype, shape, cpu);
}

type Alike<Sources> = {
  [Name in keyof Sources]: undefined extends Sources[Name] ? Tensor | undefined : Tensor;
};

/**
 * Arguments of an operation that compares or counts numbers, all of one element type. Lists take
 * that of the first tensor among them; where there is none they become float64, so that numbers
 * that differ stay different. @internal
 */
export function asAlike<Sources extends Readonly<Record<string, TensorLike | undefined>>>(
  sources: Sources,
  operation: string,
): Alike<Sources> {
  const made = Object.entries(sources).map(([name, source]) =>
    source === undefined || Array.isArray(source) ? source : asTensor(source, undefined, operation, name),
  );
  const typed = made.find((found) => found instanceof Tensor && dtypes[found._dtype].floating) as Tensor | undefined;
  const type = typed?._dtype ?? dtypeCode['float64'];
  const entries = Object.keys(sources).map((name, i) => {
    const found = made[i];
    return [name, found === undefined ? undefined : asTensor(found, type, operation, name)] as const;
  });
  return Object.fromEntries(entries) as Alike<Sources>;
}

/**
 * The same numbers of another element type where they are, without a gradient: a copy. @internal
 */
export function ofType(given: Tensor, dtype: number, operation: string, name: string): Tensor {
  if (given._dtype === dtype) return given;
  const array = converted(immediately(() => given.to('cpu')).data, dtype, operation, name);
  return new Tensor(wrapArray(array), dtype, given.shape, cpu).to(given.device);
}

/**
 * A tensor with uninitialised elements.
 * @param operation - the operation and the `argument` that need it, named in errors
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
  copy(made, there);
  return there;
}

/** What `backward()` does with gradients. */
const arithmetic: Arithmetic<Tensor> = {
  onesLike: (tensor) => filled(tensor, 1, 'backward', 'gradient'),
  copyOf: (tensor) => {
    const made = empty(tensor._dtype, tensor.shape, tensor._device, 'backward', 'gradient');
    copy(tensor, made);
    return made;
  },
  addTo,
  shareMemory: (one, other) => shareStorage(one._memory, other._memory),
};
