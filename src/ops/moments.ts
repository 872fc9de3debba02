import { dtypeCode } from '../runtime/dtype';
import { ShapeError } from '../runtime/errors';
import { shapeText } from '../tensor/shape';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';

/**
 * Mean and variance computed by a convolution, for the normalisation that follows it.
 * @param leading - whose numbers these are, of the shape of x
 * @param rows - the same as the kernel sees it
 * @internal
 */
export function momentsOf(
  value: TensorLike | undefined,
  operation: string,
  leading: readonly number[],
  rows = leading,
): Tensor | undefined {
  if (value === undefined || value === null) return undefined;
  const given = asTensor(value, Array.isArray(value) ? dtypeCode['float64'] : undefined, operation, 'moments');
  const wanted = [...leading, 2];
  if (given.shape.length === wanted.length && wanted.every((extent, d) => extent === given.shape[d]))
    return given.detach().reshape([...rows, 2]);
  const text = `moments is ${shapeText(given.shape)} (expected ${shapeText(wanted)}, mean and variance)`;
  throw new ShapeError(operation, 'moments', text);
}
