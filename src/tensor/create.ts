import { KnownOptions, shown } from '../runtime/check';
import { cpu } from '../runtime/device';
import { codeOf, type DType } from '../runtime/dtype';
import { ValueError } from '../runtime/errors';
import { immediately } from '../runtime/queue';
import { checkShape, inferredShape } from './shape';
import { asTensor, filled, ofType, type Tensor, type TensorLike } from './tensor';

export interface TensorOptions {
  /** Default: the shape of the source. One size may be -1: it is inferred from the others. */
  shape?: readonly number[];
  /**
   * Default: the source's, float32 for lists of numbers. Another one than the source's makes a
   * converted copy.
   */
  dtype?: DType;
  /** Default `'cpu'`. */
  device?: string;
  /** Whether `backward()` computes a gradient for this tensor. */
  requiresGrad?: boolean;
  /** What error messages call the column. */
  name?: string;
}

const knownOptions = new KnownOptions('shape', 'dtype', 'device', 'requiresGrad', 'name');

/**
 * A tensor on the memory of `source`. Typed arrays and one-chunk Arrow vectors (Float32, Float64,
 * Int32, Int64, Uint8 and FixedSizeLists of them, nested or not) are not copied; several chunks are
 * gathered once; lists of numbers are copied, to float32 unless `dtype` says otherwise.
 *
 * An operation takes lists of numbers too. There a list gets the element type of the tensors
 * beside it. Where all are lists they become float32, but float64 in what compares, counts or sums
 * up exactly: `argsort`, `histogram`, `rocAuc` and its relatives, divergences, `inverseJsd`, `ddt`,
 * `planingWeights`, distance correlations and covariances, and `linearSumAssignment`.
 * @throws DTypeError for element types that no operation knows
 * @throws ValueError for columns with nulls, saying how many; for numbers that the element type
 *   cannot hold
 * @throws ShapeError when `shape` does not fit, or lists are of different lengths
 */
export function tensor(source: TensorLike, options: TensorOptions = {}): Tensor {
  knownOptions.check(options, 'tensor');
  const { shape, device, requiresGrad } = options;
  const name = options.name === undefined ? 'source' : String(options.name);
  const wanted = options.dtype === undefined ? undefined : codeOf(options.dtype, 'tensor');
  if (requiresGrad !== undefined && typeof requiresGrad !== 'boolean') {
    const text = `requiresGrad is ${shown(requiresGrad)} (expected true or false)`;
    throw new ValueError('tensor', 'requiresGrad', text);
  }
  let made = asTensor(source, wanted, 'tensor', name);
  if (wanted !== undefined && made._dtype !== wanted) {
    const host = immediately(() => made.to('cpu'));
    made = ofType(host, wanted, 'tensor', name);
  }
  if (shape !== undefined) {
    const whole = inferredShape(shape, made.size);
    checkShape(whole, made.size, 'tensor');
    made = made.reshape(whole);
  }
  if (device !== undefined) made = made.to(device);
  if (requiresGrad) {
    // The marked tensor must be one of its own: the source may be in use elsewhere.
    if (made === source) made = made.detach();
    made.requiresGrad = true;
  }
  return made;
}

const knownZerosOptions = new KnownOptions('dtype', 'device', 'requiresGrad');

/**
 * A tensor of zeros. From 16 KB on its memory is a native block.
 * @throws ShapeError, DTypeError; ValueError for unknown options
 */
export function zeros(
  shape: readonly number[],
  options: { dtype?: DType; device?: string; requiresGrad?: boolean } = {},
): Tensor {
  knownZerosOptions.check(options, 'zeros');
  const { dtype = 'float32', device = 'cpu', requiresGrad = false } = options;
  const code = codeOf(dtype, 'zeros');
  checkShape(shape, undefined, 'zeros');
  return tensor(filled({ _dtype: code, shape: [...shape], _device: cpu }, 0, 'zeros', 'shape'), {
    device,
    requiresGrad,
  });
}
