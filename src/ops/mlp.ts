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
  if (!Array.isArray(layers) || layers.length === 0)
    throw new ValueError('mlp', 'layers', 'layers is empty (expected at least one layer)');
  let result: TensorLike = x;
  for (let first = 0; first < layers.length; first += layersPerCall) {
    const part = (layers as readonly Layer[]).slice(first, first + layersPerCall);
    const inputs: (TensorLike | undefined)[] = [result];
    const activations: Record<string, Activation | undefined> = {};
    for (let i = 0; i < layersPerCall; ++i) {
      inputs.push(part[i]?.weight, part[i]?.bias);
      activations[`activation${i}`] = part[i]?.activation;
    }
    result = operation.run(inputs, activations, first + layersPerCall >= layers.length ? options?.out : undefined);
  }
  return result as Tensor;
}
