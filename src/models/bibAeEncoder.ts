import { concat } from '../ops/concat';
import { conv3d } from '../ops/conv';
import { linear } from '../ops/linear';
import { KnownOptions, shown } from '../runtime/check';
import { ValueError } from '../runtime/errors';
import type { Source } from '../safetensors';
import type { Tensor, TensorLike } from '../tensor/tensor';
import type { LayerMemory } from './layerMemory';
import { countOf, drawnAsInTorch, type Parameters, parametersOf, seedOf, type Shapes, tensorsOf } from './parameters';
import {
  cells,
  checkedLabel,
  energiesOf,
  labelsOf,
  normalised,
  rowsFor,
  runOnce,
  type ShowerInitialOptions,
  type ShowerNetworkOptions,
  type Target,
} from './showers';

const network = 'BibAeEncoder';

export interface BibAeEncoderOptions extends ShowerNetworkOptions {
  /** What the network is told of an energy of 1 GeV. Default 100, as the decoder has it. */
  labelPerGeV?: number;
}

export type BibAeEncoderInitialOptions = BibAeEncoderOptions & ShowerInitialOptions;

export interface EncodeOptions {
  /** `[B, 30, 30, 30]` {MIP} */
  showers: TensorLike;
  /** `[B]`, of the incident photons {GeV}. */
  energies: TensorLike;
}

/** What a shower says about its latent numbers: independent normal distributions. */
export interface Posterior {
  /** `[B, 24]` */
  mu: Tensor;
  /** ln σ², `[B, 24]` */
  logVariance: Tensor;
}

const knownOptions = new KnownOptions('device', 'labelPerGeV');
const knownInitial = new KnownOptions('device', 'labelPerGeV', 'seed');
const knownInputs = new KnownOptions('showers', 'energies');

/** Numbers that a shower tells about. @internal */
export const encoded = 24;
const activation = 'leakyRelu0.2';
/** Channels, extent of the kernel, and the extents that are left; halvings have stride 2. */
const steps = [
  { channels: 8, kernel: 4, stride: 2, padding: 2, extent: 16 },
  { channels: 16, kernel: 4, stride: 2, padding: 2, extent: 9 },
  { channels: 32, kernel: 4, stride: 2, padding: 2, extent: 5 },
  { channels: 64, kernel: 3, stride: 1, padding: 1, extent: 5 },
] as const;
const features = 64 * 5 ** 3;
const cube = (extent: number): number[] => [extent, extent, extent];

/** @internal */
export const encoderShapes: Shapes = {
  ...Object.fromEntries(
    steps.flatMap(({ channels, kernel, extent }, l) => [
      [`enconv${l + 1}.weight`, [channels, l === 0 ? 1 : steps[l - 1].channels, ...cube(kernel)]],
      [`bnen${l + 1}.weight`, cube(extent)],
      [`bnen${l + 1}.bias`, cube(extent)],
    ]),
  ),
  'fc1.weight': [4000, features + 1],
  'fc1.bias': [4000],
  'fc2.weight': [768, 4000],
  'fc2.bias': [768],
  'fc31.weight': [encoded, 768],
  'fc31.bias': [encoded],
  'fc32.weight': [encoded, 768],
  'fc32.bias': [encoded],
};
/** Files of the whole autoencoder have them too. */
const decoder = /^(cond[1-3]|deconv[12]|bnde[12]|conv[0-4]|bnco[0-3])\.(weight|bias)$/;

/**
 * The encoder of the bounded information bottleneck autoencoder of E. Buhmann et al., "Getting
 * High" (arXiv:2005.05334): from a shower of 30 x 30 x 30 cells and the photon's energy to the mean
 * and the logarithm of the variance of 24 latent numbers. Three convolutions that halve the extents
 * and one that keeps them, each with layer normalisation over the cells, whose weights all channels
 * share, and LeakyReLU of slope 0.2; two dense layers with the same activation, and one for each of
 * the two results. 35,224,598 parameters.
 */
export class BibAeEncoder {
  /** What is trained, under PyTorch's names. */
  readonly parameters: Parameters;
  /** `'cpu'`, `'cuda:0'`... */
  readonly device: string;
  /** What the network is told of an energy of 1 GeV. */
  readonly labelPerGeV: number;

  private constructor(tensors: Parameters, { device, labelPerGeV }: BibAeEncoderOptions) {
    this.labelPerGeV = checkedLabel(network, labelPerGeV);
    this.parameters = parametersOf(network, tensors, encoderShapes, device, decoder);
    this.device = this.parameters['fc1.weight'].device;
  }

  /**
   * The network with the weights of a safetensors file, or with tensors by name. The decoder's may
   * be there too.
   * @throws ValueError for a tensor that is missing or none of its own, and for malformed files;
   *   ShapeError, DTypeError, all of which name it; DeviceError when the device cannot be used
   */
  static load(file: Source | Parameters, options: BibAeEncoderOptions = {}): BibAeEncoder {
    knownOptions.check(options, network);
    return new BibAeEncoder(tensorsOf(file), options);
  }

  /** The network with random weights, as PyTorch draws them. */
  static initial(options: BibAeEncoderInitialOptions): BibAeEncoder {
    const seed = seedOf(network, options);
    knownInitial.check(options, network);
    return new BibAeEncoder(drawnAsInTorch(encoderShapes, seed, /^bn/), options);
  }

  /** How many numbers are trained. */
  get parameterCount(): number {
    return countOf(this.parameters);
  }

  /**
   * What showers say about their latent numbers, with gradients where a parameter or the showers
   * want one.
   * @returns on the network's device
   * @throws ValueError for energies that are not positive; ShapeError, DTypeError
   */
  encode(options: EncodeOptions): Posterior {
    if (options === undefined || options === null)
      throw new ValueError(network, 'options', `options is ${shown(options)} (expected { showers, energies })`);
    knownInputs.check(options, network);
    const { parameters, device } = this;
    const { _dtype: dtype } = parameters['fc1.weight'];
    const energies = energiesOf(options.energies, { network, dtype });
    const showers = rowsFor(energies.size, options.showers, 'showers', cube(cells), { network, dtype }).to(device);
    return runOnce({ network, parameters, dtype, device }, showers, (memory) => this._run(showers, energies, memory));
  }

  /** @internal */
  _run(showers: Tensor, energies: Tensor, memory?: LayerMemory): Posterior {
    const { parameters: p } = this;
    const use = (made: Tensor): Tensor => memory?.use(made) ?? made;
    const count = energies.size;
    let h = showers.reshape([count, 1, ...cube(cells)]);
    steps.forEach(({ channels, stride, padding, extent }, l) => {
      const convolve = (to: Target): Tensor => conv3d(h, p[`enconv${l + 1}.weight`], { stride, padding, ...to });
      h = normalised(convolve, [count, channels, ...cube(extent)], p, `bnen${l + 1}`, activation, memory);
    });
    const labels = use(labelsOf(energies, this.labelPerGeV, this.device));
    const place = memory?.place('features', [count, features + 1]);
    h = use(concat([h.reshape([count, features]), labels], { out: place }));
    for (const name of ['fc1', 'fc2']) {
      const weight = p[`${name}.weight`],
        out = memory?.place(name, [count, weight.shape[0]]);
      h = use(linear(h, weight, { bias: p[`${name}.bias`], activation, out }));
    }
    const [mu, logVariance] = ['fc31', 'fc32'].map((name) =>
      linear(h, p[`${name}.weight`], { bias: p[`${name}.bias`] }),
    );
    return { mu, logVariance };
  }
}
