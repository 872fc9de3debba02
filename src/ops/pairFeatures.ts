import type { Vector } from 'apache-arrow';

import { Operation, toOutput } from '../operation/operation';
import { KnownOptions } from '../runtime/check';
import { ShapeError } from '../runtime/errors';
import { besides, onHost } from '../tensor/host';
import { asRagged, checkBoundaries, Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { empty, Tensor, type TensorLike } from '../tensor/tensor';

const name = 'pairFeatures';
const operation = new Operation('pair_features');
const knownOptions = new KnownOptions('eps', 'out');
const featureCount = 4;
const maxRows = 2 ** 31 - 1;

export interface PairFeaturesOptions {
  /** Lower limit of the arguments of logarithms. Default 1e-8. */
  eps?: number;
  /** `[P, 4]` */
  out?: TensorLike;
}

/**
 * Pair features that the Particle Transformer (arXiv:2202.03772) feeds to its attention, for every
 * pair in an event: ln kT, ln z, ln Delta R and ln m^2, as in weaver's ParticleTransformer. All are
 * finite, also for a particle with itself, and so is their gradient with respect to the momenta.
 * @param momenta - `[N, 4]` with boundaries of B events: px, py, pz, E {GeV}
 * @returns `[P, 4]`: for an event of n particles n rows of n pairs, one event after the other
 * @throws ValueError for momenta that are not finite, boundaries that decrease or overrun, an eps
 *   of 0 or less
 * @throws ShapeError, DTypeError
 */
export function pairFeatures(momenta: Ragged | RaggedLike | Vector, options: PairFeaturesOptions = {}): Ragged {
  knownOptions.check(options, name);
  const { eps, out } = options;
  const events = asRagged(momenta, name, 'momenta');
  checkMomenta(events, name);
  const offsets = pairOffsets(events, name);
  const { values } = events;
  const room =
    out === undefined
      ? empty(values._dtype, [offsets.last, featureCount], values._device, name, 'out')
      : toOutput(out, name);
  if (room.shape.length !== 2 || room.shape[1] !== featureCount)
    throw new ShapeError(name, 'out', `out is ${shapeText(room.shape)} (expected out [P, ${featureCount}])`);
  const features = operation.run([values, events.offsets], { eps }, room.reshape([room.size]));
  return new Ragged(features.reshape(room.shape), offsets.tensor);
}

/** @internal */
export function checkMomenta(events: Ragged, operation_: string): void {
  const { shape } = events.values;
  if (shape.length !== 2 || shape[1] !== 4)
    throw new ShapeError(operation_, 'momenta', `momenta is ${shapeText(shape)} (expected momenta [N, 4])`);
  checkBoundaries(events.offsets, shape[0], operation_, 'offsets');
}

/** Where the pairs of each event begin, and how many there are. @internal */
export function pairOffsets(events: Ragged, operation_: string): { tensor: Tensor; last: number } {
  const boundaries = onHost(events.offsets) as Int32Array;
  const pairs = new Int32Array(boundaries.length);
  let last = 0;
  for (let b = 1; b < boundaries.length; ++b) {
    last += (boundaries[b] - boundaries[b - 1]) ** 2;
    if (last > maxRows)
      throw new ShapeError(operation_, 'momenta', `momenta have more than ${maxRows} pairs (expected fewer)`);
    pairs[b] = last;
  }
  return { tensor: besides(events.offsets, pairs), last };
}
