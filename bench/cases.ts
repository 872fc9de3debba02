// The bench cases of kernels/<op>/cases.json, described in test/conformance/cases.h, and inputs for
// them: sizes and structure are what the case says, the numbers are random and the same in every
// run.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  Kernel,
  native,
  type OperationDescription,
  type ParameterDescription,
  tensor,
  type Tensor,
  zeros,
} from './library';
import { root } from './machine';

interface Hint {
  values?: string;
  scale?: number;
  rows?: string;
  blocks?: number;
  below?: number;
}
type Dims = Record<string, number>;
type Options = Record<string, unknown>;

interface Entry {
  name: string;
  operations: string[];
  derive?: string[];
  dims?: Record<string, unknown>;
  options?: Record<string, unknown>;
  omit?: string[];
  data?: Record<string, Hint>;
}

/** One call of one operation. */
export interface Case {
  suite: string;
  operation: string;
  name: string;
  /** By the names of the schema; `rows` is the product of the leading dimensions. */
  dims: Dims;
  leading: number[];
  options: Options;
  omit: readonly string[];
  data: Record<string, Hint>;
  derive: readonly string[];
}

export type Tensors = Record<string, Tensor>;

const descriptions = new Map<string, OperationDescription>(
  native.operations().map((operation) => [operation.name, operation]),
);

export function describe(operation: string): OperationDescription | undefined {
  return descriptions.get(operation);
}

/** Mulberry32, T. Ettinger: small, and good enough to fill tensors. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function seedOf(text: string): number {
  let hash = 2166136261; // FNV-1a
  for (let i = 0; i < text.length; ++i) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}

/**
 * Every combination of the lists among dims and options, named as the conformance test names them.
 */
function* spread(entry: Entry): Generator<{ name: string; dims: Record<string, unknown>; options: Options }> {
  type Part = { name: string; dims: Record<string, unknown>; options: Options };
  let parts: Part[] = [{ name: entry.name, dims: {}, options: {} }];
  for (const kind of ['dims', 'options'] as const) {
    for (const [key, value] of Object.entries(entry[kind] ?? {})) {
      const many = Array.isArray(value) && (key !== '...' || Array.isArray(value[0]));
      const values: unknown[] = many ? (value as unknown[]) : [value];
      parts = parts.flatMap((part) =>
        values.map((one) => ({
          ...part,
          [kind]: { ...part[kind], [key]: one },
          name: many ? `${part.name} ${key === '...' ? '' : `${key}=`}${String(one)}` : part.name,
        })),
      );
    }
  }
  yield* parts;
}

export function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

export function loadCases(): Case[] {
  const cases: Case[] = [];
  for (const folder of readdirSync(join(root, 'kernels')).sort()) {
    const path = join(root, 'kernels', folder, 'cases.json');
    if (!existsSync(path)) continue;
    const file = JSON.parse(readFileSync(path, 'utf8')) as { derive?: string[]; bench?: Entry[] };
    for (const entry of file.bench ?? []) {
      for (const { name, dims: given, options } of spread(entry)) {
        const { '...': first, ...rest } = given;
        const leading = (first === undefined ? [] : Array.isArray(first) ? first : [first]) as number[];
        const dims = { ...(rest as Dims), rows: leading.reduce((product, extent) => product * extent, 1) };
        for (const operation of entry.operations) {
          const known = descriptions.get(operation)?.options.map((option) => option.name);
          if (!known) continue;
          cases.push({
            suite: folder,
            operation,
            name,
            dims,
            leading,
            omit: entry.omit ?? [],
            data: entry.data ?? {},
            derive: entry.derive ?? file.derive ?? [],
            options: Object.fromEntries(Object.entries(options).filter(([key]) => known.includes(key))),
          });
        }
      }
    }
  }
  return cases;
}

function isGiven(parameter: ParameterDescription, at: Case): boolean {
  if (!parameter.optional) return true;
  if (at.omit.includes(parameter.name)) return false;
  if (parameter.rule === 'splits' && !(parameter.ruleOf in at.dims)) return false;
  return parameter.dims.every(
    ({ sum, firstOf, product }) =>
      sum.every((name) => name === '...' || name in at.dims) &&
      product.every(({ name }) => name in at.dims) &&
      (firstOf.length === 0 || firstOf.some((name) => name in at.dims)),
  );
}

function shapeOf(parameter: ParameterDescription, at: Case): number[] {
  return parameter.dims.flatMap(({ sum, firstOf, product, constant }) => {
    if (sum[0] === '...') return at.leading;
    if (product.length > 0) {
      const { options } = describe(at.operation)!;
      const counts = (option: number): boolean =>
        option < 0 || Boolean(at.options[options[option].name] ?? options[option].default);
      return [product.reduce((total, { name, option }) => (counts(option) ? total * at.dims[name] : total), 1)];
    }
    if (firstOf.length > 0) return [at.dims[firstOf.find((name) => name in at.dims)!]];
    // An optional part of a sum (the appended features of an embedding) counts 0 when it is left
    // out.
    return [sum.reduce((total, name) => total + (at.dims[name] ?? 0), constant)];
  });
}

export function normals(count: number, random: () => number): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random())),
      angle = 2 * Math.PI * random();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

function splits(count: number, bound: number, random: () => number): Int32Array {
  const cuts = Int32Array.from({ length: count }, () => Math.floor(random() * (bound + 1))).sort();
  cuts[0] = 0;
  if (count > 1) cuts[count - 1] = bound;
  return cuts;
}

function indices(
  count: number,
  bound: number,
  hint: Hint,
  rows: Int32Array | undefined,
  random: () => number,
): Int32Array {
  const found = new Int32Array(count);
  if (!rows || !hint.blocks) {
    for (let i = 0; i < count; ++i) found[i] = Math.floor(random() * bound);
    return found;
  }
  for (let row = 0; row + 1 < rows.length; ++row) {
    const low = row - (row % hint.blocks),
      high = Math.min(low + hint.blocks, bound);
    for (let edge = rows[row]; edge < rows[row + 1]; ++edge) found[edge] = low + Math.floor(random() * (high - low));
  }
  return found;
}

/** Every particle's mother is one of those before it in its event. */
export function forest(offsets: Int32Array, count: number, random: () => number): Int32Array {
  const mothers = new Int32Array(count).fill(-1);
  for (let event = 0; event + 1 < offsets.length; ++event) {
    for (let i = offsets[event] + 1; i < offsets[event + 1]; ++i) {
      mothers[i] = Math.floor(random() * (i - offsets[event]));
    }
  }
  return mothers;
}

/** Numbers for one argument of `operation`; `tensors` holds the arguments that come before it. */
function makeTensor(
  operation: string,
  parameter: ParameterDescription,
  at: Case,
  tensors: Tensors,
  random: () => number,
): Tensor {
  const shape = shapeOf(parameter, at);
  const hint = at.data[parameter.name] ?? {};
  const count = shape.reduce((product, extent) => product * extent, 1);
  const target = parameter.ruleOf;
  const int32 = (name: string): Int32Array => tensors[name].data as Int32Array;
  let values: Float32Array | Float64Array | Int32Array | Uint8Array;
  if (parameter.type === 'float64') {
    values = Float64Array.from(normals(count, random));
  } else if (parameter.type === 'real' || parameter.type === 'float32') {
    values = normals(count, random);
    if (hint.values === 'positive') values = values.map((value) => Math.abs(value) + 0.1);
    if (hint.values === 'fractions') values = values.map(() => 0.01 + 0.98 * random());
    if (hint.values === 'integers') values = values.map(() => Math.floor(5 * random()) - 2);
    const { scale } = hint;
    if (scale !== undefined) values = values.map((value) => value * scale);
  } else if (parameter.rule === 'splits') {
    values =
      hint.values === 'even'
        ? Int32Array.from({ length: count }, (_, set) => Math.floor((set * at.dims[target]) / (count - 1)))
        : splits(count, at.dims[target], random);
  } else if (parameter.rule === 'below') {
    values = indices(count, at.dims[target], hint, hint.rows === undefined ? undefined : int32(hint.rows), random);
  } else if (parameter.rule === 'forest') {
    values = forest(int32(target), count, random);
  } else if (parameter.rule === '') {
    const integers = Int32Array.from({ length: count }, () => Math.floor((hint.below ?? 100) * random()));
    values = parameter.type === 'uint8' ? Uint8Array.from(integers) : integers;
  } else {
    throw new Error(`${operation}: no rule to generate values for ${parameter.name}`);
  }
  return tensor(values, { shape });
}

/** Host tensors by name: the inputs, and the outputs that are updated in place. */
export function makeInputs(at: Case): Tensors {
  const random = randomNumbers(seedOf(`${at.operation}/${at.name}`));
  const derivedBy = new Map<string, string>();
  for (const operation of at.derive) {
    if (operation === at.operation) continue;
    for (const parameter of describe(operation)?.parameters ?? []) {
      if (parameter.output && !derivedBy.has(parameter.name)) derivedBy.set(parameter.name, operation);
    }
  }
  const needed = describe(at.operation)!.parameters.filter(
    (parameter) => (!parameter.output || parameter.inPlace) && isGiven(parameter, at),
  );
  const tensors: Tensors = {};
  for (const parameter of needed) {
    if (!derivedBy.has(parameter.name))
      tensors[parameter.name] = makeTensor(at.operation, parameter, at, tensors, random);
  }
  for (const { name } of needed) {
    if (!(name in tensors)) derive(derivedBy.get(name)!, at, tensors, random);
  }
  return Object.fromEntries(needed.map(({ name }) => [name, tensors[name]]));
}

/** Runs an operation whose outputs are inputs of the case. */
function derive(operation: string, at: Case, tensors: Tensors, random: () => number): void {
  const { parameters, inputs, options } = describe(operation)!;
  const known = new Set(options.map((option) => option.name));
  const own: Case = {
    ...at,
    operation,
    options: Object.fromEntries(Object.entries(at.options).filter(([key]) => known.has(key))),
  };
  const extents: Dims = {}; // dimensions that go by another name there
  for (const { name, dims } of parameters.slice(0, inputs)) {
    dims.forEach(({ sum, firstOf, constant }, d) => {
      const extent = tensors[name]?.shape[d];
      if (extent !== undefined && sum.length === 1 && sum[0] !== '...' && firstOf.length === 0)
        extents[sum[0]] = extent - constant;
    });
  }
  own.dims = { ...extents, ...at.dims };
  for (const parameter of parameters.slice(0, inputs)) {
    if (!(parameter.name in tensors) && isGiven(parameter, own))
      tensors[parameter.name] = makeTensor(operation, parameter, own, tensors, random);
  }
  const made = makeOutputs(own);
  const given = parameters.slice(0, inputs).map(({ name }) => tensors[name]);
  const outputs = parameters.slice(inputs).map(({ name }) => made[name]);
  new Kernel(operation).run(
    given,
    kernelOptions(own.options),
    outputs,
    outputs.map((output) => output !== undefined),
  );
  Object.assign(tensors, made);
}

/** Options by the names that the TypeScript layer uses. */
export function kernelOptions(options: Options): Options {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [camelCase(key), value]));
}

/** Every option with its value, choices by their words, as the peers take them. */
export function allOptions(at: Case): Options {
  return Object.fromEntries(
    describe(at.operation)!.options.map((option) => {
      const value = at.options[option.name] ?? option.default;
      return [option.name, option.type === 'choice' && typeof value === 'number' ? option.choices[value] : value];
    }),
  );
}

/** Tensors for the outputs that are not updated in place. */
export function makeOutputs(at: Case): Tensors {
  const outputs = describe(at.operation)!.parameters.filter(
    (parameter) => parameter.output && !parameter.inPlace && isGiven(parameter, at),
  );
  return Object.fromEntries(
    outputs.map((parameter) => [
      parameter.name,
      zeros(shapeOf(parameter, at), { dtype: parameter.type === 'real' ? 'float32' : parameter.type }),
    ]),
  );
}
