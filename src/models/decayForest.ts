import type { Vector } from 'apache-arrow';

import type { Graph } from '../graph/graph';
import { tree } from '../graph/tree';
import type { TypedArray } from '../runtime/dtype';
import { DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { tensor } from '../tensor/create';
import { type Ragged, ragged, type RaggedLike } from '../tensor/ragged';
import { Tensor } from '../tensor/tensor';

/**
 * One value per particle, one list per event: an Arrow `List` column, or its values and offsets.
 */
export type ParticleColumn = Vector | Ragged | RaggedLike;

/**
 * Generated particles, a list per event in every column; further columns are not looked at. Names
 * and units are those of the network's features, float32 or float64. Integers are int32; other
 * types that hold such numbers are converted.
 */
export interface Particles {
  /** Signed PDG codes. */
  pdg: ParticleColumn;
  /** Index of the mother inside the event, -1 for a root. */
  mother: ParticleColumn;
  /** Bits of basf2's MCParticle. Without this column every particle is used. */
  status?: ParticleColumn | undefined;
  /** `productionTime` {ns}, `x` {cm}, `energy` {GeV}... */
  [feature: string]: ParticleColumn | undefined;
}

/** Which particles a network sees, by their status bits. */
export interface Selection {
  /** All of these bits must be set. */
  required: number;
  /** None of these bits may be set. */
  rejected: number;
}

/** Some consecutive events as a network takes them. */
export interface DecayForest {
  firstEvent: number;
  events: number;
  /** Mothers among the selected particles. */
  tree: Graph;
  /** int32 `[N]`: rows of the embedding. */
  tokens: Tensor;
  /** float32 `[N, F]`, standardised. */
  features: Tensor;
}

type Reals = Float32Array | Float64Array;

/** The columns of all events, side by side in memory as the file has them. @internal */
export interface Events {
  count: number;
  /** `[count + 1]` */
  offsets: Int32Array;
  pdg: Int32Array;
  mother: Int32Array;
  status: Int32Array | undefined;
  features: { name: string; values: Reals }[];
}

function sameOffsets(a: Int32Array, b: Int32Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; ++i) if (a[i] !== b[i]) return false;
  return true;
}

/** ROOT ntuples hold everything as floating-point numbers. */
function int32Of(values: ArrayLike<number | bigint>, name: string): Int32Array {
  if (values instanceof Int32Array) return values;
  const result = new Int32Array(values.length);
  for (let i = 0; i < values.length; ++i) {
    const value = Number(values[i]);
    if (value !== (value | 0))
      throw new ValueError('BackgroundFilter', name, `${name} holds ${value} (expected integers of 32 bits)`);
    result[i] = value;
  }
  return result;
}

/** Looks at the columns, without copying those that have the type they should have. @internal */
export function eventsOf(particles: Particles, features: readonly string[]): Events {
  const refuse = (name: string, text: string): never => {
    throw new ShapeError('BackgroundFilter', name, text);
  };
  if (typeof particles !== 'object' || particles === null) {
    throw new ValueError(
      'BackgroundFilter',
      'particles',
      `particles is ${String(particles)} (expected columns by name)`,
    );
  }
  let boundaries: Int32Array | undefined;
  const read = (name: string): TypedArray => {
    const column = particles[name];
    if (column === undefined || column === null)
      throw new ValueError('BackgroundFilter', name, `there is no column ${name}`);
    const { values, offsets } = ragged(column, { name });
    if (values.shape.length !== 1)
      refuse(name, `${name} has ${values.shape.length - 1} values per particle (expected one)`);
    const own = offsets.data as Int32Array;
    boundaries ??= own;
    if (!sameOffsets(own, boundaries)) refuse(name, `${name} has not as many particles in every event as pdg`);
    if (values.size < own[own.length - 1])
      refuse(name, `${name} has ${values.size} values but its lists end at ${own[own.length - 1]}`);
    return values.data;
  };
  const integers = (name: string): Int32Array => int32Of(read(name), name);
  const reals = (name: string): Reals => {
    const values = read(name);
    if (values instanceof Float32Array || values instanceof Float64Array) return values;
    throw new DTypeError('BackgroundFilter', name, `${name} holds no float32 or float64`);
  };
  const pdg = integers('pdg'),
    mother = integers('mother');
  const status = particles.status === undefined || particles.status === null ? undefined : integers('status');
  const columns = features.map((name) => ({ name, values: reals(name) }));
  const offsets = boundaries!;
  if (offsets[0] < 0) throw new ValueError('BackgroundFilter', 'pdg', `pdg begins at particle ${offsets[0]}`);
  for (let event = 0; event + 1 < offsets.length; ++event) {
    if (offsets[event + 1] < offsets[event])
      throw new ValueError('BackgroundFilter', 'pdg', `event ${event} of pdg ends before it begins`);
  }
  return { count: offsets.length - 1, offsets, pdg, mother, status, features: columns };
}

/**
 * The first event after a batch that begins with `begin`: as many events as fit into `nodes`
 * particles, one at least.
 * @internal
 */
export function endOfBatch({ offsets, count }: Events, begin: number, nodes: number): number {
  let end = begin + 1;
  while (end < count && offsets[end + 1] - offsets[begin] <= nodes) ++end;
  return end;
}

/** The selected particles among `begin` to `end`, or undefined if that is all of them. */
function select(
  status: Int32Array | undefined,
  begin: number,
  end: number,
  { required, rejected }: Selection,
): Int32Array | undefined {
  if (!status) return undefined;
  const isKept = (node: number): boolean => (status[node] & required) === required && (status[node] & rejected) === 0;
  let node = begin;
  while (node < end && isKept(node)) ++node;
  if (node === end) return undefined;
  const kept = new Int32Array(end - begin);
  let count = 0;
  for (let i = begin; i < node; ++i) kept[count++] = i;
  for (; node < end; ++node) if (isKept(node)) kept[count++] = node;
  return kept.subarray(0, count);
}

/**
 * Mothers among the selected particles: the nearest ancestor that was selected, and where the
 * events begin then.
 */
function skipUnselected(
  events: Events,
  begin: number,
  end: number,
  kept: Int32Array,
): { mother: Int32Array; offsets: Int32Array } {
  const { offsets, mother } = events;
  const first = offsets[begin];
  const place = new Int32Array(offsets[end] - first).fill(-1);
  const mothers = new Int32Array(kept.length),
    boundaries = new Int32Array(end - begin + 1);
  for (let event = begin, k = 0; event < end; ++event) {
    const from = offsets[event],
      size = offsets[event + 1] - from;
    const start = k;
    for (let i = start; i < kept.length && kept[i] < from + size; ++i) place[kept[i] - first] = i - start;
    for (; k < kept.length && kept[k] < from + size; ++k) {
      let ancestor = mother[kept[k]],
        steps = 0;
      while (ancestor >= 0 && ancestor < size && place[from - first + ancestor] < 0) {
        ancestor = mother[from + ancestor]!;
        if (++steps > size)
          throw new ValueError('BackgroundFilter', 'mother', `the mothers in event ${event} go round in a circle`);
      }
      if (ancestor < -1 || ancestor >= size) {
        throw new ValueError(
          'BackgroundFilter',
          'mother',
          `a mother in event ${event} is ${ancestor} (expected -1 to ${size - 1})`,
        );
      }
      mothers[k] = ancestor < 0 ? -1 : place[from - first + ancestor];
    }
    boundaries[event - begin + 1] = k;
  }
  return { mother: mothers, offsets: boundaries };
}

/** What the network's file says about its inputs. @internal */
export interface Inputs {
  selection: Selection;
  /** PDG code -> row of the embedding; 0 for others. */
  tokens: ReadonlyMap<number, number>;
  mean: Reals;
  scale: Reals;
}

/**
 * Events `begin` to `end` as the network takes them. When every particle is selected, the mothers
 * are the column's own memory.
 * @internal
 */
export function forestOf(events: Events, begin: number, end: number, inputs: Inputs): DecayForest {
  const first = events.offsets[begin],
    last = events.offsets[end];
  const kept = select(events.status, first, last, inputs.selection);
  const nodes = kept?.length ?? last - first;
  const { mother, offsets } = kept
    ? skipUnselected(events, begin, end, kept)
    : {
        mother: events.mother.subarray(first, last),
        offsets:
          first === 0
            ? events.offsets.subarray(begin, end + 1)
            : events.offsets.subarray(begin, end + 1).map((offset) => offset - first),
      };
  const tokens = new Int32Array(nodes);
  for (let i = 0; i < nodes; ++i) tokens[i] = inputs.tokens.get(events.pdg[kept ? kept[i] : first + i]) ?? 0;
  const width = events.features.length;
  const features = new Float32Array(nodes * width);
  events.features.forEach(({ name, values }, f) => {
    const mean = inputs.mean[f],
      scale = inputs.scale[f];
    for (let i = 0, at = f; i < nodes; ++i, at += width) {
      const value = values[kept ? kept[i] : first + i];
      if (!Number.isFinite(value)) {
        throw new ValueError(
          'BackgroundFilter',
          name,
          `${name} of particle ${kept ? kept[i] : first + i} is ${value} (expected a finite number)`,
        );
      }
      features[at] = (value - mean) / scale;
    }
  });
  return {
    firstEvent: begin,
    events: end - begin,
    tree: tree({ mother, offsets }),
    tokens: tensor(tokens),
    features: tensor(features, { shape: [nodes, width] }),
  };
}
