import type { Vector } from 'apache-arrow';

import { KnownOptions } from '../runtime/check';
import { cpu } from '../runtime/device';
import { DeviceError, ValueError } from '../runtime/errors';
import { asRagged, checkBoundaries, indices, type Ragged } from '../tensor/ragged';
import type { Tensor, TensorLike } from '../tensor/tensor';
import { Graph } from './graph';

const knownForest = new KnownOptions('mother', 'offsets');

/**
 * A decay forest, one tree (or several) per event: `mother[i]` is the index of i's mother inside
 * its own event, -1 for a root. As a graph, every mother and daughter are joined by edges both
 * ways.
 * @param source - `List<Int32>`, one list per event, or `{ mother, offsets }`
 * @throws ValueError for a mother outside its event, a cycle, and event boundaries that decrease or
 *   overrun. Contents on a device are checked there, when they are used.
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
 * Refuses mothers outside their event, and cycles. The gate checks again at every call, as memory
 * may change; here the error comes where the mistake is.
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

/**
 * Follows mothers with three colours: 0 unseen, 1 on the present path, 2 known to end at a root.
 */
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
