import { Kernel } from '../operation/kernel';
import type { Extra } from '../operation/operation';
import { shown } from '../runtime/check';
import { cpu } from '../runtime/device';
import { dtypeCode } from '../runtime/dtype';
import { ValueError } from '../runtime/errors';
import { immediately } from '../runtime/queue';
import { tensor } from '../tensor/create';
import { onHost } from '../tensor/host';
import { indices } from '../tensor/ragged';
import { asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';
import { type Rows, rowsFromEdges } from './rows';

const transpose = new Kernel('graph_transpose', {}, 'graph');
const int32 = dtypeCode['int32'];
/** How graphs of other copies of this package are recognised. */
const brand = Symbol.for('upsilon-kernels.graph');

interface Transposed {
  transposedOffsets: Tensor;
  targets: Tensor;
  edges: Tensor;
}

/**
 * A directed graph in compressed rows: row i lists the sources of the edges that end at node i. One
 * object can hold the graphs of many events, one after the other. Made by {@link graph} and {@link
 * tree}.
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
      const outputs = [this.numNodes + 1, sources.size, sources.size].map((size) =>
        empty(int32, [size], device, 'graph', 'sources'),
      );
      const [transposedOffsets, targets, edges] = transpose.run([rowOffsets, sources], undefined, outputs);
      return { transposedOffsets: transposedOffsets!, targets: targets!, edges: edges! };
    }));
  }

  /** A tree as a graph has every edge both ways: its rows are made when somebody asks for them. */
  private edgeRows(): Rows {
    return (this.rows ??= immediately(() => {
      const device = this.mother!.device;
      const mother = onHost(this.mother!) as Int32Array;
      const offsets = onHost(this.nodeOffsets!) as Int32Array;
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
      const built = rowsFromEdges(
        tensor(from.subarray(0, edges)),
        tensor(to.subarray(0, edges)),
        this.numNodes,
        undefined,
      );
      return { rowOffsets: built.rowOffsets.to(device), sources: built.sources.to(device) };
    }));
  }
}

/** @internal */
export function checkCount(numNodes: unknown): number {
  if (typeof numNodes === 'number' && Number.isInteger(numNodes) && numNodes >= 0 && numNodes < 2 ** 31 - 1)
    return numNodes;
  const text = `numNodes is ${shown(numNodes)} (expected an integer below 2^31 - 1)`;
  throw new ValueError('graph', 'numNodes', text);
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
  throw new ValueError(operation, name, `${name} is ${shown(value)} (expected the result of graph() or tree())`);
}

/** The transposed graph, for backward. @internal */
export function transposeOf(graph: Graph): Extra {
  return (name) => graph._transposed()[name as 'transposedOffsets' | 'targets' | 'edges'];
}
