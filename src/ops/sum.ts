import { record } from '../autograd/tape';
import { addTo } from '../runtime/accumulate';
import { copy } from '../runtime/frame';
import { empty, type Tensor } from '../tensor/tensor';

/** a + b, of one shape: residual connections of the model `name`. @internal */
export function sum(a: Tensor, b: Tensor, name: string): Tensor {
  const result = empty(a._dtype, a.shape, a._device, name, 'x');
  copy(a, result);
  addTo(b, result);
  return record(result, [a, b], (gradient) => [gradient, gradient]);
}
