import { record } from '../autograd/tape';
import { KnownOptions, shown } from '../runtime/check';
import { cpu } from '../runtime/device';
import { ValueError } from '../runtime/errors';
import type { Source } from '../safetensors';
import { empty, type Tensor, type TensorLike } from '../tensor/tensor';
import { rowsOf } from '../tensor/views';
import { BibAeDecoder, decoderShapes, latent } from './bibAeDecoder';
import {
  BibAeEncoder,
  type BibAeEncoderInitialOptions,
  type BibAeEncoderOptions,
  encoded,
  type EncodeOptions,
  encoderShapes,
  type Posterior,
} from './bibAeEncoder';
import { countOf, drawnAsInTorch, type Parameters, parametersOf, seedOf, type Shapes, tensorsOf } from './parameters';
import { cells, checkedLabel, energiesOf, generate, type GenerateOptions, rowsFor } from './showers';

const network = 'BibAe';

/** Of both parts, which are told the same of an energy. */
export type BibAeOptions = BibAeEncoderOptions;
export type BibAeInitialOptions = BibAeEncoderInitialOptions;

/** Showers, energies, and the key of the noise. */
export type ReconstructOptions = EncodeOptions & GenerateOptions;

const knownOptions = new KnownOptions('device', 'labelPerGeV');
const knownInitial = new KnownOptions('device', 'labelPerGeV', 'seed');

const shapes: Shapes = { ...encoderShapes, ...decoderShapes };

/**
 * The bounded information bottleneck autoencoder of E. Buhmann et al., "Getting High"
 * (arXiv:2005.05334), without its post-processor: {@link BibAeEncoder} and {@link BibAeDecoder},
 * and between them 512 latent numbers z = mu + sigma noise. A shower tells mu and sigma of the
 * first 24; of the others they are 0 and 1. 71,443,094 parameters. New showers are made by
 * `decoder.generate`.
 */
export class BibAe {
  /** What is trained, under PyTorch's names. */
  readonly parameters: Parameters;
  readonly encoder: BibAeEncoder;
  readonly decoder: BibAeDecoder;

  private constructor(tensors: Parameters, { device, labelPerGeV }: BibAeOptions) {
    const options = { device, labelPerGeV: checkedLabel(network, labelPerGeV) };
    this.parameters = parametersOf(network, tensors, shapes, device);
    this.encoder = BibAeEncoder.load(this.parameters, options);
    this.decoder = BibAeDecoder.load(this.parameters, options);
  }

  /**
   * The network with the weights of one safetensors file, or with tensors by name.
   * @throws ValueError for a tensor that is missing or none of its own, and for malformed files;
   *   ShapeError, DTypeError, all of which name it; DeviceError when the device cannot be used
   */
  static load(file: Source | Parameters, options: BibAeOptions = {}): BibAe {
    knownOptions.check(options, network);
    return new BibAe(tensorsOf(file), options);
  }

  /** The network with random weights, as PyTorch draws them. */
  static initial(options: BibAeInitialOptions): BibAe {
    const seed = seedOf(network, options);
    knownInitial.check(options, network);
    return new BibAe(drawnAsInTorch(shapes, seed, /^bn/), options);
  }

  /** `'cpu'`, `'cuda:0'`... */
  get device(): string {
    return this.encoder.device;
  }

  /** How many numbers are trained. */
  get parameterCount(): number {
    return countOf(this.parameters);
  }

  /**
   * Showers through encoder and decoder, before the threshold, with gradients where a parameter,
   * the showers or the noise want one.
   * @param showers - `[B, 30, 30, 30]` {MIP}
   * @param energies - `[B]` {GeV}
   * @param noise - `[B, 512]`
   * @returns `[B, 30, 30, 30]`, on the network's device
   * @throws ValueError for energies that are not positive; ShapeError, DTypeError
   */
  forward(showers: TensorLike, energies: TensorLike, noise: TensorLike): Tensor {
    const { dtype } = this.decoder._recipe;
    const each = energiesOf(energies, { network, dtype });
    const given = rowsFor(each.size, showers, 'showers', [cells, cells, cells], { network, dtype });
    const numbers = rowsFor(each.size, noise, 'noise', [latent], { network, dtype });
    const posterior = this.encoder.encode({ showers: given, energies: each });
    return this.decoder.forward(sampled(posterior, numbers).to(this.device), each);
  }

  /**
   * Showers through encoder and decoder, with noise as {@link BibAeDecoder.generate} has it: shower
   * i of a call is number `first + i`, and the same for a seed, whatever is computed with it.
   * @returns `[B, 30, 30, 30]` {MIP}, on the CPU; hits below 0.1 are set to 0
   * @throws ValueError for energies that are not positive, no energies, and a seed that is not an
   *   integer; ShapeError, DTypeError
   */
  reconstruct(options: ReconstructOptions): Tensor {
    if (options === undefined || options === null)
      throw new ValueError(network, 'options', `options is ${shown(options)} (expected { showers, energies, seed })`);
    const { showers, ...others } = options;
    const { encoder, device } = this;
    const recipe = this.decoder._recipe;
    const { size } = energiesOf(options.energies, { network, dtype: recipe.dtype });
    const given = rowsFor(size, showers, 'showers', [cells, cells, cells], { network, dtype: recipe.dtype });
    return generate(
      {
        ...recipe,
        network,
        run: (noise, energies, memory, out, begin = 0) => {
          const use = (made: Tensor): Tensor => memory?.use(made) ?? made;
          const rows = rowsOf(given, begin, begin + energies.size);
          const batch = given.device === device ? rows : use(rows.to(device));
          const { mu, logVariance } = encoder._run(batch, energies, memory);
          const z = sampled({ mu: use(mu), logVariance: use(logVariance) }, noise);
          return recipe.run(use(z.to(device)), energies, memory, out);
        },
      },
      others,
    );
  }
}

/**
 * `mu + exp(logVariance / 2) noise`, on the CPU: a few hundred numbers. Those that a shower says
 * nothing about are noise.
 */
function sampled({ mu, logVariance }: Posterior, noise: Tensor): Tensor {
  const inputs = [mu, logVariance, noise].map((value) => value.to(cpu.name));
  const [means, logs, numbers] = inputs.map(({ data }) => data as Float32Array);
  const z = empty(noise._dtype, noise.shape, cpu, 'BibAe', 'noise');
  const values = z.data as Float32Array;
  values.set(numbers);
  /** Goes over what is encoded: its place in `mu`, and in z. */
  const each = (visit: (from: number, to: number) => void): void => {
    for (let i = 0; i < means.length; ++i) visit(i, Math.floor(i / encoded) * latent + (i % encoded));
  };
  const spread = (i: number): number => Math.exp(logs[i] / 2);
  each((i, k) => (values[k] = means[i] + spread(i) * numbers[k]));
  return record(z, inputs, (gradient) => {
    const dz = gradient.data as Float32Array;
    const gradients = inputs.map(({ _dtype, shape }) => empty(_dtype, shape, cpu, 'backward', 'gradient'));
    const [dmu, dlogs, dnoise] = gradients.map(({ data }) => data as Float32Array);
    dnoise.set(dz);
    each((i, k) => {
      dmu[i] = dz[k];
      dlogs[i] = (dz[k] * spread(i) * numbers[k]) / 2;
      dnoise[k] = dz[k] * spread(i);
    });
    return gradients;
  });
}
