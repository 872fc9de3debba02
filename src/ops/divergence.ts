import { Operation } from '../operation/operation';
import { KnownOptions } from '../runtime/check';
import { dtypeCode, dtypes } from '../runtime/dtype';
import { DTypeError, ShapeError } from '../runtime/errors';
import { shapeText } from '../tensor/shape';
import { asTensor, ofType, type Tensor, type TensorLike } from '../tensor/tensor';

export interface DivergenceOptions {
  /**
   * Base of the logarithm: 2 (default) for bits, `Math.E` for nats; any positive number except 1.
   */
  base?: number;
  /**
   * Added to the content of every bin before it is normalised, so that no bin is empty; default 0.
   */
  pseudocount?: number;
}

const operations = {
  klDivergence: new Operation('divergence', [], undefined, 'klDivergence'),
  jsDivergence: new Operation('divergence', [], undefined, 'jsDivergence'),
};
const knownOptions = new KnownOptions('base', 'pseudocount');
const float64 = dtypeCode['float64'];

function contents(histogram: TensorLike, name: string, argument: string): Tensor {
  const given = asTensor(histogram, float64, name, argument);
  if (given._dtype === float64) return given;
  if (!dtypes[given._dtype].floating || given.requiresGrad)
    throw new DTypeError(name, argument, `${argument} is ${given.dtype} (expected float64, as histogram gives it)`);
  return ofType(given, float64, name, argument);
}

function divergence(
  name: keyof typeof operations,
  kind: string,
  histograms: [TensorLike, TensorLike],
  options: DivergenceOptions = {},
): Tensor {
  knownOptions.check(options, name);
  const { base, pseudocount } = options;
  const p = contents(histograms[0], name, 'p'),
    q = contents(histograms[1], name, 'q');
  if (p.shape.length !== q.shape.length || p.shape.some((extent, d) => extent !== q.shape[d]))
    throw new ShapeError(
      name,
      'q',
      `q is ${shapeText(q.shape)} but p is ${shapeText(p.shape)} (expected the same bins)`,
    );
  return operations[name].run([p.reshape([p.size]), q.reshape([q.size])], { base, pseudocount, kind });
}

/**
 * The Kullback-Leibler divergence of two histograms, sum of P log(P / Q) over the bins, where both
 * are normalised first. Bins that are empty in p have no term; one that is empty in q alone makes
 * it infinite. Contents below 0 count as 0. Differentiable in both.
 * @param p - contents of bins, float64 of any shape
 * @param q - of the same bins
 * @returns a float64 scalar, NaN when a histogram is empty
 * @throws ShapeError, DTypeError; ValueError for an invalid base or pseudocount
 */
export function klDivergence(p: TensorLike, q: TensorLike, options?: DivergenceOptions): Tensor {
  return divergence('klDivergence', 'kullbackLeibler', [p, q], options);
}

/**
 * The Jensen-Shannon divergence of two histograms, (KL(P, M) + KL(Q, M)) / 2 with M = (P + Q) / 2:
 * 0 for equal shapes, 1 (in base 2) for disjoint ones, never infinite. Contents below 0 count as 0.
 * Differentiable in both.
 * @param p - contents of bins, float64 of any shape
 * @param q - of the same bins
 * @returns a float64 scalar, NaN when a histogram is empty
 * @throws ShapeError, DTypeError; ValueError for an invalid base or pseudocount
 */
export function jsDivergence(p: TensorLike, q: TensorLike, options?: DivergenceOptions): Tensor {
  return divergence('jsDivergence', 'jensenShannon', [p, q], options);
}
