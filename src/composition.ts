// What networks are put together with, besides the operations: both have gradients. @internal
import { addTo, record } from './autograd';
import { copyKernel } from './call';
import { dtypes } from './dtype';
import { Kind } from './memory';
import { empty, filled, Tensor } from './tensor';

/** a + b, of one shape: residual connections of the model `name`. @internal */
export function sum(a: Tensor, b: Tensor, name: string): Tensor {
  const result = empty(a._dtype, a.shape, a._device, name, 'x');
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
    const spread = filled(whole, 0, 'backward', 'gradient');
    copyKernel(gradient, rowsOf(spread, begin, end));
    return [spread];
  });
}
