import type { Vector } from 'apache-arrow';

import { isVector } from './arrow/column';
import { Kernel } from './call';
import { cpu } from './device';
import { dtypeCode } from './dtype';
import { ValueError } from './errors';
import { indices, type Ragged, ragged } from './ragged';
import { empty, Tensor, tensor, type TensorLike } from './tensor';

const fromEdges = new Kernel('graph_from_edges');
const transpose = new Kernel('graph_transpose');
const int32 = dtypeCode['int32']!;

/** A list of directed edges, source -> target. */
export interface Edges {
  /** int32 `[E]` */
  sources: TensorLike;
  /** int32 `[E]` */
  targets: TensorLike;
  numNodes: number;
  /** `[E]`; 1 where none are given. */
  weights?: TensorLike;
  /** int32 `[B+1]`: event boundaries among the nodes. */
  nodeOffsets?: TensorLike;
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
  private rows: { rowOffsets: Tensor; sources: Tensor } | undefined;
  private transposed: Transposed | undefined;

  /** @internal */
  constructor(
    numNodes: number,
    parts: { rows?: { rowOffsets: Tensor; sources: Tensor }; weights?: Tensor; nodeOffsets?: Tensor; mother?: Tensor },
  ) {
    this.numNodes = numNodes;
    this.rows = parts.rows;
    this.weights = parts.weights;
    this.nodeOffsets = parts.nodeOffsets;
    this.mother = parts.mother;
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
    return offsets.length === 0 ? 0 : offsets[offsets.length - 1]! - offsets[0]!;
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
    if (this.transposed) return this.transposed;
    const { rowOffsets, sources } = this.edgeRows();
    const device = sources._device;
    const outputs = [
      empty(int32, [this.numNodes + 1], device),
      empty(int32, [sources.size], device),
      empty(int32, [sources.size], device),
    ];
    const [transposedOffsets, targets, edges] = transpose.run([rowOffsets, sources], undefined, outputs);
    return (this.transposed = { transposedOffsets: transposedOffsets!, targets: targets!, edges: edges! });
  }

  /** A tree as a graph has every edge both ways: its rows are made when somebody asks for them. */
  private edgeRows(): { rowOffsets: Tensor; sources: Tensor } {
    if (this.rows) return this.rows;
    const device = this.mother!.device;
    const mother = this.mother!.to('cpu').data as Int32Array,
      offsets = this.nodeOffsets!.to('cpu').data as Int32Array;
    const from: number[] = [],
      to: number[] = [];
    for (let event = 0; event + 1 < offsets.length; ++event) {
      const begin = offsets[event]!,
        end = offsets[event + 1]!;
      for (let node = begin; node < end; ++node) {
        if (mother[node]! < 0) continue;
        from.push(begin + mother[node]!, node);
        to.push(node, begin + mother[node]!);
      }
    }
    const built = rowsOf(tensor(Int32Array.from(from)), tensor(Int32Array.from(to)), this.numNodes, undefined);
    return (this.rows = { rowOffsets: built.rowOffsets.to(device), sources: built.sources.to(device) });
  }
}

function checkCount(numNodes: unknown): void {
  if (!(Number.isInteger(numNodes) && (numNodes as number) >= 0 && (numNodes as number) < 2 ** 31 - 1)) {
    throw new ValueError('graph', 'numNodes', `numNodes is ${String(numNodes)} (expected an integer below 2^31 - 1)`);
  }
}

function rowsOf(
  sources: Tensor,
  targets: Tensor,
  numNodes: number,
  weights: Tensor | undefined,
): { rowOffsets: Tensor; sources: Tensor; weights: Tensor | undefined } {
  const device = sources._device;
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

/**
 * A graph from a list of edges source -> target, or from an Arrow column whose row i lists the sources of node i (not
 * copied). Edges into one node keep their order.
 * @throws ValueError for an index outside the nodes
 */
export function graph(edges: Edges | Vector): Graph {
  if (typeof edges === 'object' && edges !== null && isVector(edges)) {
    const rows = ragged(edges, { name: 'neighbours' });
    const sources = indices(rows.values, 'graph', 'neighbours');
    return new Graph(rows.length, { rows: { rowOffsets: rows.offsets, sources } });
  }
  if (typeof edges !== 'object' || edges === null)
    throw new ValueError(
      'graph',
      'edges',
      `edges is ${String(edges)} (expected { sources, targets, numNodes } or an Arrow List vector)`,
    );
  checkCount(edges.numNodes);
  const sources = indices(edges.sources, 'graph', 'sources'),
    targets = indices(edges.targets, 'graph', 'targets');
  const weights = edges.weights === undefined ? undefined : tensor(edges.weights, { name: 'weights' });
  const nodeOffsets = edges.nodeOffsets === undefined ? undefined : indices(edges.nodeOffsets, 'graph', 'nodeOffsets');
  const built = rowsOf(sources, targets, edges.numNodes, weights);
  return new Graph(edges.numNodes, { rows: built, weights: built.weights, nodeOffsets });
}

/**
 * A decay forest, one tree (or several) per event: `mother[i]` is the index of i's mother inside its own event, -1 for a
 * root. As a graph, every mother and daughter are joined by edges both ways.
 * @param source - `List<Int32>`, one list per event, or `{ mother, offsets }`
 * @throws ValueError when used with a mother outside its event, or a cycle
 */
export function tree(source: Vector | { mother: TensorLike; offsets: TensorLike } | Ragged): Graph {
  if (typeof source === 'object' && source !== null && 'mother' in source) {
    const mother = indices(source.mother, 'tree', 'mother'),
      nodeOffsets = indices(source.offsets, 'tree', 'offsets');
    return new Graph(mother.size, { mother, nodeOffsets });
  }
  const events = ragged(source, { name: 'mother' });
  const mother = indices(events.values, 'tree', 'mother');
  return new Graph(mother.size, { mother, nodeOffsets: events.offsets });
}

/** @internal */
export function checkGraph(value: unknown, operation: string): Graph {
  if (value instanceof Graph) return value;
  throw new ValueError(
    operation,
    'graph',
    `graph is ${value === null ? 'null' : typeof value} (expected what graph() or tree() gives)`,
  );
}
