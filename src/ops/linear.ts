import { Operation } from '../operation/operation';
import type { Tensor, TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';

const operation = new Operation('linear', ['bias']);

/**
 * The dense layer: `activation(x weight^T + bias)`.
 * @param x - `[..., Fin]`
 * @param weight - `[Fout, Fin]`, PyTorch's layout
 * @param options - `bias`: `[Fout]`; `out`: written to instead of a new tensor
 * @returns `[..., Fout]`
 * @throws ShapeError, DTypeError
 */
export function linear(
  x: TensorLike,
  weight: TensorLike,
  options?: { bias?: TensorLike; activation?: Activation; out?: TensorLike },
): Tensor {
  operation.checkOptions(options);
  return operation.run([x, weight, options?.bias], options, options?.out);
}
