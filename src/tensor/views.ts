import { record } from '../autograd/tape';
import { copy } from '../runtime/frame';
import { filled, type Tensor } from './tensor';

/**
 * The rows from `begin` to before `end`, on the same memory: layers whose weights are stored as
 * one. @internal
 */
export function rowsOf(whole: Tensor, begin: number, end: number): Tensor {
  const [rows, ...rest] = whole.shape;
  const row = rows === 0 ? 0 : whole.size / rows;
  return record(whole._view(begin * row, [end - begin, ...rest]), [whole], (gradient) => {
    const spread = filled(whole, 0, 'backward', 'gradient');
    copy(gradient, rowsOf(spread, begin, end));
    return [spread];
  });
}
