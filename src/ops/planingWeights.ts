import { Kernel } from '../operation/kernel';
import { KnownOptions } from '../runtime/check';
import { dtypeCode, dtypes } from '../runtime/dtype';
import { ShapeError, ValueError } from '../runtime/errors';
import { copy } from '../runtime/frame';
import { afterwards } from '../runtime/queue';
import { besides, onHost } from '../tensor/host';
import { shapeText } from '../tensor/shape';
import { asTensor, empty, ofType, type Tensor, type TensorLike } from '../tensor/tensor';
import { type Binning, edgesOf } from './histogram';
import { alike, column, labelsOf } from './inverseJsd';

export interface PlaningOptions extends Binning {
  /** `[N]`: 0 background, 1 signal; each class is planed separately. Default: one class. */
  labels?: TensorLike;
  /** `[N]`: initial weights of the elements. Default: all 1. */
  weights?: TensorLike;
  /**
   * `[B]`: the wanted distribution, for example the counts of another sample; non-negative.
   * Default: flat.
   */
  target?: TensorLike;
}

const name = 'planingWeights';
const knownOptions = new KnownOptions('labels', 'weights', 'target', 'bins', 'range', 'edges');
const words = { x: 'variable', y: 'labels', x_edges: 'edges' };
const count = new Kernel('histogram_2d_forward', words, name);
/** Its gradient by weights looks up a number for every element. */
const lookUp = new Kernel('histogram_2d_backward', words, name);
const float64 = dtypeCode['float64'];

/** Factors of the weights of every bin and class. The sum over a class stays as it is. */
function factorsOf(contents: Float64Array, target: Float64Array): Float64Array {
  const factors = new Float64Array(contents.length);
  for (let label = 0; label < 2; ++label) {
    let own = 0,
      wanted = 0;
    for (let k = 0; k < target.length; ++k) {
      const content = contents[2 * k + label];
      if (!(content > 0)) continue;
      own += content;
      wanted += target[k];
    }
    for (let k = 0; k < target.length; ++k) {
      const content = contents[2 * k + label];
      if (content > 0 && wanted > 0) factors[2 * k + label] = (target[k] / content) * (own / wanted);
    }
  }
  return factors;
}

/**
 * Weights that plane a variable away: with them its distribution is flat in every class, or the
 * target's, so that a classifier cannot learn from it (S. Chang, T. Cohen, B. Ostdiek,
 * arXiv:1709.10106). Every element's weight is multiplied with target / content of its bin and
 * class; the sum of the weights of a class that are inside stays as it was. Elements outside all
 * bins, and in bins whose content is not above 0, get 0. It has no gradient.
 * @param variable - `[N]`, NaN is refused
 * @returns `[N]`, of the element type of `variable`
 * @throws ShapeError, DTypeError; ValueError for NaN, invalid bins, a target below 0 and unknown
 *   options
 */
export function planingWeights(variable: TensorLike, options: PlaningOptions): Tensor {
  knownOptions.check(options, name);
  const { labels, weights, target, ...binning } = options ?? {};
  const edges = edgesOf(binning, name);
  const given = column(variable, undefined, name, 'variable');
  const before = weights === undefined ? undefined : column(weights, given, name, 'weights');
  const classes = new dtypes[given._dtype].Array(given.size) as Float64Array;
  if (labels !== undefined) {
    const bytes = labelsOf(labels, given, name);
    for (let i = 0; i < classes.length; ++i) classes[i] = Number(bytes[i] !== 0);
  }
  const wanted = new Float64Array(edges.size - 1).fill(1);
  if (target !== undefined) {
    const contents = asTensor(target, float64, name, 'target');
    if (contents.size !== wanted.length)
      throw new ShapeError(name, 'target', `target is ${shapeText(contents.shape)} (expected [${wanted.length}])`);
    wanted.set(Float64Array.from(onHost(contents) as Float64Array, Number));
    const wrong = wanted.findIndex((content) => !(content >= 0 && content < Infinity));
    if (wrong >= 0)
      throw new ValueError(name, 'target', `target has ${wanted[wrong]} at position ${wrong} (expected 0 or more)`);
  }

  const { device, _dtype: dtype } = given;
  const [values, own] = before ? alike(name, given, before) : [given];
  const ofClass = ofType(besides(given, classes), values._dtype, name, 'labels');
  const inputs = [values, ofClass, edges.to(device), besides(given, Float64Array.of(0, 0.5, 1)), own];
  const [counts] = count.run(inputs, undefined, undefined, [true, false]);
  const contents = counts!.to('cpu'),
    ownOnHost = own?.to('cpu');
  const result = empty(dtype, given.shape, given._device, name, 'variable');
  afterwards(() => {
    const factors = besides(given, factorsOf(contents.data as Float64Array, wanted), contents.shape);
    const found = lookUp.run([...inputs, factors], undefined, undefined, [false, false, true])[2]!.to('cpu');
    const planed = new dtypes[dtype].Array(found.size) as Float64Array;
    for (let i = 0; i < planed.length; ++i)
      planed[i] = Number(found.data[i]) * (ownOnHost ? Number(ownOnHost.data[i]) : 1);
    copy(besides(given, planed), result);
  });
  return result;
}
