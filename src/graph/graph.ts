import type { Vector } from 'apache-arrow';

import { isVector } from '../tensor/column';
import { wantsGradient } from '../autograd/tape';
import { immediately, Kernel } from '../operation/kernel';
import { KnownOptions, shown } from '../runtime/check';
import { cpu } from '../runtime/device';
import { dtypeCode } from '../runtime/dtype';
import { DeviceError, ValueError } from '../runtime/errors';
import { embedding } from '../ops/embedding';
import { asRagged, checkBoundaries, indices, type Ragged } from '../tensor/ragged';
import { asTensor, empty, Tensor, tensor, type TensorLike } from '../tensor/tensor';

const fromEdges = new Kernel(
  'graph_from_edges',
  { edge_sources: 'sources', edge_targets: 'targets', edge_weights: 'weights', N: 'numNodes' },
  'graph',
);
const transpose = new Kernel('graph_transpose', {}, 'graph');
const int32 = dtypeCode['int32'];
/** How graphs of other copies of this package are recognised. */
const brand = Symbol.for('upsilon-kernels.graph');

/** A list of directed edges, source -> target. */
export interface Edges {
  /** int32 `[E]` */
  sources: TensorLike;
  /** int32 `[E]` */
  targets: TensorLike;
  numNodes: number;
  /**
   * `[E]`; 1 where none are given. With `requiresGrad` they get a `grad`, in this order. The graph holds a copy: make a
   * graph anew when they change.
   */
  weights?: TensorLike;
  /** int32 `[B+1]`: event boundaries among the nodes. */
  nodeOffsets?: TensorLike;
}

interface Rows {
  rowOffsets: Tensor;
  sources: Tensor;
}

interface Transposed {
  transposedOffsets: Tensor;
  targets: Tensor;
  edges: Tensor;
}

/**
 * A directed graph in compressed rows: row i lists the sources of the edges that end at node i. One object can hold the
 * graphs of many events, one after the other. Made by {@link graph} and {@link tree}.
 */
export class Graph {
  readonly numNodes: number;
  /** `[E]`, in the order of `sources`. */
  readonly weights: Tensor | undefined;
  /** int32 `[B+1]`: event boundaries among the nodes. */
  readonly nodeOffsets: Tensor | undefined;
  /** For decay trees, int32 `[N]`: the mother's index inside the event, -1 for a root. */
  readonly mother: Tensor | undefined;
  private rows: Rows | undefined;
  private transposed: Transposed | undefined;

  /** @internal */
  constructor(numNodes: number, parts: { rows?: Rows; weights?: Tensor; nodeOffsets?: Tensor; mother?: Tensor }) {
    this.numNodes = numNodes;
    this.rows = parts.rows;
    this.weights = parts.weights;
    this.nodeOffsets = parts.nodeOffsets;
    this.mother = parts.mother;
  }

  get [brand](): true {
    return true;
  }

  /** int32 `[N+1]`: the edges of row i are `rowOffsets[i]` to `rowOffsets[i+1] - 1`. */
  get rowOffsets(): Tensor {
    return this.edgeRows().rowOffsets;
  }

  /** int32 `[E]`: source nodes, row by row. */
  get sources(): Tensor {
    return this.edgeRows().sources;
  }

  /** Number of edges; of a tree, two for every mother and daughter. */
  get numEdges(): number {
    const { rowOffsets, sources } = this.edgeRows();
    if (rowOffsets._device !== cpu) return sources.size;
    const offsets = rowOffsets.data as Int32Array;
    return offsets.length === 0 ? 0 : offsets[offsets.length - 1] - offsets[0];
  }

  get device(): string {
    return (this.mother ?? this.sources).device;
  }

  /** On another device: itself when it is there already. */
  to(device: string): Graph {
    if (device === this.device) return this;
    // A tree needs no rows on a device; those of the edges are made on the CPU.
    const rows = this.mother ? undefined : this.edgeRows();
    return new Graph(this.numNodes, {
      rows: rows && { rowOffsets: rows.rowOffsets.to(device), sources: rows.sources.to(device) },
      weights: this.weights?.to(device),
      nodeOffsets: this.nodeOffsets?.to(device),
      mother: this.mother?.to(device),
    });
  }

  /** Rows by source instead of by target, as gradients need them. Computed once. @internal */
  _transposed(): Transposed {
    return (this.transposed ??= immediately(() => {
      const { rowOffsets, sources } = this.edgeRows();
      const device = sources._device;
      const outputs = [this.numNodes + 1, sources.size, sources.size].map((size) => empty(int32, [size], device));
      const [transposedOffsets, targets, edges] = transpose.run([rowOffsets, sources], undefined, outputs);
      return { transposedOffsets: transposedOffsets!, targets: targets!, edges: edges! };
    }));
  }

  /** A tree as a graph has every edge both ways: its rows are made when somebody asks for them. */
  private edgeRows(): Rows {
    return (this.rows ??= immediately(() => {
      const device = this.mother!.device;
      const mother = this.mother!.to('cpu').data as Int32Array;
      const offsets = this.nodeOffsets!.to('cpu').data as Int32Array;
      const from = new Int32Array(2 * mother.length);
      const to = new Int32Array(2 * mother.length);
      let edges = 0;
      for (let event = 0; event + 1 < offsets.length; ++event) {
        const begin = offsets[event];
        for (let node = begin; node < offsets[event + 1]; ++node) {
          if (mother[node] < 0) continue;
          from[edges] = to[edges + 1] = begin + mother[node];
          to[edges] = from[edges + 1] = node;
          edges += 2;
        }
      }
      const built = rowsOf(tensor(from.subarray(0, edges)), tensor(to.subarray(0, edges)), this.numNodes, undefined);
      return { rowOffsets: built.rowOffsets.to(device), sources: built.sources.to(device) };
    }));
  }
}

function checkCount(numNodes: unknown): number {
  if (typeof numNodes === 'number' && Number.isInteger(numNodes) && numNodes >= 0 && numNodes < 2 ** 31 - 1)
    return numNodes;
  const text = `numNodes is ${shown(numNodes)} (expected an integer below 2^31 - 1)`;
  throw new ValueError('graph', 'numNodes', text);
}

/** The rows of a graph, and for each of their edges its place in the list. */
function edgeOrder(
  sources: Tensor,
  targets: Tensor,
  numNodes: number,
): { rowOffsets: Tensor; sources: Tensor; order: Tensor } {
  // Places travel as weights, on the CPU in float64, which holds every one.
  const places = tensor(Float64Array.from({ length: sources.size }, (_, edge) => edge));
  const outputs = [
    empty(int32, [numNodes + 1], cpu),
    empty(int32, sources.shape, cpu),
    empty(places._dtype, places.shape, cpu),
  ];
  const [rowOffsets, sorted, order] = immediately(() =>
    fromEdges.run([sources.to('cpu'), targets.to('cpu'), places], undefined, outputs),
  );
  const device = sources.device;
  return {
    rowOffsets: rowOffsets!.to(device),
    sources: sorted!.to(device),
    order: tensor(Int32Array.from(order!.data as Float64Array)).to(device),
  };
}

function rowsOf(
  sources: Tensor,
  targets: Tensor,
  numNodes: number,
  weights: Tensor | undefined,
): { rowOffsets: Tensor; sources: Tensor; weights: Tensor | undefined } {
  const device = sources._device;
  if (weights && wantsGradient([weights])) {
    // Taken by index instead, so that the gradient finds its way back to the given order.
    const { rowOffsets, sources: sorted, order } = edgeOrder(sources, targets, numNodes);
    const taken = embedding(order, weights.reshape([weights.size, 1])).reshape([weights.size]);
    return { rowOffsets, sources: sorted, weights: taken };
  }
  const outputs = [
    empty(int32, [numNodes + 1], device),
    empty(int32, [sources.size], device),
    weights && empty(weights._dtype, weights.shape, device),
  ];
  const [rowOffsets, sorted, sortedWeights] = fromEdges.run([sources, targets, weights], undefined, outputs, [
    true,
    true,
    weights !== undefined,
  ]);
  return { rowOffsets: rowOffsets!, sources: sorted!, weights: sortedWeights };
}

const knownEdges = new KnownOptions('sources', 'targets', 'numNodes', 'weights', 'nodeOffsets');

/**
 * A graph from a list of edges source -> target, or from an Arrow column whose row i lists the sources of node i (not
 * copied). Edges into one node keep their order.
 * @throws ValueError for an index outside the nodes, and event boundaries that decrease or overrun
 * @throws ShapeError, DTypeError
 */
export function graph(edges: Edges | Vector): Graph {
  if (typeof edges === 'object' && edges !== null && isVector(edges)) {
    const rows = asRagged(edges, 'graph', 'neighbours');
    const sources = indices(rows.values, 'graph', 'neighbours');
    return new Graph(rows.length, { rows: { rowOffsets: rows.offsets, sources } });
  }
  if (typeof edges !== 'object' || edges === null) {
    const text = `edges is ${shown(edges)} (expected { sources, targets, numNodes } or an Arrow List vector)`;
    throw new ValueError('graph', 'edges', text);
  }
  knownEdges.check(edges, 'graph', 'edges');
  const numNodes = checkCount(edges.numNodes);
  const sources = indices(edges.sources, 'graph', 'sources');
  const targets = indices(edges.targets, 'graph', 'targets');
  const weights = edges.weights === undefined ? undefined : asTensor(edges.weights, undefined, 'graph', 'weights');
  const nodeOffsets = edges.nodeOffsets === undefined ? undefined : indices(edges.nodeOffsets, 'graph', 'nodeOffsets');
  if (nodeOffsets) checkBoundaries(nodeOffsets, numNodes, 'graph', 'nodeOffsets');
  const built = rowsOf(sources, targets, numNodes, weights);
  return new Graph(numNodes, { rows: built, weights: built.weights, nodeOffsets });
}

const knownForest = new KnownOptions('mother', 'offsets');

/**
 * A decay forest, one tree (or several) per event: `mother[i]` is the index of i's mother inside its own event, -1 for a
 * root. As a graph, every mother and daughter are joined by edges both ways.
 * @param source - `List<Int32>`, one list per event, or `{ mother, offsets }`
 * @throws ValueError for a mother outside its event, a cycle, and event boundaries that decrease or overrun. Contents
 * on a device are checked there, when they are used.
 * @throws ShapeError, DTypeError
 */
export function tree(source: Vector | { mother: TensorLike; offsets: TensorLike } | Ragged): Graph {
  let mother: Tensor, nodeOffsets: Tensor;
  if (typeof source === 'object' && source !== null && 'mother' in source) {
    knownForest.check(source, 'tree', 'forest');
    mother = indices(source.mother, 'tree', 'mother');
    nodeOffsets = indices(source.offsets, 'tree', 'offsets');
  } else {
    const events = asRagged(source, 'tree', 'mother');
    mother = indices(events.values, 'tree', 'mother');
    nodeOffsets = events.offsets;
  }
  checkBoundaries(nodeOffsets, mother.size, 'tree', 'offsets');
  if (mother._device === cpu && nodeOffsets._device === cpu)
    checkForest(mother.data as Int32Array, nodeOffsets.data as Int32Array);
  else if (mother._device !== nodeOffsets._device) {
    const text = `offsets is on ${nodeOffsets.device} (expected ${mother.device}, as mother)`;
    throw new DeviceError('tree', 'offsets', text);
  }
  return new Graph(mother.size, { mother, nodeOffsets });
}

/**
 * Refuses mothers outside their event, and cycles. The gate checks again at every call, as memory may change; here the
 * error comes where the mistake is.
 */
function checkForest(mother: Int32Array, offsets: Int32Array): void {
  for (let event = 0; event + 1 < offsets.length; ++event) {
    const begin = offsets[event];
    const size = offsets[event + 1] - begin;
    let ordered = true; // a mother before each daughter cannot make a cycle
    for (let i = 0; i < size; ++i) {
      const m = mother[begin + i];
      if (m < -1 || m >= size) {
        const text = `mother has ${m} at position ${begin + i} (expected -1 or an index below ${size}, the size of event ${event})`;
        throw new ValueError('tree', 'mother', text);
      }
      if (m >= i) ordered = false;
    }
    if (ordered) continue;
    const where = cycleIn(mother.subarray(begin, begin + size));
    if (where !== undefined)
      throw new ValueError('tree', 'mother', `mother makes a cycle through node ${where} of event ${event}`);
  }
}

/** Follows mothers with three colours: 0 unseen, 1 on the present path, 2 known to end at a root. */
function cycleIn(mother: Int32Array): number | undefined {
  const colour = new Uint8Array(mother.length);
  for (let start = 0; start < mother.length; ++start) {
    let node = start;
    while (node >= 0 && colour[node] === 0) {
      colour[node] = 1;
      node = mother[node]!;
    }
    if (node >= 0 && colour[node] === 1) return node;
    for (node = start; node >= 0 && colour[node] === 1; node = mother[node]!) colour[node] = 2;
  }
  return undefined;
}

/** A graph of another copy of this package, on the same memory. */
function adopted(foreign: Graph, operation: string): Graph {
  const part = (value: TensorLike | undefined, name: string): Tensor | undefined =>
    value === undefined ? undefined : asTensor(value, undefined, operation, name);
  const mother = part(foreign.mother, 'mother');
  const nodeOffsets = part(foreign.nodeOffsets, 'nodeOffsets');
  if (mother) return new Graph(mother.size, { mother, nodeOffsets });
  const rows = {
    rowOffsets: indices(foreign.rowOffsets, operation, 'rowOffsets'),
    sources: indices(foreign.sources, operation, 'sources'),
  };
  return new Graph(checkCount(foreign.numNodes), { rows, weights: part(foreign.weights, 'weights'), nodeOffsets });
}

/** @internal */
export function checkGraph(value: unknown, operation: string, name = 'graph'): Graph {
  if (value instanceof Graph) return value;
  if (typeof value === 'object' && value !== null && (value as { [brand]?: boolean })[brand] === true)
    return adopted(value as Graph, operation);
  throw new ValueError(operation, name, `${name} is ${shown(value)} (expected what graph() or tree() gives)`);
}
