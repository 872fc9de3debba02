import { wantsGradient } from '../autograd/tape';
import { Operation } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { joined } from '../runtime/view';
import { elementsOf, shapeText } from '../tensor/shape';
import { asTensor, Tensor, type TensorLike } from '../tensor/tensor';

const operation = new Operation('concat');
const knownOptions = new KnownOptions('out');
/** How many tensors one call of the kernel takes. */
const maxParts = 8;

/**
 * Tensors side by side along their last axis: PyTorch's `cat` of `dim=-1`. Nothing is copied where
 * there is only one, and where single rows already lie one after the other in memory, as the rows
 * of one tensor do.
 * @param tensors - `[..., F0]`, `[..., F1]`..., at least one
 * @returns `[..., F0 + F1 + ...]`
 * @throws ShapeError for leading dimensions that differ; DTypeError; ValueError without a tensor
 */
export function concat(tensors: readonly TensorLike[], options?: { out?: TensorLike }): Tensor {
  knownOptions.check(options, 'concat');
  if (!Array.isArray(tensors) || tensors.length === 0)
    throw new ValueError('concat', 'tensors', `tensors is ${shown(tensors)} (expected a list of at least one tensor)`);
  const given = (tensors as readonly TensorLike[]).map((part, k) =>
    asTensor(part, undefined, 'concat', `tensors[${k}]`),
  );
  const first = given[0];
  for (const [k, part] of given.entries()) {
    const { shape } = part;
    const rank = first.shape.length;
    if (rank > 0 && shape.length === rank && shape.every((extent, d) => d === rank - 1 || extent === first.shape[d]))
      continue;
    const text = `tensors[${k}] is ${shapeText(shape)} (expected the leading dimensions of ${shapeText(first.shape)})`;
    throw new ShapeError('concat', `tensors[${k}]`, text);
  }
  if (options?.out === undefined) {
    if (given.length === 1) return first;
    const whole = alreadyTogether(given);
    if (whole) return whole;
  }
  return join(given, options?.out);
}

function join(parts: readonly Tensor[], out?: TensorLike): Tensor {
  if (parts.length <= maxParts)
    return operation.run(
      Array.from({ length: maxParts }, (_, k) => parts[k] as Tensor | undefined),
      undefined,
      out,
    );
  const size = maxParts ** Math.ceil(Math.log(parts.length) / Math.log(maxParts) - 1);
  const groups: Tensor[] = [];
  for (let k = 0; k < parts.length; k += size) groups.push(join(parts.slice(k, k + size)));
  return join(groups, out);
}

/** Single rows that follow each other in host memory, as one. */
function alreadyTogether(parts: readonly Tensor[]): Tensor | undefined {
  const { shape, _dtype: dtype, _device: device } = parts[0];
  const leading = shape.slice(0, -1);
  if (elementsOf(leading) !== 1 || wantsGradient(parts)) return undefined;
  if (parts.some((part) => part._disposed || part._dtype !== dtype)) return undefined;
  const whole = joined(parts.map((part) => part._memory));
  const width = parts.reduce((sum, { size }) => sum + size, 0);
  return whole && new Tensor(whole, dtype, [...leading, width], device);
}
