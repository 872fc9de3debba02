// The bias of attention that comes from pairs of particles: its options, and what the kernel takes
// of them.
import { KnownOptions } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { shapeText } from '../tensor/shape';
import { asTensor, type TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';
import { checkLayers, type Layer, layerArguments, layersPerCall } from './mlp';

/** An attention bias that a network computes from the `pairFeatures` of every pair of particles. */
export interface PairBias {
  /** `[N, 4]`, a row for each of q's: px, py, pz, E {GeV} */
  momenta: TensorLike;
  /** From one to four. The first takes the 4 features, the last gives a number for each head. */
  layers: readonly Layer[];
  /** Lower limit of the arguments of logarithms. Default 1e-8. */
  eps?: number;
}

const featureCount = 4;
const known = new KnownOptions('momenta', 'layers', 'eps');

/** Names of the kernel's arguments in messages. @internal */
export const pairBiasWords: Readonly<Record<string, string>> = Object.fromEntries([
  ['momenta', 'pairBias.momenta'],
  ['eps', 'pairBias.eps'],
  ...Array.from({ length: layersPerCall }, (_, l) => [
    [`weight${l}`, `pairBias.layers[${l}].weight`],
    [`bias${l}`, `pairBias.layers[${l}].bias`],
  ]).flat(),
]) as Record<string, string>;

/** The arguments that a bias of `particles` and `heads` gives to the kernel. @internal */
export function pairBiasArguments(
  bias: PairBias,
  heads: number,
  particles: number,
  operation: string,
): {
  momenta: TensorLike;
  layers: (TensorLike | undefined)[];
  options: Record<string, Activation | number | undefined>;
} {
  known.check(bias, operation, 'pairBias');
  const { momenta, layers: given, eps } = bias;
  checkShape(momenta, [particles, featureCount], operation, 'pairBias.momenta', "a row for each of q's");
  const layers = checkLayers(given, operation, 'pairBias.layers');
  const count = layers.length;
  if (count > layersPerCall) {
    const text = `pairBias.layers has ${count} layers (expected one to ${layersPerCall})`;
    throw new ValueError(operation, 'pairBias.layers', text);
  }
  const weight = (l: number): string => `pairBias.layers[${l}].weight`;
  checkShape(layers[0].weight, [undefined, featureCount], operation, weight(0), 'inputs are the features of a pair');
  checkShape(layers[count - 1].weight, [heads, undefined], operation, weight(count - 1), 'an output for each head');
  const { inputs, activations } = layerArguments(layers, 0);
  return { momenta, layers: inputs, options: { ...activations, eps } };
}

function checkShape(
  tensor: TensorLike,
  wanted: readonly (number | undefined)[],
  operation: string,
  argument: string,
  why: string,
): void {
  const { shape } = asTensor(tensor, undefined, operation, argument);
  if (shape.length === wanted.length && wanted.every((size, axis) => size === undefined || shape[axis] === size))
    return;
  const text = wanted.map((size) => size ?? '...').join(', ');
  throw new ShapeError(operation, argument, `${argument} is ${shapeText(shape)} (expected [${text}]: ${why})`);
}
