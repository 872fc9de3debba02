// Which generator a command line means, and the energies of its showers.
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { BibAeDecoder, BibAePostProcessor, type GenerateOptions, WganGenerator } from '../models';
import { uniform } from '../ops/random';
import { load } from '../safetensors';
import type { Tensor } from '../tensor/tensor';
import { UsageError } from './errors';

/** A generator as it is named on the command line; plain data, for other threads. */
export interface ModelChoice {
  /** `wgan`, `bib-ae`, or a safetensors file whose tensors say which of the two it is. */
  model: string;
  /** A safetensors file of {@link BibAePostProcessor}. */
  postProcessor?: string;
  device: string;
}

export interface Generator {
  generate(options: GenerateOptions): Tensor;
}

/** Trained on showers of a parametrised simulation: examples/showers. */
const bundled = join(__dirname, '..', '..', 'examples', 'showers', 'generator.safetensors');

function weightsOf(model: string): ReturnType<typeof load> {
  if (model === 'bib-ae')
    throw new UsageError('--model bib-ae: no weights of it are bundled (expected the name of its safetensors file)');
  return load(model === 'wgan' ? bundled : model);
}

/**
 * @throws UsageError if the file is not a generator's; the library's own errors if it cannot be
 *   read
 */
export function generatorOf({ model, postProcessor, device }: ModelChoice): Generator {
  const tensors = weightsOf(model);
  const names = Object.keys(tensors).map((name) => name.replace(/^module\./, ''));
  if (names.includes('conv1_100.weight')) {
    if (postProcessor !== undefined)
      throw new UsageError(`--post-processor: ${model} is a WGAN (expected a BIB-AE's decoder)`);
    return WganGenerator.load(tensors, { device });
  }
  if (!names.includes('cond3.weight'))
    throw new UsageError(`--model ${model} is not a generator (expected wgan, or a file of a WGAN or a BIB-AE)`);
  const decoder = BibAeDecoder.load(tensors, { device });
  return postProcessor === undefined ? decoder : BibAePostProcessor.load(postProcessor, { decoder, device });
}

/** What tells one set of weights from another. */
export function fingerprintOf({ model, postProcessor }: ModelChoice): string {
  const hash = createHash('sha256');
  for (const tensors of [weightsOf(model), postProcessor === undefined ? {} : load(postProcessor)])
    for (const [name, tensor] of Object.entries(tensors))
      hash.update(`${name} ${tensor.shape.join()}`).update(tensor.data as Uint8Array);
  return hash.digest('hex').slice(0, 16);
}

/**
 * Energies are drawn in blocks of this many, a stream each, beyond the streams of the showers'
 * noise.
 */
const blockShowers = 1024;
const firstEnergyStream = 1n << 63n;

/**
 * Energies of showers `first` and following, flat from `low` to `high` {GeV}: of (seed, number of
 * the shower) alone.
 */
export function drawEnergies(
  { low, high, seed }: { low: number; high: number; seed: bigint },
  first: number,
  energies: Float32Array,
): void {
  for (let i = 0; i < energies.length;) {
    const block = Math.floor((first + i) / blockShowers),
      at = (first + i) % blockShowers;
    const numbers = uniform([blockShowers], { seed, stream: firstEnergyStream + BigInt(block) }).data as Float32Array;
    for (let k = at; k < blockShowers && i < energies.length; ++k, ++i) energies[i] = low + (high - low) * numbers[k];
  }
}
