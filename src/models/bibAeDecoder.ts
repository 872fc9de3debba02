import { concat } from '../ops/concat';
import { conv3d } from '../ops/conv';
import { convTranspose3d } from '../ops/convTranspose';
import { linear } from '../ops/linear';
import { KnownOptions } from '../runtime/check';
import type { Source } from '../safetensors';
import type { Tensor } from '../tensor/tensor';
import type { LayerMemory } from './layerMemory';
import { drawnAsInTorch, type Parameters, parametersOf, seedOf, type Shapes, tensorsOf } from './parameters';
import {
  checkedLabel,
  inPieces,
  labelsOf,
  normalised,
  ShowerGenerator,
  type ShowerInitialOptions,
  type ShowerNetworkOptions,
  type Target,
} from './showers';

const network = 'BibAeDecoder';

export interface BibAeDecoderOptions extends ShowerNetworkOptions {
  /**
   * What the network is told of an energy of 1 GeV. Default 100, as the published programs for
   * generation have it.
   */
  labelPerGeV?: number;
}

export type BibAeDecoderInitialOptions = BibAeDecoderOptions & ShowerInitialOptions;

const knownOptions = new KnownOptions('device', 'labelPerGeV');
const knownInitial = new KnownOptions('device', 'labelPerGeV', 'seed');

/** Numbers of noise per shower. @internal */
export const latent = 512;
const activation = 'leakyRelu0.2';
const cube = (extent: number): [number, number, number] => [extent, extent, extent];

/** A convolution and the normalisation that follows it. */
interface Step {
  layer: string;
  norm: string;
  weight: readonly number[];
  channels: number;
  extent: number;
  apply: (x: Tensor, weight: Tensor, to: Target) => Tensor;
}

const keep = (layer: string, norm: string, inputs: number, channels: number): Step => ({
  layer,
  norm,
  weight: [channels, inputs, ...cube(3)],
  channels,
  extent: 30,
  apply: (x, weight, to) => conv3d(x, weight, { padding: 1, ...to }),
});

const steps: readonly Step[] = [
  {
    layer: 'deconv1',
    norm: 'bnde1',
    weight: [8, 8, ...cube(3)],
    channels: 8,
    extent: 30,
    apply: (x, weight, to) => convTranspose3d(x, weight, { stride: 3, padding: 1, outputPadding: 2, ...to }),
  },
  {
    layer: 'deconv2',
    norm: 'bnde2',
    weight: [8, 16, ...cube(3)],
    channels: 16,
    extent: 60,
    apply: (x, weight, to) => convTranspose3d(x, weight, { stride: 2, padding: 1, outputPadding: 1, ...to }),
  },
  {
    layer: 'conv0',
    norm: 'bnco0',
    weight: [8, 16, ...cube(2)],
    channels: 8,
    extent: 30,
    apply: (x, weight, to) => conv3d(x, weight, { stride: 2, ...to }),
  },
  keep('conv1', 'bnco1', 8, 16),
  keep('conv2', 'bnco2', 16, 32),
  keep('conv3', 'bnco3', 32, 16),
];
const last = 'conv4';
const showersInCache = 1;

/** @internal */
export const decoderShapes: Shapes = {
  'cond1.weight': [768, latent + 1],
  'cond1.bias': [768],
  'cond2.weight': [4000, 768],
  'cond2.bias': [4000],
  'cond3.weight': [8000, 4000],
  'cond3.bias': [8000],
  ...Object.fromEntries(
    steps.flatMap(({ layer, norm, weight, extent }) => [
      [`${layer}.weight`, weight],
      [`${norm}.weight`, cube(extent)],
      [`${norm}.bias`, cube(extent)],
    ]),
  ),
  [`${last}.weight`]: [1, 16, ...cube(3)],
};
/** Files of the whole autoencoder have them too. */
const encoder = /^(enconv[1-4]|bnen[1-4]|fc[12]|fc3[12])\.(weight|bias)$/;

/**
 * The decoder of the bounded information bottleneck autoencoder of E. Buhmann et al., "Getting
 * High" (arXiv:2005.05334): photon showers of 30 x 30 x 30 cells from 512 numbers of noise and the
 * photon's energy. Three dense layers to 8 channels of 10 x 10 x 10, transposed convolutions to 30
 * and 60 cells along each axis, a convolution back to 30, and four more that see neighbours; layer
 * normalisation over the cells, whose weights all channels share, and LeakyReLU of slope 0.2.
 * 36,218,496 parameters.
 *
 * Noise is normal. The network is told 100 times the energy in GeV, as the published programs for
 * generation do, although those for training tell it the energy as the data have it; `labelPerGeV`
 * says otherwise. What {@link generate} gives is the autoencoder without its post-processor: a
 * spectrum of cell energies that is known to be too smooth. On one device the same seed gives the
 * same bits for any batch and number of threads; noise is the same on all devices, and showers are
 * then equal but for rounding.
 */
export class BibAeDecoder extends ShowerGenerator {
  /** What the network is told of an energy of 1 GeV. */
  readonly labelPerGeV: number;

  private constructor(tensors: Parameters, { device, labelPerGeV }: BibAeDecoderOptions) {
    const perGeV = checkedLabel(network, labelPerGeV);
    const parameters = parametersOf(network, tensors, decoderShapes, device, encoder);
    super(parameters, { network, noise: { kind: 'normal', width: latent }, together: 16 });
    this.labelPerGeV = perGeV;
  }

  /**
   * The network with the weights of a safetensors file, or with tensors by name. The encoder's may
   * be there too.
   * @throws ValueError for a tensor that is missing or none of its own, and for malformed files;
   *   ShapeError, DTypeError, all of which name it; DeviceError when the device cannot be used
   */
  static load(file: Source | Parameters, options: BibAeDecoderOptions = {}): BibAeDecoder {
    knownOptions.check(options, network);
    return new BibAeDecoder(tensorsOf(file), options);
  }

  /** The network with random weights, as PyTorch draws them. */
  static initial(options: BibAeDecoderInitialOptions): BibAeDecoder {
    const seed = seedOf(network, options);
    knownInitial.check(options, network);
    return new BibAeDecoder(drawnAsInTorch(decoderShapes, seed, /^bn/), options);
  }

  /** @internal */
  override _run(noise: Tensor, energies: Tensor, memory?: LayerMemory, out?: Tensor): Tensor {
    const { parameters: p, labelPerGeV } = this;
    const use = (made: Tensor): Tensor => memory?.use(made) ?? made;
    const showers = energies.size;
    const labels = use(labelsOf(energies, labelPerGeV, this.device));
    let h = use(concat([noise, labels], { out: memory?.place('input', [showers, latent + 1]) }));
    for (const name of ['cond1', 'cond2', 'cond3']) {
      const weight = p[`${name}.weight`],
        place = memory?.place(name, [showers, weight.shape[0]]);
      h = use(linear(h, weight, { bias: p[`${name}.bias`], activation, out: place }));
    }
    const grid = h.reshape([showers, 8, ...cube(10)]);
    return inPieces(grid, showersInCache, memory, out, (x, result) => this.convolve(x, memory, result));
  }

  private convolve(x: Tensor, memory: LayerMemory | undefined, out: Tensor | undefined): Tensor {
    const { parameters: p } = this;
    const [showers] = x.shape;
    let h = x;
    for (const { layer, norm, channels, extent, apply } of steps) {
      const shape = [showers, channels, ...cube(extent)];
      h = normalised((to) => apply(h, p[`${layer}.weight`], to), shape, p, norm, activation, memory);
    }
    return conv3d(h, p[`${last}.weight`], { padding: 1, activation: 'relu', out });
  }
}
