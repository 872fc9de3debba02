import { Operation } from '../operation/operation';
import { shown } from '../runtime/check';
import { ValueError } from '../runtime/errors';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';

const operation = new Operation('dropout', ['training']);

export interface DropoutOptions {
  /** Probability of dropping an element, 0 to 1; default 0.5. */
  p?: number;
  /**
   * Key of the generator, below 2^64 (a bigint from 2^53 on). Use another seed, or another stream,
   * for every step.
   */
  seed: number | bigint;
  /** Streams are independent for the same seed: use one per layer, for example. Default 0. */
  stream?: number | bigint;
  /** Whether elements are dropped (default true). */
  training?: boolean;
  out?: TensorLike;
}

/**
 * Sets elements to 0 with probability p and divides the others by 1 - p. Which ones depends on
 * seed, stream and the element's place only, by Philox 4x32-10: the same on every device, and drawn
 * again for the gradient instead of kept.
 * @returns a tensor of the shape of x; x itself when not in training
 * @throws ValueError for a p outside 0 to 1, and a seed that is not an integer; DTypeError
 */
export function dropout(x: TensorLike, options: DropoutOptions): Tensor {
  if (typeof options !== 'object' || options === null)
    throw new ValueError('dropout', 'options', `options is ${shown(options)} (expected { p, seed })`);
  operation.checkOptions(options);
  const { p = 0.5, seed, stream, training = true, out } = options;
  if (typeof training !== 'boolean')
    throw new ValueError('dropout', 'training', `training is ${shown(training)} (expected true or false)`);
  if (training && seed === undefined) throw new ValueError('dropout', 'seed', 'seed is missing (expected an integer)');
  if (!training && out === undefined) return asTensor(x, undefined, 'dropout', 'x');
  return operation.run([x], { p: training ? p : 0, seed, stream }, out);
}
