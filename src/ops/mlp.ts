import { Operation } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { ValueError } from '../runtime/errors';
import type { Tensor, TensorLike } from '../tensor/tensor';
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
/**
 * Maximum number of layers in one call of the kernel; longer networks take several calls. @internal
 */
export const layersPerCall = 4;

/**
 * Several dense layers in one call; the activations between them stay in cache.
 * @param x - `[..., Fin]`
 * @param layers - at least one
 * @returns `[..., Fout]` of the last layer
 * @throws ShapeError, DTypeError; ValueError without a layer
 */
export function mlp(x: TensorLike, layers: readonly Layer[], options?: { out?: TensorLike }): Tensor {
  operation.checkOptions(options, []);
  const all = checkLayers(layers, 'mlp', 'layers');
  let result: TensorLike = x;
  for (let first = 0; first < all.length; first += layersPerCall) {
    const { inputs, activations } = layerArguments(all, first);
    const isLast = first + layersPerCall >= all.length;
    result = operation.run([result, ...inputs], activations, isLast ? options?.out : undefined);
  }
  return result as Tensor;
}

/** Throws unless given a list of at least one layer. @internal */
export function checkLayers(layers: readonly Layer[], operation_: string, name: string): readonly Layer[] {
  if (!Array.isArray(layers) || layers.length === 0)
    throw new ValueError(operation_, name, `${name} is ${shown(layers)} (expected a list of at least one layer)`);
  const all = layers as readonly Layer[];
  for (let i = 0; i < all.length; ++i) checkLayer(all[i], operation_, `${name}[${i}]`);
  return all;
}

function checkLayer(layer: Layer | undefined, operation_: string, name: string): void {
  if (layer === undefined)
    throw new ValueError(operation_, name, `${name} is missing (expected { weight, bias, activation })`);
  knownLayer.check(layer, operation_, name);
}

/**
 * The layers from `first` on, as many as a kernel takes, as its arguments and options. @internal
 */
export function layerArguments(
  layers: readonly Layer[],
  first: number,
): { inputs: (TensorLike | undefined)[]; activations: Record<string, Activation | undefined> } {
  const inputs: (TensorLike | undefined)[] = [];
  const activations: Record<string, Activation | undefined> = {};
  for (let i = 0; i < layersPerCall; ++i) {
    const layer = layers[first + i] as Layer | undefined;
    inputs.push(layer?.weight, layer?.bias);
    activations[`activation${i}`] = layer?.activation;
  }
  return { inputs, activations };
}
