// What networks are put together with, besides the operations: both have gradients. @internal
import { addTo, record } from '../autograd/tape';
import { copyKernel } from './kernel';
import { dtypes } from '../runtime/dtype';
import { Kind } from '../runtime/memory';
import { empty, filled, Tensor } from '../tensor/tensor';

/** a + b, of one shape: residual connections. @internal */
export function sum(a: Tensor, b: Tensor): Tensor {
  const result = empty(a._dtype, a.shape, a._device);
  copyKernel(a, result);
  addTo(b, result);
  return record(result, [a, b], (gradient) => [gradient, gradient]);
}

/** The rows from `begin` to before `end`, on the same memory: layers whose weights are stored as one. @internal */
export function rowsOf(whole: Tensor, begin: number, end: number): Tensor {
  const [rows, ...rest] = whole.shape;
  const row = rows === 0 ? 0 : whole.size / rows;
  const { _memory: memory } = whole;
  const view = new Tensor(
    {
      ...memory,
      array: memory.array?.subarray(begin * row, end * row),
      byteOffset: memory.byteOffset + (memory.kind === Kind.block ? begin * row * dtypes[whole._dtype].bytes : 0),
    },
    whole._dtype,
    [end - begin, ...rest],
    whole._device,
  );
  return record(view, [whole], (gradient) => {
    const spread = filled(whole, 0);
    copyKernel(gradient, rowsOf(spread, begin, end));
    return [spread];
  });
}
