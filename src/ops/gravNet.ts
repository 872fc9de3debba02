import type { Vector } from 'apache-arrow';

import { transposeOf } from '../graph/graph';
import { Operation } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { besides } from '../tensor/host';
import { asRagged, Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { asTensor, ofType, type Tensor, type TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';
import { concat } from './concat';
import { knnGraph } from './knnGraph';
import { linear } from './linear';
import type { Layer } from './mlp';

const operation = new Operation('grav_net');
const knownOptions = new KnownOptions('space', 'features', 'outputSelf', 'outputAggregate', 'k', 'convention');
const knownLayer = new KnownOptions('weight', 'bias', 'activation');

export interface GravNetOptions {
  /** Layer to the coordinates in which neighbours are found: weight `[S, F]`. */
  space: Layer;
  /** Layer to the features that neighbours pass on: weight `[P, F]`. */
  features: Layer;
  /** Output layer of the point's own features: weight `[Fout, F]`. */
  outputSelf: Layer;
  /**
   * Output layer of the collected features: weight `[Fout, 2P]`. Its activation is applied to the
   * sum of both.
   */
  outputAggregate: Layer;
  /** Number of neighbours, the point itself among them. */
  k: number;
  /**
   * `'pyg'` (default): PyTorch Geometric's GravNetConv; the point itself counts, mean before
   * maximum, no activation. `'hgcal'`: HGCalML's; of the k nearest the point itself is left out,
   * maximum before mean, tanh at the end.
   */
  convention?: 'pyg' | 'hgcal';
}

/** @param inputs - columns that the weight must have */
function checkLayer(layer: unknown, name: string, inputs: number, dtype: number): Layer & { weight: Tensor } {
  if (layer === undefined)
    throw new ValueError('gravNet', name, `${name} is missing (expected { weight, bias, activation })`);
  knownLayer.check(layer, 'gravNet', name);
  const { weight: given, bias, activation } = layer as Layer;
  const weight = asTensor(given, Array.isArray(given) ? dtype : undefined, 'gravNet', name);
  if (weight.shape.length !== 2 || weight.shape[1] !== inputs) {
    const text = `${name} has a weight ${shapeText(weight.shape)} (expected [Fout, ${inputs}])`;
    throw new ShapeError('gravNet', name, text);
  }
  return { weight, bias, activation };
}

const apply = (x: Tensor, { weight, bias, activation }: Layer): Tensor => linear(x, weight, { bias, activation });

/** The sum of two biases, either of which may be missing. */
function sumOf(
  first: TensorLike | undefined,
  second: TensorLike | undefined,
  rows: number,
  dtype: number,
): TensorLike | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  const [left, right] = [first, second].map((bias, i) => {
    const name = i === 0 ? 'outputSelf' : 'outputAggregate';
    const made = asTensor(bias, Array.isArray(bias) ? dtype : undefined, 'gravNet', name);
    if (made.size !== rows) {
      const text = `${name} has a bias ${shapeText(made.shape)} (expected [${rows}])`;
      throw new ShapeError('gravNet', name, text);
    }
    return made.reshape([rows, 1]);
  });
  const ones = ofType(besides(left, Float32Array.of(1, 1), [1, 2]), left._dtype, 'gravNet', 'outputSelf');
  return linear(concat([left, right]), ones).reshape([rows]);
}

function activationOf(self: Layer, aggregate: Layer, convention: string): Activation {
  if (self.activation !== undefined && self.activation !== aggregate.activation) {
    const text = `outputSelf has the activation ${shown(self.activation)} (expected that of outputAggregate: it is applied to their sum)`;
    throw new ValueError('gravNet', 'outputSelf', text);
  }
  return aggregate.activation ?? (convention === 'hgcal' ? 'tanh' : 'none');
}

/**
 * GravNet layer (arXiv:1902.07987). Every point gets a place in a learned space and features to
 * pass on; its k nearest neighbours there give their features, weighted by `exp(-10 d^2)`, whose
 * mean and maximum are collected: `activation(x outputSelf^T + collected outputAggregate^T)`.
 * Gradients pass through features and distances.
 * @param x - `[N, F]` with boundaries of B events
 * @returns `[N, Fout]` with the same boundaries
 * @throws ValueError for places that are not finite, boundaries that decrease or overrun, and an
 *   invalid k
 * @throws ShapeError, DTypeError
 */
export function gravNet(x: Ragged | RaggedLike | Vector, options: GravNetOptions): Ragged {
  knownOptions.check(options, 'gravNet');
  const events = asRagged(x, 'gravNet', 'x');
  const { values } = events;
  if (values.shape.length !== 2)
    throw new ShapeError('gravNet', 'x', `x is ${shapeText(values.shape)} (expected [N, F])`);
  const { convention = 'pyg', k } = (options as GravNetOptions | undefined) ?? ({} as GravNetOptions);
  if (convention !== 'pyg' && convention !== 'hgcal')
    throw new ValueError('gravNet', 'convention', `convention is ${shown(convention)} (expected pyg, hgcal)`);
  const min = convention === 'pyg' ? 1 : 2;
  if (typeof k !== 'number' || !Number.isInteger(k) || k < min)
    throw new ValueError('gravNet', 'k', `k is ${shown(k)} (expected an integer of at least ${min})`);
  const { space, features, outputSelf, outputAggregate } = options;
  const [inputs, dtype] = [values.shape[1], values._dtype];
  const toPlaces = checkLayer(space, 'space', inputs, dtype),
    toFeatures = checkLayer(features, 'features', inputs, dtype),
    self = checkLayer(outputSelf, 'outputSelf', inputs, dtype),
    aggregate = checkLayer(outputAggregate, 'outputAggregate', 2 * toFeatures.weight.shape[0], dtype);
  const activation = activationOf(self, aggregate, convention);
  const outputs = aggregate.weight.shape[0];
  if (self.weight.shape[0] !== outputs) {
    const text = `outputSelf has ${self.weight.shape[0]} outputs but outputAggregate has ${outputs}`;
    throw new ShapeError('gravNet', 'outputSelf', text);
  }

  const places = apply(values, toPlaces);
  const itself = convention === 'pyg';
  const graph = knnGraph(events.with(places), itself ? k : k - 1, { loop: itself });
  const collected = operation.run(
    [graph.rowOffsets, graph.sources, places, apply(values, toFeatures)],
    { convention },
    undefined,
    transposeOf(graph),
  );
  const weight = concat([self.weight, aggregate.weight]);
  const bias = sumOf(self.bias, aggregate.bias, outputs, dtype);
  const y = linear(concat([values, collected]), weight, { bias, activation });
  return events.with(y);
}
