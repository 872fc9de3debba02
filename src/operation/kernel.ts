// Packs calls into the frame (native/addon/frame.h). Nothing here knows an operation: names, options and the shapes of
// outputs come from the schemas that the library tells. Shapes are not checked here: the gate does that.
import { shown } from '../runtime/check';
import { cpu, type Device } from '../runtime/device';
import { dtypeCode, dtypes, type TypedArray } from '../runtime/dtype';
import { camelCase, errorOf, publicName, publish, saidOf, UpsilonError } from '../runtime/errors';
import { blockUnder, Kind } from '../runtime/memory';
import {
  type DimensionDescription,
  frameLayout,
  native,
  type OperationDescription,
  type OptionDescription,
} from '../runtime/native';
import { empty, Tensor } from '../tensor/tensor';

const frame = new Float64Array(frameLayout.buffer);
const frameBits = new BigInt64Array(frameLayout.buffer);
const { optionsAt, tensorsAt, tensorStride } = frameLayout;
const VALUE = 3;

const descriptions = new Map<string, [OperationDescription, number]>();

function describe(name: string): [OperationDescription, number] {
  if (descriptions.size === 0)
    native.operations().forEach((operation, index) => descriptions.set(operation.name, [operation, index]));
  const found = descriptions.get(name);
  if (!found)
    throw new UpsilonError(
      'ERR_UPSILON_INTERNAL',
      publicName(name),
      '',
      'the native library does not have this operation',
    );
  return found;
}

/** Calls under way off the thread; undefined while calls are synchronous. */
let pending: Promise<void>[] | undefined;

/** Runs `body` with every kernel call queued instead of awaited; gives what it returned and the promises of its calls. */
export function collect<T>(body: () => T): { result?: T; error?: unknown; calls: Promise<void>[] } {
  const before = pending;
  const calls: Promise<void>[] = (pending = []);
  try {
    return { result: body(), calls };
  } catch (error) {
    return { error, calls };
  } finally {
    pending = before;
  }
}

/** Runs `check` when the calls made so far are done: at once, while calls are synchronous. What it throws is theirs. */
export function afterwards(check: () => void): void {
  if (pending) pending.push(Promise.all(pending).then(check));
  else check();
}

/** Runs `body` with every kernel call awaited, also inside {@link collect}: for what is looked at or kept at once. */
export function immediately<T>(body: () => T): T {
  const before = pending;
  pending = undefined;
  try {
    return body();
  } finally {
    pending = before;
  }
}

/**
 * The typed arrays of the call that is being packed. One list for all calls: between the first `pack` and `submit` no
 * code of the user runs.
 */
const arrays: TypedArray[] = [];
let arrayCount = 0;

/** Writes one tensor into the frame. */
function pack(at: number, tensor: Tensor): void {
  const memory = tensor._memory;
  const shape = tensor.shape;
  const array = memory.array;
  frame[at] = memory.kind;
  frame[at + 1] = tensor._dtype;
  frame[at + 2] = shape.length;
  frame[at + 3] = memory.byteOffset;
  if (memory.kind === Kind.block) {
    frame[at + 4] = memory.block;
  } else {
    const block = pending && blockUnder(array!);
    if (block) {
      frame[at] = Kind.block;
      frame[at + 3] = array!.byteOffset;
      frame[at + 4] = block.id!;
    } else {
      arrays[arrayCount++] = array!;
    }
  }
  for (let d = 0; d < shape.length && d < 8; ++d) frame[at + 5 + d] = shape[d]!;
}

function submit(operation: number, device: Device, as?: string): void {
  frame[0] = operation;
  frame[1] = device.type;
  frame[2] = device.id;
  const count = arrayCount;
  arrayCount = 0;
  try {
    if (pending) {
      const call = native.callAsync(...arrays.slice(0, count));
      pending.push(
        as === undefined ? call : call.catch((error: unknown) => Promise.reject(saidOf(error, as) as Error)),
      );
      return;
    }
    // Spreading a list costs more than the smallest kernels.
    switch (count) {
      case 1:
        return native.call(arrays[0]);
      case 2:
        return native.call(arrays[0], arrays[1]);
      case 3:
        return native.call(arrays[0], arrays[1], arrays[2]);
      case 4:
        return native.call(arrays[0], arrays[1], arrays[2], arrays[3]);
      default:
        return native.call(...arrays.slice(0, count));
    }
  } finally {
    // No large array may outlive its call here.
    for (let i = 0; i < count; ++i) arrays[i] = nothing;
  }
}
const nothing: TypedArray = new Uint8Array(0);

/** Copies elements between tensors of one shape and type, on any devices. */
export function copyKernel(source: Tensor, destination: Tensor): void {
  arrayCount = 0;
  pack(tensorsAt, source);
  pack(tensorsAt + tensorStride, destination);
  submit(-1, source._device === cpu ? destination._device : source._device);
}

/** Where a dimension's value is found: the first of these inputs that is given. */
interface DimensionSource {
  input: number;
  /** Counted from the end, so that leading dimensions do not matter. For `...`: how many dimensions follow it. */
  fromEnd: number;
  constant: number;
}

function extentOf(shape: readonly number[], { fromEnd, constant }: DimensionSource): number {
  return Math.max((shape[shape.length - fromEnd] ?? 0) - constant, 0);
}

export type OptionValues = Readonly<Record<string, unknown>>;

/** One operation of the C library, ready to be called. */
export class Kernel {
  private plan: Plan | undefined;

  /**
   * @param name - in the C library
   * @param words - what users call its arguments, by their names in the schema, where that differs
   * @param as - what users call the operation, where that differs
   */
  constructor(
    readonly name: string,
    words?: Readonly<Record<string, string>>,
    private readonly as?: string,
  ) {
    if (words || as) publish(name, words ?? {}, as);
  }

  get description(): Plan {
    return (this.plan ??= new Plan(this.name));
  }

  /**
   * @param inputs - in schema order
   * @param options - by their camelCase names
   * @param outputs - in schema order; made here where not given and wanted
   * @param wanted - which outputs are wanted; default all
   */
  run(
    inputs: readonly (Tensor | undefined)[],
    options?: OptionValues,
    outputs?: readonly (Tensor | undefined)[],
    wanted?: readonly boolean[],
  ): (Tensor | undefined)[] {
    if (this.as === undefined) return this.call(inputs, options, outputs, wanted);
    try {
      return this.call(inputs, options, outputs, wanted);
    } catch (error) {
      throw saidOf(error, this.as);
    }
  }

  private call(
    inputs: readonly (Tensor | undefined)[],
    options: OptionValues | undefined,
    outputs: readonly (Tensor | undefined)[] | undefined,
    wanted: readonly boolean[] | undefined,
  ): (Tensor | undefined)[] {
    const plan = this.description;
    // Looks at the user's object, whose getters may call operations: so it comes before the tensors.
    plan.writeOptions(options);
    let device: Device | undefined;
    let at = tensorsAt;
    arrayCount = 0;
    for (let i = 0; i < plan.inputs; ++i, at += tensorStride) {
      const input = inputs[i];
      if (input === undefined) {
        frame[at] = Kind.absent;
        continue;
      }
      if (input._disposed) this.refuseDisposed(i);
      device ??= input._device;
      pack(at, input);
    }
    const results: (Tensor | undefined)[] = [];
    for (let k = 0; k < plan.outputs.length; ++k, at += tensorStride) {
      let output = outputs?.[k];
      if (output === undefined && (wanted?.[k] === false || plan.outputs[k].inPlace)) {
        frame[at] = Kind.absent;
      } else {
        if (output === undefined) output = plan.makeOutput(k, inputs, device ?? cpu);
        else if (output._disposed) this.refuseDisposed(plan.inputs + k);
        device ??= output._device;
        pack(at, output);
      }
      results.push(output);
    }
    submit(plan.index, device ?? cpu, this.as);
    return results;
  }

  private refuseDisposed(parameter: number): never {
    const name = this.description.schemaNames[parameter];
    throw errorOf(VALUE, this.name, name, `${name} was disposed of`);
  }
}

/** What of a schema is needed at every call. */
export class Plan {
  readonly index: number;
  readonly inputs: number;
  readonly schemaNames: readonly string[];
  /** Parameters in camelCase: inputs, then outputs. */
  readonly names: readonly string[];
  readonly types: readonly string[];
  readonly outputs: readonly { dims: DimensionDescription[]; type: string; inPlace: boolean }[];
  /** In camelCase. */
  readonly optionNames: readonly string[];
  private readonly options: readonly (OptionDescription & { publicName: string })[];
  private readonly sources = new Map<string, DimensionSource[]>();

  constructor(private readonly operation: string) {
    const [description, index] = describe(operation);
    this.index = index;
    this.inputs = description.inputs;
    this.schemaNames = description.parameters.map((parameter) => parameter.name);
    this.names = this.schemaNames.map(camelCase);
    this.types = description.parameters.map((parameter) => parameter.type);
    this.outputs = description.parameters.slice(description.inputs);
    this.options = description.options.map((option) => ({ ...option, publicName: camelCase(option.name) }));
    this.optionNames = this.options.map((option) => option.publicName);
    // What a forward operation computes is known to its users as `out`.
    const result = description.parameters[description.inputs];
    if (operation.endsWith('_forward') && result) publish(operation, { [result.name]: 'out' });
    description.parameters.slice(0, description.inputs).forEach((parameter, input) => {
      parameter.dims.forEach((dim, d) => {
        if (dim.sum.length !== 1 || dim.firstOf.length > 0 || dim.product.length > 0) return;
        const name = dim.sum[0];
        const fromEnd = parameter.dims.length - d - (name === '...' ? 1 : 0);
        const known = this.sources.get(name) ?? [];
        known.push({ input, fromEnd, constant: dim.constant });
        this.sources.set(name, known);
      });
    });
  }

  /** An output of the shape that the inputs imply; where they contradict each other the gate will say so. */
  makeOutput(k: number, inputs: readonly (Tensor | undefined)[], device: Device): Tensor {
    const { dims, type } = this.outputs[k];
    const shape: number[] = [];
    for (let d = 0; d < dims.length; ++d) {
      const dim = dims[d];
      if (dim.product.length > 0) {
        shape.push(this.productOf(dim, inputs));
        continue;
      }
      const alternatives = dim.firstOf.length > 0;
      const names = alternatives ? dim.firstOf : dim.sum;
      let extent = dim.constant;
      for (let i = 0; i < names.length; ++i) {
        const name = names[i];
        const source = this.givenSource(name, inputs);
        if (!source) continue;
        const from = inputs[source.input]!.shape;
        if (name === '...') {
          for (let l = 0; l < from.length - source.fromEnd; ++l) shape.push(from[l]);
          extent = -1;
          break;
        }
        extent += extentOf(from, source);
        if (alternatives) break;
      }
      if (extent >= 0) shape.push(extent);
    }
    const dtype = type === 'real' ? this.realType(inputs) : dtypeCode[type];
    return empty(dtype, shape, device);
  }

  /** The options are in the frame by now. */
  private productOf(dim: DimensionDescription, inputs: readonly (Tensor | undefined)[]): number {
    return dim.product.reduce((product, { name, option }) => {
      if (option >= 0 && frame[optionsAt + option] === 0) return product;
      const source = this.givenSource(name, inputs);
      return source ? product * extentOf(inputs[source.input]!.shape, source) : 0;
    }, 1);
  }

  private givenSource(name: string, inputs: readonly (Tensor | undefined)[]): DimensionSource | undefined {
    const sources = this.sources.get(name);
    if (sources) for (let s = 0; s < sources.length; ++s) if (inputs[sources[s].input] !== undefined) return sources[s];
    return undefined;
  }

  /** `real` is float64 when the first floating input is. */
  realType(inputs: readonly (Tensor | undefined)[]): number {
    for (let i = 0; i < this.inputs; ++i) {
      const input = inputs[i];
      if (input && this.types[i] === 'real' && dtypes[input._dtype].floating) return input._dtype;
    }
    return 0;
  }

  writeOptions(values: OptionValues | undefined): void {
    const { options } = this;
    if (options.length === 0) return;
    // All are read before any is written: reading may call getters, and these may call operations.
    const given: unknown[] = [];
    for (let i = 0; i < options.length; ++i)
      given.push(values === undefined ? undefined : values[options[i].publicName]);
    for (let i = 0; i < options.length; ++i) {
      const option = options[i];
      const value = given[i];
      const at = optionsAt + i;
      const { type } = option;
      if (type === 'uint64' || type === 'int64') frameBits[at] = this.wide(option, value ?? option.default);
      else if (value === undefined) frame[at] = option.default;
      else if (type === 'choice') frame[at] = this.choice(option, value);
      else if (type === 'boolean') frame[at] = this.boolean(option, value);
      else frame[at] = this.number(option, value);
    }
  }

  private refuse(option: { name: string }, value: unknown, expected: string): never {
    throw errorOf(VALUE, this.operation, option.name, `${option.name} is ${shown(value)} (expected ${expected})`);
  }
  private choice(option: OptionDescription, value: unknown): number {
    const index = option.choices.indexOf(value as string);
    return index >= 0 ? index : this.refuse(option, value, option.choices.join(', '));
  }
  private boolean(option: OptionDescription, value: unknown): number {
    return typeof value === 'boolean' ? Number(value) : this.refuse(option, value, 'true or false');
  }
  private number(option: OptionDescription, value: unknown): number {
    if (typeof value !== 'number') return this.refuse(option, value, 'a number');
    if (option.type === 'int32' && !(Number.isInteger(value) && Math.abs(value) < 2 ** 31))
      return this.refuse(option, value, 'an integer');
    return value;
  }
  private wide(option: OptionDescription, value: unknown): bigint {
    const integer = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof integer !== 'bigint') return this.refuse(option, value, 'an integer below 2^53, or a bigint');
    const fits =
      option.type === 'uint64' ? BigInt.asUintN(64, integer) === integer : BigInt.asIntN(64, integer) === integer;
    return fits ? BigInt.asIntN(64, integer) : this.refuse(option, value, 'an integer of 64 bits');
  }
}
