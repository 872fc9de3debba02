import type { Vector } from 'apache-arrow';

import { KnownOptions, shown } from '../runtime/check';
import { ValueError } from '../runtime/errors';
import { isVector } from '../tensor/column';
import { asRagged, checkBoundaries, indices } from '../tensor/ragged';
import { asTensor, type TensorLike } from '../tensor/tensor';
import { checkCount, Graph } from './graph';
import { rowsFromEdges } from './rows';

/** A list of directed edges, source -> target. */
export interface Edges {
  /** int32 `[E]` */
  sources: TensorLike;
  /** int32 `[E]` */
  targets: TensorLike;
  numNodes: number;
  /**
   * `[E]`; 1 where none are given. With `requiresGrad` they get a `grad`, in this order. The graph
   * holds a copy: make a graph anew when they change.
   */
  weights?: TensorLike;
  /** int32 `[B+1]`: event boundaries among the nodes. */
  nodeOffsets?: TensorLike;
}

const knownEdges = new KnownOptions('sources', 'targets', 'numNodes', 'weights', 'nodeOffsets');

/**
 * A graph from a list of edges source -> target, or from an Arrow column whose row i lists the
 * sources of node i (not copied). Edges into one node keep their order.
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
  const built = rowsFromEdges(sources, targets, numNodes, weights);
  return new Graph(numNodes, { rows: built, weights: built.weights, nodeOffsets });
}
