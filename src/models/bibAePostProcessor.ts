import { conv1d } from '../ops/conv';
import { linear } from '../ops/linear';
import { KnownOptions, shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import type { Source } from '../safetensors';
import { tensor } from '../tensor/create';
import { shapeText } from '../tensor/shape';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';
import { BibAeDecoder } from './bibAeDecoder';
import type { LayerMemory } from './layerMemory';
import { countOf, drawnAsInTorch, type Parameters, parametersOf, seedOf, type Shapes, tensorsOf } from './parameters';
import {
  cells,
  generate,
  type GenerateOptions,
  inPieces,
  normalised,
  runOnce,
  type ShowerInitialOptions,
  type ShowerNetworkOptions,
} from './showers';

const network = 'BibAePostProcessor';

export interface BibAePostProcessorOptions extends ShowerNetworkOptions {
  /** Whose showers {@link BibAePostProcessor.generate} corrects. */
  decoder?: BibAeDecoder;
}

export type BibAePostProcessorInitialOptions = BibAePostProcessorOptions & ShowerInitialOptions;

const knownOptions = new KnownOptions('device', 'decoder');
const knownInitial = new KnownOptions('device', 'decoder', 'seed');

const channels = 128,
  conditions = 64;
const volume = [cells, cells, cells];
const showersInCache = 1;

const shapes: Shapes = {
  'fcec1.weight': [conditions, 2],
  'fcec1.bias': [conditions],
  'fcec2.weight': [conditions, conditions],
  'fcec2.bias': [conditions],
  'fcec3.weight': [conditions, conditions],
  'fcec3.bias': [conditions],
  ...Object.fromEntries(
    [1, channels + conditions, channels, channels].flatMap((inputs, l) => [
      [`conv${l + 1}.weight`, [channels, inputs, 1, 1, 1]],
      [`conv${l + 1}.bias`, [channels]],
      [`bnco${l + 1}.weight`, volume],
      [`bnco${l + 1}.bias`, volume],
    ]),
  ),
  'conv5.weight': [channels, channels, 1, 1, 1],
  'conv5.bias': [channels],
  'conv6.weight': [1, channels, 1, 1, 1],
};

/**
 * The network behind the bounded information bottleneck autoencoder of E. Buhmann et al., "Getting
 * High" (arXiv:2005.05334), which corrects the spectrum of cell energies: six convolutions of one
 * cell, 128 channels, layer normalisation over all cells after each of the first four, LeakyReLU of
 * slope 0.01. 299,136 parameters.
 *
 * As published it is told each shower's energy and sum, by three dense layers (`fcec1` to `fcec3`)
 * whose 64 results go to every cell as further channels of the second convolution. They have no
 * effect: what is the same in all cells is a constant of each channel, and the normalisation
 * subtracts each channel's mean. The same holds for the biases of the first four convolutions.
 * These 17,216 numbers are parameters here, so that files come and go, but they are not computed
 * with and get no gradient. Results are PyTorch's but for its rounding, which in float32 loses
 * digits to those constants.
 */
export class BibAePostProcessor {
  /** What is trained, under PyTorch's names. */
  readonly parameters: Parameters;
  /** `'cpu'`, `'cuda:0'`... */
  readonly device: string;
  private source: BibAeDecoder | (() => BibAeDecoder) | undefined;
  /** Takes the first 128 of the second convolution's 192 channels, as a product. */
  private readonly firstChannels: Tensor;

  private constructor(
    tensors: Parameters,
    device: string | undefined,
    decoder: BibAeDecoder | (() => BibAeDecoder) | undefined,
  ) {
    this.parameters = parametersOf(network, tensors, shapes, device);
    this.device = this.parameters['conv6.weight'].device;
    this.source = decoder;
    const { dtype } = this.parameters['conv6.weight'];
    const chosen = new Float32Array(channels * (channels + conditions));
    for (let c = 0; c < channels; ++c) chosen[c * (channels + conditions) + c] = 1;
    this.firstChannels = tensor(chosen, { shape: [channels, channels + conditions], dtype, device: this.device });
  }

  /**
   * The network with the weights of a safetensors file, or with tensors by name.
   * @throws ValueError for a tensor that is missing or none of its own, and for malformed files;
   *   ShapeError, DTypeError, all of which name it; DeviceError when the device cannot be used
   */
  static load(file: Source | Parameters, options: BibAePostProcessorOptions = {}): BibAePostProcessor {
    knownOptions.check(options, network);
    return new BibAePostProcessor(tensorsOf(file), options.device, checked(options.decoder));
  }

  /**
   * The network with random weights, as PyTorch draws them; behind a decoder of such weights where
   * none is given.
   */
  static initial(options: BibAePostProcessorInitialOptions): BibAePostProcessor {
    const seed = seedOf(network, options);
    knownInitial.check(options, network);
    const { device, decoder } = options;
    const tensors = drawnAsInTorch(shapes, seed, /^bn/);
    return new BibAePostProcessor(tensors, device, checked(decoder) ?? (() => BibAeDecoder.initial({ seed, device })));
  }

  /** How many numbers are trained: 299,136, with those that have no effect. */
  get parameterCount(): number {
    return countOf(this.parameters);
  }

  /** Whose showers {@link generate} corrects. */
  get decoder(): BibAeDecoder | undefined {
    if (typeof this.source === 'function') this.source = this.source();
    return this.source;
  }

  /**
   * Showers corrected, before the threshold, with gradients where a parameter or the showers want
   * one.
   * @param showers - `[B, 30, 30, 30]`, before the threshold
   * @returns `[B, 30, 30, 30]`, on the network's device
   * @throws ShapeError, DTypeError, DeviceError
   */
  forward(showers: TensorLike): Tensor {
    const given = asTensor(showers, undefined, network, 'showers');
    const { shape } = given;
    if (shape.length !== 4 || volume.some((extent, d) => extent !== shape[d + 1]))
      throw new ShapeError(network, 'showers', `showers is ${shapeText(shape)} (expected [B, ${volume.join(', ')}])`);
    const { _dtype: dtype } = this.parameters['conv6.weight'];
    const column = given.reshape([shape[0], 1, ...volume]);
    return runOnce({ network, parameters: this.parameters, dtype, device: this.device }, column, (memory) =>
      this.run(column, memory),
    ).reshape(shape);
  }

  /**
   * Showers of photons: those of the decoder, corrected. Shower i of a call is number `first + i`:
   * the same for a seed, whatever it is generated with.
   * @returns `[B, 30, 30, 30]` {MIP}, on the CPU; hits below 0.1 are set to 0, here and not before
   * @throws ValueError without a decoder, for energies that are not positive, no energies, and a
   *   seed that is not an integer
   */
  generate(options: GenerateOptions): Tensor {
    const { decoder } = this;
    if (!decoder)
      throw new ValueError(
        network,
        'decoder',
        'decoder is missing (expected the option decoder, whose showers to correct)',
      );
    if (decoder.device !== this.device)
      throw new ValueError(network, 'decoder', `decoder is on ${decoder.device} (expected it on ${this.device})`);
    const recipe = decoder._recipe;
    return generate(
      {
        ...recipe,
        network,
        run: (noise, energies, memory, out) => {
          const place = memory?.place('showers', [energies.size, 1, ...volume]);
          const showers = recipe.run(noise, energies, memory, place);
          return this.run(memory?.use(showers) ?? showers, memory, out);
        },
      },
      options,
    );
  }

  private run(showers: Tensor, memory?: LayerMemory, out?: Tensor): Tensor {
    const { parameters: p } = this;
    const use = (made: Tensor): Tensor => memory?.use(made) ?? made;
    const second = use(linear(p['conv2.weight'].reshape([channels, channels + conditions]), this.firstChannels));
    return inPieces(showers, showersInCache, memory, out, (x, result) => this.convolve(x, second, memory, result));
  }

  private convolve(showers: Tensor, second: Tensor, memory: LayerMemory | undefined, out: Tensor | undefined): Tensor {
    const { parameters: p } = this;
    const use = (made: Tensor): Tensor => memory?.use(made) ?? made;
    const shape = [showers.shape[0], channels, cells ** 3];
    // No cell looks at another one, so one long axis serves.
    const matrix = (weight: Tensor): Tensor => weight.reshape([weight.shape[0], weight.shape[1], 1]);
    let h = showers.reshape([shape[0], 1, cells ** 3]);
    [p['conv1.weight'], second, p['conv3.weight'], p['conv4.weight']].forEach((weight, l) => {
      h = normalised((to) => conv1d(h, matrix(weight), { ...to }), shape, p, `bnco${l + 1}`, 'leakyRelu', memory);
    });
    const place = memory?.place('convolved', shape);
    h = use(conv1d(h, matrix(p['conv5.weight']), { bias: p['conv5.bias'], activation: 'leakyRelu', out: place }));
    return conv1d(h, matrix(p['conv6.weight']), { out: out?.reshape([shape[0], 1, cells ** 3]) }).reshape([
      shape[0],
      1,
      ...volume,
    ]);
  }
}

function checked(decoder: unknown): BibAeDecoder | undefined {
  if (decoder === undefined || decoder instanceof BibAeDecoder) return decoder;
  throw new ValueError(network, 'decoder', `decoder is ${shown(decoder)} (expected a BibAeDecoder)`);
}
