import { concat } from '../ops/concat';
import { conv1d } from '../ops/conv';
import { convTranspose3d } from '../ops/convTranspose';
import { KnownOptions, shown } from '../runtime/check';
import { ValueError } from '../runtime/errors';
import type { Source } from '../safetensors';
import type { Tensor } from '../tensor/tensor';
import type { LayerMemory } from './layerMemory';
import { constant, drawn, missing, type Parameters, parametersOf, seedOf, type Shapes, tensorsOf } from './parameters';
import {
  inPieces,
  normalised,
  ShowerGenerator,
  type ShowerInitialOptions,
  type ShowerNetworkOptions,
  type Target,
} from './showers';

const network = 'WganGenerator';

export interface WganGeneratorInitialOptions extends ShowerInitialOptions {
  /**
   * Channels of the last hidden layer, default 32, as published; those before have 2, 4 and 8 times
   * as many.
   */
  width?: number;
  /** Numbers of noise per shower, default 100, as published. */
  latent?: number;
}

const knownOptions = new KnownOptions('device');
const knownInitial = new KnownOptions('device', 'seed', 'width', 'latent');

/** Layer, its normalisation, and the extent behind it; each doubles the extent before. */
const doublings = [
  ['main_conv.0', 'main_conv.1', 8],
  ['main_conv.3', 'main_conv.4', 16],
  ['main_conv.6', 'main_conv.7', 32],
] as const;
const last = 'main_conv.9';
const showersInCache = 1;

function shapesOf(width: number, latent: number): Shapes {
  const kernel = [4, 4, 4];
  const shapes: Record<string, number[]> = {
    'conv1_1.weight': [1, 4 * width, ...kernel],
    'conv1_100.weight': [latent, 4 * width, ...kernel],
  };
  let channels = 8 * width;
  for (const [layer, norm, extent] of doublings) {
    shapes[`${layer}.weight`] = [channels, (channels /= 2), ...kernel];
    for (const part of ['weight', 'bias']) shapes[`${norm}.${part}`] = [extent, extent, extent];
  }
  shapes[`${last}.weight`] = [channels, 1, 3, 3, 3];
  return shapes;
}

/**
 * The generator of the Wasserstein GAN of E. Buhmann et al., "Getting High" (arXiv:2005.05334):
 * photon showers of 30 x 30 x 30 cells from 100 numbers of noise and the photon's energy. Both are
 * spread over 128 channels of 4 x 4 x 4, and transposed convolutions lead over 8, 16 and 32 to 30
 * cells along each axis, with layer normalisation over the cells, whose weights all channels share,
 * and ReLU. 3,655,520 parameters as published.
 *
 * Noise is uniform in [-1, 1), as in the published training; its description says normal. The
 * energy enters as it is, in GeV. On one device the same seed gives the same bits for any batch and
 * number of threads; noise is the same on all devices, and showers are then equal but for rounding.
 */
export class WganGenerator extends ShowerGenerator {
  /** Numbers of noise per shower. */
  readonly latent: number;

  private constructor(tensors: Parameters, device: string | undefined) {
    const need = (name: string): readonly number[] =>
      Object.hasOwn(tensors, name) ? tensors[name].shape : missing(network, name);
    const latent = need('conv1_100.weight')[0] ?? 0;
    const parameters = parametersOf(network, tensors, shapesOf(need(`${last}.weight`)[0] ?? 0, latent), device);
    super(parameters, { network, noise: { kind: 'uniform', width: latent }, together: 16 });
    this.latent = latent;
  }

  /**
   * The network with the weights of a safetensors file, or with tensors by name.
   * @throws ValueError for a tensor that is missing or none of its own, and for malformed files;
   *   ShapeError, DTypeError, all of which name it; DeviceError when the device cannot be used
   */
  static load(file: Source | Parameters, options: ShowerNetworkOptions = {}): WganGenerator {
    knownOptions.check(options, network);
    return new WganGenerator(tensorsOf(file), options.device);
  }

  /** The network with the random weights that its training starts from: normal, 0.02 wide. */
  static initial(options: WganGeneratorInitialOptions): WganGenerator {
    const seed = seedOf(network, options);
    knownInitial.check(options, network);
    const { width = 32, latent = 100, device } = options;
    for (const [name, value] of Object.entries({ width, latent }))
      if (!Number.isInteger(value) || value < 1)
        throw new ValueError(network, name, `${name} is ${shown(value)} (expected a positive integer)`);
    const norms = new Map<string, number>(
      doublings.flatMap(([, norm]) => [
        [`${norm}.weight`, 1],
        [`${norm}.bias`, 0],
      ]),
    );
    const tensors = drawn(shapesOf(width, latent), seed, (name) =>
      norms.get(name) === 0 ? constant(0) : { kind: 'normal', mean: norms.get(name) ?? 0, spread: 0.02 },
    );
    return new WganGenerator(tensors, device);
  }

  /** @internal */
  override _run(noise: Tensor, energies: Tensor, memory?: LayerMemory, out?: Tensor): Tensor {
    const { parameters: p } = this;
    const use = (made: Tensor): Tensor => memory?.use(made) ?? made;
    const showers = energies.size;
    // From one place to 4 x 4 x 4: a product of matrices, for which a convolution of size 1 over
    // the weight is the fastest way.
    const spread = (x: Tensor, name: string): Tensor => {
      const { shape, size } = p[name],
        [inputs] = shape,
        outputs = size / inputs;
      const place = memory?.place(name, [1, showers, outputs]);
      const weight = p[name].reshape([1, inputs, outputs]);
      return use(conv1d(weight, x.reshape([showers, inputs, 1]), { out: place })).reshape([showers, outputs]);
    };
    const channels = p['main_conv.0.weight'].shape[0];
    const both = use(
      concat([spread(energies, 'conv1_1.weight'), spread(noise, 'conv1_100.weight')], {
        out: memory?.place('both', [showers, 64 * channels]),
      }),
    ).reshape([showers, channels, 4, 4, 4]);
    return inPieces(both, showersInCache, memory, out, (x, result) => this.convolve(x, memory, result));
  }

  private convolve(x: Tensor, memory: LayerMemory | undefined, out: Tensor | undefined): Tensor {
    const { parameters: p } = this;
    const [showers] = x.shape;
    let h = x;
    for (const [layer, norm, extent] of doublings) {
      const weight = p[`${layer}.weight`],
        shape = [showers, weight.shape[1], extent, extent, extent];
      const convolve = (to: Target): Tensor => convTranspose3d(h, weight, { stride: 2, padding: 1, ...to });
      h = normalised(convolve, shape, p, norm, 'relu', memory);
    }
    return convTranspose3d(h, p[`${last}.weight`], { padding: 2, activation: 'relu', out });
  }
}
