import { KnownOptions, shown } from '../check';
import { ValueError } from '../errors';
import { Operation } from '../operation';
import type { Tensor, TensorLike } from '../tensor';
import type { Activation } from './activation';

/** A dense layer: `activation(x weight^T + bias)`. */
export interface Layer {
  /** `[Fout, Fin]` */
  weight: TensorLike;
  /** `[Fout]` */
  bias?: TensorLike;
  /** Default `'none'`. */
  activation?: Activation;
}

const operation = new Operation('mlp');
const knownLayer = new KnownOptions('weight', 'bias', 'activation');
/** What one call of the kernel takes; longer networks are several calls. */
const layersPerCall = 4;

/**
 * Several dense layers in one call; the activations between them stay in cache.
 * @param x - `[..., Fin]`
 * @param layers - any number from one on
 * @returns `[..., Fout]` of the last layer
 * @throws ShapeError, DTypeError; ValueError without a layer
 */
export function mlp(x: TensorLike, layers: readonly Layer[], options?: { out?: TensorLike }): Tensor {
  operation.checkOptions(options, []);
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new ValueError('mlp', 'layers', `layers is ${shown(layers)} (expected a list of at least one layer)`);
  }
  const all = layers as readonly Layer[];
  let result: TensorLike = x;
  for (let first = 0; first < all.length; first += layersPerCall) {
    const inputs: (TensorLike | undefined)[] = [result];
    const activations: Record<string, Activation | undefined> = {};
    for (let i = 0; i < layersPerCall; ++i) {
      const layer = first + i < all.length ? checkLayer(all[first + i], first + i) : undefined;
      inputs.push(layer?.weight, layer?.bias);
      activations[`activation${i}`] = layer?.activation;
    }
    const isLast = first + layersPerCall >= all.length;
    result = operation.run(inputs, activations, isLast ? options?.out : undefined);
  }
  return result as Tensor;
}

function checkLayer(layer: Layer | undefined, index: number): Layer {
  const name = `layers[${index}]`;
  if (layer === undefined)
    throw new ValueError('mlp', name, `${name} is missing (expected { weight, bias, activation })`);
  knownLayer.check(layer, 'mlp', name);
  return layer;
}
