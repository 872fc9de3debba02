import type { Vector } from 'apache-arrow';

import { Operation, toOutput } from '../operation/operation';
import { shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { beginTogether } from '../runtime/view';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import type { Tensor, TensorLike } from '../tensor/tensor';
import { type PairBias, pairBiasArguments, pairBiasWords } from './pairBias';

const name = 'attention';
const operation = new Operation(name, ['heads', 'bias', 'pairBias']);
const biased = new Operation('pair_attention', [], pairBiasWords, name);

export interface AttentionOptions {
  /** H: the columns of q, k and v are H heads, one after the other. */
  heads: number;
  /** Factor of the products of queries and keys. Default 1/sqrt(D); 1 is Luong's form. */
  scale?: number;
  /**
   * Added to the scores: per event `[H, nq, nk]`, one event after the other. -Infinity masks a
   * pair.
   */
  bias?: TensorLike;
  /**
   * Replaces `bias` in self-attention: computed where it is needed and never stored, neither here
   * nor for the gradient, which reaches the momenta and the layers.
   */
  pairBias?: PairBias;
  /** Whether query i of an event sees only keys 0 to i. Default false. */
  causal?: boolean;
  /**
   * Probability of dropping a weight, from 0 to below 1; the others are divided by 1 - dropout, as
   * nn.MultiheadAttention does in training. The choice is that of {@link dropout} on numbers laid
   * out like `bias`. Default 0.
   */
  dropout?: number;
  /** Seed of `dropout`, required with it: use a new one for every step. */
  seed?: number | bigint;
  /** Stream of `dropout`: streams are independent for the same seed. Default 0. */
  stream?: number | bigint;
  /** `[N, H*V]` */
  out?: TensorLike;
}

/**
 * Scaled dot product attention of several heads inside every event: for every query the mean of the
 * event's values, weighted by a softmax over the products of the query with the event's keys.
 * Self-attention, or attention of one set to another; sizes may differ freely, nothing is padded,
 * and no matrix of queries times keys is ever stored. A query with nothing to attend to gives 0.
 * @param q - `[N, H*D]` with boundaries of B events
 * @param k - `[M, H*D]` with boundaries of B events
 * @param v - `[M, H*V]` with the boundaries of k
 * @returns `[N, H*V]` with the boundaries of q
 * @throws ShapeError for heads that do not divide the columns, another number of events, a bias of
 *   another size, layers of pairBias that do not lead from 4 features to the heads
 * @throws ValueError for boundaries that decrease or overrun, v with other boundaries than k;
 *   pairBias together with bias, causal, dropout or keys of other events than q's, and with momenta
 *   that are not finite
 * @throws ValueError for a dropout outside 0 to below 1, or without a seed
 * @throws DTypeError
 */
export function attention(
  q: Ragged | RaggedLike | Vector,
  k: Ragged | RaggedLike | Vector,
  v: Ragged | RaggedLike | Vector,
  options: AttentionOptions,
): Ragged {
  operation.checkOptions(options);
  if (options === undefined) throw new ValueError(name, 'options', 'options is undefined (expected { heads })');
  const { heads, scale, bias, pairBias, causal, dropout = 0, seed, stream, out } = options;
  if (typeof heads !== 'number' || !Number.isInteger(heads) || heads < 1)
    throw new ValueError(name, 'heads', `heads is ${shown(heads)} (expected a number of heads)`);
  if (dropout > 0 && seed === undefined)
    throw new ValueError(name, 'seed', 'seed is missing (expected an integer, as there is dropout)');
  const queries = asRagged(q, name, 'q'),
    keys = asRagged(k, name, 'k'),
    values = asRagged(v, name, 'v');
  if (!sameBoundaries(keys, values))
    throw new ValueError(name, 'v', 'v has other events than k (expected a value for every key)');
  const [queryHeads, keyHeads, valueHeads] = [
    byHeads(queries.values, heads, 'q'),
    byHeads(keys.values, heads, 'k'),
    byHeads(values.values, heads, 'v'),
  ];
  const width = queryHeads.shape[2],
    outputs = heads * valueHeads.shape[2];
  // To the library 0 means the default, so the smallest number is passed: float32 products times it
  // are practically 0.
  const factor = scale === 0 ? 2 ** -149 : (scale ?? (width > 0 ? 1 / Math.sqrt(width) : 1));
  const room = out === undefined ? undefined : byHeads(toOutput(out, name), heads, 'out');
  let result: Tensor;
  if (pairBias === undefined) {
    const given = [queryHeads, keyHeads, valueHeads, queries.offsets, keys.offsets, bias];
    result = operation.run(given, { scale: factor, causal, dropout, seed, stream }, room);
  } else {
    checkUse(options, queries, keys);
    const given = pairBiasArguments(pairBias, heads, queryHeads.shape[0], name);
    const inputs = [given.momenta, queries.offsets, ...given.layers, queryHeads, keyHeads, valueHeads];
    result = biased.run(inputs, { ...given.options, scale: factor }, room);
  }
  return queries.with(result.reshape([result.shape[0], outputs]));
}

/** A bias of pairs is that of self-attention, without masks and dropout. */
function checkUse({ bias, causal, dropout }: AttentionOptions, queries: Ragged, keys: Ragged): void {
  const together = bias !== undefined ? 'bias' : causal ? 'causal' : dropout ? 'dropout' : undefined;
  if (together !== undefined)
    throw new ValueError(name, 'pairBias', `pairBias is given together with ${together} (expected one of them)`);
  if (!sameBoundaries(queries, keys))
    throw new ValueError(name, 'k', 'k has other events than q (expected self-attention where pairBias is given)');
}

/** `[N, H*D]` as `[N, H, D]`. */
function byHeads(values: Tensor, heads: number, argument: string): Tensor {
  const [rows, columns] = values.shape;
  if (values.shape.length !== 2 || columns % heads !== 0) {
    const text = `${argument} is ${shapeText(values.shape)} but heads is ${heads} (expected ${argument} [rows, heads times columns])`;
    throw new ShapeError(name, argument, text);
  }
  return values.reshape([rows, heads, columns / heads]);
}

/** Boundaries on a device are not compared: usually both come from the same list. */
function sameBoundaries(one: Ragged, other: Ragged): boolean {
  if (one.offsets.size !== other.offsets.size) return false;
  if (beginTogether(one.offsets._memory, other.offsets._memory)) return true;
  if (one.device !== 'cpu' || other.device !== 'cpu') return true;
  const a = one.offsets.data as Int32Array,
    b = other.offsets.data as Int32Array;
  return a.every((offset, i) => offset === b[i]);
}
