// What calls need to know of an operation: names, options and the shapes of outputs, all from the
// schema that the library tells. Shapes are not checked here: the gate does that.
import { shown } from './check';
import { dtypeCode, dtypes } from './dtype';
import { camelCase, publicName, UpsilonError, ValueError } from './errors';
import { type Caller, register } from './failure';
import * as shared from './frame';
import type { Elements } from './memory';
import { type DimensionDescription, native, type OperationDescription, type OptionDescription } from './native';

// Looked up once: calls of the smallest kernels would notice.
const { frame, frameBits, optionsAt } = shared;

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

/** Where a dimension's value is found: the first of these inputs that is given. */
interface DimensionSource {
  input: number;
  /**
   * Counted from the end, so that leading dimensions do not matter. For `...`: how many dimensions
   * follow it.
   */
  fromEnd: number;
  constant: number;
}

function extentOf(shape: readonly number[], { fromEnd, constant }: DimensionSource): number {
  return Math.max((shape[shape.length - fromEnd] ?? 0) - constant, 0);
}

export type OptionValues = Readonly<Record<string, unknown>>;

/** What of a schema is needed at every call. */
export class Plan implements Caller {
  readonly publicName: string;
  /** By which calls say whose they are. */
  readonly caller: number;
  readonly index: number;
  readonly inputs: number;
  /** Parameters in camelCase: inputs, then outputs. */
  readonly names: readonly string[];
  /** The same as users know them. */
  readonly publicNames: readonly string[];
  readonly types: readonly string[];
  readonly outputs: readonly { dims: DimensionDescription[]; type: string; inPlace: boolean }[];
  /** In camelCase. */
  readonly optionNames: readonly string[];
  private readonly options: readonly (OptionDescription & { publicName: string })[];
  private readonly sources = new Map<string, DimensionSource[]>();
  private readonly words = new Map<string, string>();

  /**
   * @param operation - in the library
   * @param words - what users call its arguments, by their names in the schema, where that differs
   * @param as - what users call the operation, where that differs
   */
  constructor(
    readonly operation: string,
    words?: Readonly<Record<string, string>>,
    as?: string,
  ) {
    const [description, index] = describe(operation);
    this.publicName = as ?? publicName(operation);
    this.caller = register(this);
    this.index = index;
    this.inputs = description.inputs;
    this.names = description.parameters.map(({ name }) => camelCase(name));
    this.types = description.parameters.map((parameter) => parameter.type);
    this.outputs = description.parameters.slice(description.inputs);
    this.options = description.options.map((option) => ({ ...option, publicName: camelCase(option.name) }));
    this.optionNames = this.options.map((option) => option.publicName);
    // What a forward operation computes is known to its users as `out`.
    const result = description.parameters[description.inputs];
    if (operation.endsWith('_forward') && result) this.words.set(result.name, 'out');
    for (const [name, word] of Object.entries(words ?? {})) this.words.set(name, word);
    this.publicNames = description.parameters.map(({ name }) => this.argument(name));
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

  argument(name: string): string {
    return this.words.get(name) ?? camelCase(name);
  }

  /** The shape that the inputs imply; where they contradict each other the gate will say so. */
  shapeOfOutput(k: number, inputs: readonly (Elements | undefined)[]): number[] {
    const { dims } = this.outputs[k];
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
    return shape;
  }

  typeOfOutput(k: number, inputs: readonly (Elements | undefined)[]): number {
    const { type } = this.outputs[k];
    return type === 'real' ? this.realType(inputs) : dtypeCode[type];
  }

  /** The options are in the frame by now. */
  private productOf(dim: DimensionDescription, inputs: readonly (Elements | undefined)[]): number {
    return dim.product.reduce((product, { name, option }) => {
      if (option >= 0 && frame[optionsAt + option] === 0) return product;
      const source = this.givenSource(name, inputs);
      return source ? product * extentOf(inputs[source.input]!.shape, source) : 0;
    }, 1);
  }

  private givenSource(name: string, inputs: readonly (Elements | undefined)[]): DimensionSource | undefined {
    const sources = this.sources.get(name);
    if (sources) for (let s = 0; s < sources.length; ++s) if (inputs[sources[s].input] !== undefined) return sources[s];
    return undefined;
  }

  /** `real` is float64 when the first floating input is. */
  realType(inputs: readonly (Elements | undefined)[]): number {
    for (let i = 0; i < this.inputs; ++i) {
      const input = inputs[i];
      if (input && this.types[i] === 'real' && dtypes[input._dtype].floating) return input._dtype;
    }
    return 0;
  }

  /** Refuses a tensor whose memory is gone. */
  wasDisposedOf(parameter: number): never {
    const name = this.publicNames[parameter];
    throw new ValueError(this.publicName, name, `${name} was disposed of`);
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
    const name = this.argument(option.name);
    throw new ValueError(this.publicName, name, `${name} is ${shown(value)} (expected ${expected})`);
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
