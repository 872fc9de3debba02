// Packs calls into the frame (native/addon/frame.h). Nothing here knows an operation: names, options and the shapes of
// outputs come from the schemas that the library tells. Shapes are not checked here: the gate does that.
import { cpu, type Device } from './device';
import { dtypeCode, dtypes, type TypedArray } from './dtype';
import { camelCase, publicName, UpsilonError, ValueError } from './errors';
import { Kind } from './memory';
import {
  type DimensionDescription,
  frameLayout,
  native,
  type OperationDescription,
  type OptionDescription,
} from './native';
import { empty, Tensor } from './tensor';

const frame = new Float64Array(frameLayout.buffer);
const frameBits = new BigInt64Array(frameLayout.buffer);
const { optionsAt, tensorsAt, tensorStride } = frameLayout;

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

/** Writes one tensor; typed arrays are collected in `arrays`. */
function pack(at: number, tensor: Tensor, arrays: TypedArray[]): void {
  const memory = tensor._memory;
  const shape = tensor.shape;
  frame[at] = memory.kind;
  frame[at + 1] = tensor._dtype;
  frame[at + 2] = shape.length;
  frame[at + 3] = memory.byteOffset;
  if (memory.kind === Kind.block) frame[at + 4] = memory.block;
  else arrays.push(memory.array!);
  for (let d = 0; d < shape.length && d < 8; ++d) frame[at + 5 + d] = shape[d]!;
}

function submit(operation: number, device: Device, arrays: readonly TypedArray[]): void {
  frame[0] = operation;
  frame[1] = device.type;
  frame[2] = device.id;
  if (pending) {
    pending.push(native.callAsync(...arrays));
  } else {
    native.call(...arrays);
  }
}

/** Copies elements between tensors of one shape and type, on any devices. */
export function copyKernel(source: Tensor, destination: Tensor): void {
  const arrays: TypedArray[] = [];
  pack(tensorsAt, source, arrays);
  pack(tensorsAt + tensorStride, destination, arrays);
  submit(-1, source._device === cpu ? destination._device : source._device, arrays);
}

/** Where a dimension's value is found: the first of these inputs that is given. */
interface DimensionSource {
  input: number;
  /** Counted from the end, so that leading dimensions do not matter. For `...`: how many dimensions follow it. */
  fromEnd: number;
  constant: number;
}

export type OptionValues = Readonly<Record<string, unknown>>;

/** One operation of the C library, ready to be called. */
export class Kernel {
  private plan: Plan | undefined;

  constructor(readonly name: string) {}

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
    const plan = this.description;
    const arrays: TypedArray[] = [];
    let device = cpu;
    let located = false;
    let at = tensorsAt;
    for (let i = 0; i < plan.inputs; ++i, at += tensorStride) {
      const input = inputs[i];
      if (input === undefined) {
        frame[at] = Kind.absent;
        continue;
      }
      if (input._disposed)
        throw new ValueError(publicName(this.name), plan.names[i]!, `${plan.names[i]} was disposed of`);
      if (!located) {
        device = input._device;
        located = true;
      }
      pack(at, input, arrays);
    }
    const results: (Tensor | undefined)[] = [];
    for (let k = 0; k < plan.outputs.length; ++k, at += tensorStride) {
      let output = outputs?.[k];
      if (output === undefined && wanted?.[k] === false) {
        frame[at] = Kind.absent;
      } else {
        if (output === undefined) output = plan.makeOutput(k, inputs, device);
        else if (output._disposed) throw new ValueError(publicName(this.name), 'out', 'out was disposed of');
        if (!located) {
          device = output._device;
          located = true;
        }
        pack(at, output, arrays);
      }
      results.push(output);
    }
    plan.writeOptions(options);
    submit(plan.index, device, arrays);
    return results;
  }
}

/** What of a schema is needed at every call. */
export class Plan {
  readonly index: number;
  readonly inputs: number;
  /** Parameters in camelCase: inputs, then outputs. */
  readonly names: readonly string[];
  readonly types: readonly string[];
  readonly outputs: readonly { dims: DimensionDescription[]; type: string }[];
  private readonly options: readonly (OptionDescription & { publicName: string })[];
  private readonly sources = new Map<string, DimensionSource[]>();

  constructor(private readonly operation: string) {
    const [description, index] = describe(operation);
    this.index = index;
    this.inputs = description.inputs;
    this.names = description.parameters.map((parameter) => camelCase(parameter.name));
    this.types = description.parameters.map((parameter) => parameter.type);
    this.outputs = description.parameters.slice(description.inputs);
    this.options = description.options.map((option) => ({ ...option, publicName: camelCase(option.name) }));
    description.parameters.slice(0, description.inputs).forEach((parameter, input) => {
      parameter.dims.forEach((dim, d) => {
        if (dim.sum.length !== 1 || dim.firstOf.length > 0) return;
        const name = dim.sum[0]!;
        const fromEnd = parameter.dims.length - d - (name === '...' ? 1 : 0);
        const known = this.sources.get(name) ?? [];
        known.push({ input, fromEnd, constant: dim.constant });
        this.sources.set(name, known);
      });
    });
  }

  /** An output of the shape that the inputs imply; where they contradict each other the gate will say so. */
  makeOutput(k: number, inputs: readonly (Tensor | undefined)[], device: Device): Tensor {
    const { dims, type } = this.outputs[k]!;
    const shape: number[] = [];
    for (const dim of dims) {
      const names = dim.firstOf.length > 0 ? dim.firstOf : dim.sum;
      let extent = dim.constant;
      for (const name of names) {
        const source = this.sources.get(name)?.find(({ input }) => inputs[input] !== undefined);
        if (!source) continue;
        const from = inputs[source.input]!.shape;
        if (name === '...') {
          shape.push(...from.slice(0, Math.max(from.length - source.fromEnd, 0)));
          extent = -1;
          break;
        }
        extent += Math.max((from[from.length - source.fromEnd] ?? 0) - source.constant, 0);
        if (dim.firstOf.length > 0) break;
      }
      if (extent >= 0) shape.push(extent);
    }
    const dtype = type === 'real' ? this.realType(inputs) : dtypeCode[type]!;
    return empty(dtype, shape, device);
  }

  /** `real` is float64 when the first floating input is. */
  realType(inputs: readonly (Tensor | undefined)[]): number {
    for (let i = 0; i < this.inputs; ++i) {
      const input = inputs[i];
      if (input && this.types[i] === 'real' && dtypes[input._dtype]!.floating) return input._dtype;
    }
    return 0;
  }

  writeOptions(values: OptionValues | undefined): void {
    for (let i = 0; i < this.options.length; ++i) {
      const option = this.options[i]!;
      const value = values?.[option.publicName];
      const at = optionsAt + i;
      if (option.type === 'uint64' || option.type === 'int64')
        frameBits[at] = this.wide(option, value ?? option.default);
      else if (value === undefined) frame[at] = option.default;
      else if (option.type === 'choice') frame[at] = this.choice(option, value);
      else if (option.type === 'boolean') frame[at] = value ? 1 : 0;
      else frame[at] = this.number(option, value);
    }
  }

  private refuse(option: { publicName: string }, value: unknown, expected: string): never {
    const shown = typeof value === 'string' ? `'${value}'` : String(value);
    throw new ValueError(
      publicName(this.operation),
      option.publicName,
      `${option.publicName} is ${shown} (expected ${expected})`,
    );
  }
  private choice(option: OptionDescription & { publicName: string }, value: unknown): number {
    const index = option.choices.indexOf(value as string);
    return index >= 0 ? index : this.refuse(option, value, option.choices.join(', '));
  }
  private number(option: OptionDescription & { publicName: string }, value: unknown): number {
    if (typeof value !== 'number') return this.refuse(option, value, 'a number');
    if (option.type === 'int32' && !(Number.isInteger(value) && Math.abs(value) < 2 ** 31))
      return this.refuse(option, value, 'an integer');
    return value;
  }
  private wide(option: OptionDescription & { publicName: string }, value: unknown): bigint {
    const integer = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof integer !== 'bigint') return this.refuse(option, value, 'an integer below 2^53, or a bigint');
    const fits =
      option.type === 'uint64' ? BigInt.asUintN(64, integer) === integer : BigInt.asIntN(64, integer) === integer;
    return fits ? BigInt.asIntN(64, integer) : this.refuse(option, value, 'an integer of 64 bits');
  }
}
