import type { Vector } from 'apache-arrow';

import { Graph } from '../graph/graph';
import { Kernel } from '../operation/kernel';
import { KnownOptions, shown } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { ValueError } from '../runtime/errors';
import { onHost } from '../tensor/host';
import { asRagged, checkBoundaries, type Ragged, type RaggedLike } from '../tensor/ragged';
import { empty } from '../tensor/tensor';

const kernel = new Kernel('knn_graph', { K: 'k' });
const knownOptions = new KnownOptions('loop');
const int32 = dtypeCode['int32'];
/** Positions of edges are 32-bit. */
const maxEdges = 2 ** 31 - 1;

export interface KnnGraphOptions {
  /** Whether every point counts as its own first neighbour (default false). */
  loop?: boolean;
}

/** The largest event, and the edges of all events, with at most `k` for every point. */
function count(offsets: Int32Array, k: number, itself: number): { largest: number; edges: number } {
  let largest = 0,
    edges = 0;
  for (let event = 0; event + 1 < offsets.length; ++event) {
    const size = offsets[event + 1] - offsets[event];
    largest = Math.max(largest, size);
    edges += size * Math.min(k, Math.max(size - itself, 0));
  }
  return { largest, edges };
}

/**
 * The k nearest neighbours of every point inside its own event: row i of the graph lists those of
 * point i by increasing distance, ties in the order of the points. In an event with fewer than k
 * other points, all of them are neighbours. The graph is exact: distances that float32 cannot tell
 * apart are compared in float64. It has no gradient.
 * @param x - `[N, D]` with boundaries of B events
 * @param k - at least 1
 * @throws ValueError for NaN and infinite coordinates, boundaries that decrease or overrun, and an
 *   invalid k
 * @throws ShapeError, DTypeError
 */
export function knnGraph(x: Ragged | RaggedLike | Vector, k: number, options?: KnnGraphOptions): Graph {
  knownOptions.check(options, 'knnGraph');
  const { values, offsets } = asRagged(x, 'knnGraph', 'x');
  if (typeof k !== 'number' || !Number.isInteger(k) || k < 1)
    throw new ValueError('knnGraph', 'k', `k is ${shown(k)} (expected a positive integer)`);
  const points = values.shape[0] ?? 0;
  const boundaries = onHost(offsets) as Int32Array;
  checkBoundaries(boundaries, points, 'knnGraph', 'offsets');
  const { largest, edges } = count(boundaries, k, options?.loop === true ? 0 : 1);
  const width = Math.min(k, largest);
  if (points * width > maxEdges) {
    const text = `k is ${k}, which gives ${points} points ${points * width} edges (expected at most ${maxEdges})`;
    throw new ValueError('knnGraph', 'k', text);
  }
  const device = values._device;
  const outputs = [[points + 1], [points, width]].map((shape) => empty(int32, shape, device, 'knnGraph', 'k'));
  const [rowOffsets, padded] = kernel.run([values, offsets], options as Record<string, unknown>, outputs);
  const sources = padded!._view(0, [edges]);
  return new Graph(points, { rows: { rowOffsets: rowOffsets!, sources }, nodeOffsets: offsets });
}
