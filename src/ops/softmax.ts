import type { Vector } from 'apache-arrow';

import { Operation, toOutput } from '../operation/operation';
import { ShapeError } from '../runtime/errors';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import type { Tensor, TensorLike } from '../tensor/tensor';

const ofRows = new Operation('softmax');
const ofSegments = new Operation('segment_softmax');

/**
 * Weights that sum to 1 over the last axis: `exp(x_c) / sum of exp(x_k)`, with the largest number
 * subtracted first. The same result as PyTorch's softmax.
 * @param x - `[..., F]`
 * @returns a tensor of the shape of x
 * @throws ShapeError, DTypeError
 */
export function softmax(x: TensorLike, options?: { out?: TensorLike }): Tensor {
  ofRows.checkOptions(options, []);
  return ofRows.run([x], undefined, options?.out);
}

/**
 * A softmax over the particles of each event, column by column: the weights of every event sum to
 * 1. The same result as PyTorch Geometric's softmax.
 * @param x - `[N, ...]` with boundaries of B events; rows outside every event get 0
 * @returns the weights, with the same boundaries
 * @throws ValueError for boundaries that decrease or overrun; ShapeError, DTypeError
 */
export function segmentSoftmax(x: Ragged | RaggedLike | Vector, options?: { out?: TensorLike }): Ragged {
  const name = 'segmentSoftmax';
  ofSegments.checkOptions(options, []);
  const ragged = asRagged(x, name, 'x');
  const { values, offsets } = ragged;
  const { shape } = values;
  if (shape.length === 0) throw new ShapeError(name, 'x', 'x has values without dimensions (expected [N, ...])');
  if (shape.length === 2) return ragged.with(ofSegments.run([values, offsets], undefined, options?.out));
  const rows = [shape[0], shape.slice(1).reduce((product, extent) => product * extent, 1)];
  let out: Tensor | undefined;
  if (options?.out !== undefined) {
    const given = toOutput(options.out, name);
    if (given.shape.length !== shape.length || given.shape.some((extent, d) => extent !== shape[d])) {
      const text = `out is [${given.shape.join(', ')}] (expected [${shape.join(', ')}], as x)`;
      throw new ShapeError(name, 'out', text);
    }
    out = given.reshape(rows);
  }
  return ragged.with(ofSegments.run([values.reshape(rows), offsets], undefined, out).reshape(shape));
}
