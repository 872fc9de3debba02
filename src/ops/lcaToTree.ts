import type { Vector } from 'apache-arrow';

import { Kernel } from '../operation/kernel';
import { KnownOptions } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { tensor } from '../tensor/create';
import { besides, onHost } from '../tensor/host';
import { asRagged, checkBoundaries, indices, Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';

/**
 * Matrices of lowest common ancestors, of events with different numbers of leaves: all rows one
 * after the other.
 */
export interface LcaMatrices {
  /** int32 `[sum of sizes²]`: the stage of the lowest common ancestor of two leaves, 0 for none. */
  values: TensorLike;
  /** int32 `[B]`: how many leaves each event has. */
  sizes: TensorLike;
}

/** Result of {@link lcaToTree}. */
export interface LcaTrees {
  /**
   * int32, per event: its leaves, then its inner nodes by stage; the mother's number in the event,
   * -1 for a root.
   */
  mother: Ragged;
  /** int32, per event: 0 for leaves. */
  stage: Ragged;
  /**
   * int32 `[B]`: 0 for a tree (or several); 1 if the matrix belongs to no tree: its leaves are then
   * left unconnected.
   */
  status: Tensor;
}

export interface TreeToLcaOptions {
  /**
   * int32 `[N]`: the stage of each node, increasing towards the root. Default: generations, 0 for
   * leaves.
   */
  stage?: TensorLike;
}

const toTree = new Kernel('lca_to_tree');
const toLca = new Kernel('tree_to_lca');
const knownOptions = new KnownOptions('stage');
const int32 = dtypeCode['int32'];

function int32Of(source: TensorLike, operation: string, argument: string): Tensor {
  const made = asTensor(source, Array.isArray(source) ? int32 : undefined, operation, argument);
  if (made._dtype === int32) return made;
  throw new DTypeError(operation, argument, `${argument} is ${made.dtype} (expected int32)`);
}

function matricesOf(lca: TensorLike | LcaMatrices): { values: Tensor; sizes: Int32Array } {
  if (typeof lca === 'object' && lca !== null && 'values' in lca && 'sizes' in lca) {
    const sizes = indices(lca.sizes, 'lcaToTree', 'sizes');
    const values = int32Of(lca.values, 'lcaToTree', 'values');
    return { values, sizes: onHost(sizes) as Int32Array };
  }
  const made = int32Of(lca, 'lcaToTree', 'lca');
  const { shape } = made;
  if ((shape.length !== 2 && shape.length !== 3) || shape.at(-1) !== shape.at(-2))
    throw new ShapeError('lcaToTree', 'lca', `lca is ${shapeText(shape)} (expected [n, n] or [B, n, n])`);
  const events = shape.length === 2 ? 1 : shape[0];
  return { values: made.reshape([made.size]), sizes: new Int32Array(events).fill(shape.at(-1)!) };
}

/**
 * Decay trees from matrices of lowest common ancestors, such as the LCAS matrix that basf2's graFEI
 * predicts: entry (i, j) is the stage, above 0, of the lowest common ancestor of the leaves i and
 * j, 0 where they have none; the diagonal is ignored. Stages increase from a daughter to her
 * mother. `ups.tree(found.mother)` makes a graph of the result.
 * @param lca - int32 `[n, n]`, `[B, n, n]` or {@link LcaMatrices}
 * @returns the trees, with a status for each event: a matrix that belongs to no tree is not an
 *   error
 * @throws ShapeError, DTypeError, ValueError
 */
export function lcaToTree(lca: TensorLike | LcaMatrices): LcaTrees {
  const { values, sizes } = matricesOf(lca);
  const offsets = new Int32Array(sizes.length + 1);
  let entries = 0,
    leaves = 0;
  sizes.forEach((size, b) => {
    leaves += size;
    entries += size * size;
    if (size < 0 || leaves > 2 ** 30 - 1)
      throw new ValueError('lcaToTree', 'sizes', `sizes has ${size} at position ${b} (expected from 0 to 2^30 in all)`);
    offsets[b + 1] = leaves;
  });
  if (values.size !== entries)
    throw new ShapeError(
      'lcaToTree',
      'values',
      `values is ${shapeText(values.shape)} but sizes say ${entries} entries`,
    );
  const device = values._device;
  const outputs = [[leaves, 2], [leaves, 2], [sizes.length + 1], [sizes.length]].map((shape) =>
    empty(int32, shape, device, 'lcaToTree', 'values'),
  );
  const leafOffsets = besides(values, offsets);
  const [mothers, stages, nodeOffsets, status] = toTree.run(
    [values.reshape([entries]), leafOffsets],
    undefined,
    outputs,
  );
  return {
    mother: new Ragged(mothers!.reshape([2 * leaves]), nodeOffsets!),
    stage: new Ragged(stages!.reshape([2 * leaves]), nodeOffsets!),
    status: status!,
  };
}

/** How many leaves each event has. */
function countLeaves(mother: Int32Array, offsets: Int32Array): Int32Array {
  const sizes = new Int32Array(offsets.length - 1);
  for (let b = 0; b < sizes.length; ++b) {
    const begin = offsets[b],
      end = offsets[b + 1];
    const hasDaughters = new Uint8Array(end - begin);
    for (let i = begin; i < end; ++i) if (mother[i] >= 0 && mother[i] < end - begin) hasDaughters[mother[i]] = 1;
    sizes[b] = hasDaughters.reduce((count, has) => count + 1 - has, 0);
  }
  return sizes;
}

/**
 * Matrices of lowest common ancestors of the leaves (the nodes without daughters, in order) of
 * decay trees: what
 * {@link lcaToTree} reads, and what a network is trained to predict.
 * @param mother - int32 lists: the mother's number in the event, -1 for a root
 * @throws ValueError for mothers outside their event and for cycles
 * @throws ShapeError, DTypeError
 */
export function treeToLca(
  mother: Ragged | RaggedLike | Vector,
  options: TreeToLcaOptions = {},
): { values: Tensor; sizes: Tensor } {
  knownOptions.check(options, 'treeToLca');
  const { values: given, offsets } = asRagged(mother, 'treeToLca', 'mother');
  // Lists of numbers have become float32.
  const values =
    given._dtype !== int32 && !(mother instanceof Ragged) && 'values' in mother && Array.isArray(mother.values)
      ? tensor(given, { dtype: 'int32' })
      : int32Of(given, 'treeToLca', 'mother');
  if (values.shape.length !== 1)
    throw new ShapeError('treeToLca', 'mother', `mother is ${shapeText(values.shape)} (expected one dimension)`);
  const boundaries = onHost(offsets) as Int32Array;
  checkBoundaries(boundaries, values.size, 'treeToLca', 'offsets');
  const sizes = countLeaves(onHost(values) as Int32Array, boundaries);
  const entries = sizes.reduce((sum, size) => sum + size * size, 0);
  const stage = options.stage === undefined ? undefined : int32Of(options.stage, 'treeToLca', 'stage');
  const device = values._device;
  const outputs = [[sizes.length + 1], [entries]].map((shape) => empty(int32, shape, device, 'treeToLca', 'values'));
  const found = toLca.run([offsets, values, stage], undefined, outputs);
  return { values: found[1]!, sizes: tensor(sizes) };
}
