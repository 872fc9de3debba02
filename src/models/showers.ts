// What the shower generators share: energies, noise, the loop over batches, and the threshold.
import { noGrad, wantsGradient } from '../autograd/tape';
import { toOutput } from '../operation/operation';
import type { Activation } from '../ops/activation';
import { layerNorm } from '../ops/layerNorm';
import { normal, uniform } from '../ops/random';
import { KnownOptions, shown } from '../runtime/check';
import { cpu } from '../runtime/device';
import { dtypeCode, dtypes } from '../runtime/dtype';
import { DeviceError, DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { tensor } from '../tensor/create';
import { shapeText } from '../tensor/shape';
import { asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';
import { rowsOf } from '../tensor/views';
import { LayerMemory } from './layerMemory';
import { countOf, type Parameters, seedOf } from './parameters';

/** Along each axis. @internal */
export const cells = 30;
/** Hits below are set to 0 {MIP}. */
const threshold = 0.1;

export interface ShowerNetworkOptions {
  /** Where the network runs; default `'cpu'`. */
  device?: string;
}

export interface ShowerInitialOptions extends ShowerNetworkOptions {
  /** Of the initial weights. */
  seed: number | bigint;
}

export interface GenerateOptions {
  /** `[B]`, of the incident photons {GeV}. */
  energies: TensorLike;
  /** Key of the noise, below 2^64 (a bigint from 2^53 on). */
  seed: number | bigint;
  /**
   * Number of the first shower, default 0: the noise of a shower depends only on its number (and
   * the seed).
   */
  first?: number;
  /** Where to write: `[B, 30, 30, 30]` of the network's type, on the CPU. */
  out?: TensorLike;
}

/** How a network makes showers from noise. @internal */
export interface Recipe {
  network: string;
  parameters: Parameters;
  noise: { kind: 'normal' | 'uniform'; width: number };
  /** Of parameters and results. */
  dtype: number;
  device: string;
  /** Showers in one pass on the CPU. */
  together: number;
  /**
   * @param noise - `[B, width]`
   * @param energies - `[B]` {GeV}
   * @param out - `[B, 1, 30, 30, 30]`, where to write
   * @param begin - which of the call's showers is the first of these
   */
  run(noise: Tensor, energies: Tensor, memory?: LayerMemory, out?: Tensor, begin?: number): Tensor;
}

/** On a device, enough to keep it busy. */
const togetherOnDevice = 64;
const knownOptions = new KnownOptions('energies', 'seed', 'first', 'out');

/**
 * `[B]` on the CPU, of the network's type: one energy per shower, all of them positive.
 * @internal
 */
export function energiesOf(given: TensorLike, { network, dtype }: Pick<Recipe, 'network' | 'dtype'>): Tensor {
  const name = 'energies';
  if (given === undefined || given === null)
    throw new ValueError(network, name, `${name} is ${shown(given)} (expected numbers {GeV})`);
  const found = asTensor(given, Array.isArray(given) ? dtype : undefined, network, name).to(cpu.name);
  const { shape } = found;
  if (shape.length !== 1 && !(shape.length === 2 && shape[1] === 1))
    throw new ShapeError(network, name, `${name} is ${shapeText(shape)} (expected [B], one number per shower)`);
  if (!dtypes[found._dtype].floating)
    throw new DTypeError(network, name, `${name} is ${found.dtype} (expected float32 or float64)`);
  (found.data as Float32Array).forEach((energy, i) => {
    if (!(energy > 0 && energy < Infinity))
      throw new ValueError(network, name, `${name}[${i}] is ${energy} (expected positive numbers {GeV})`);
  });
  return tensor(found.detach(), { dtype: dtypes[dtype].name, shape: [found.size] });
}

/**
 * What a network is told of the energies: `[B, 1]`, on its device.
 * @internal
 */
export function labelsOf(energies: Tensor, labelPerGeV: number, device: string): Tensor {
  const values = (energies.to(cpu.name).data as Float32Array).map((energy) => energy * labelPerGeV);
  return tensor(values, { shape: [values.length, 1] }).to(device);
}

/** @internal */
export function checkedLabel(network: string, labelPerGeV: unknown = 100): number {
  if (typeof labelPerGeV === 'number' && labelPerGeV > 0 && labelPerGeV < Infinity) return labelPerGeV;
  throw new ValueError(network, 'labelPerGeV', `labelPerGeV is ${shown(labelPerGeV)} (expected a positive number)`);
}

/**
 * The layers of a network, `run`, with memory that is used again where no gradient is wanted.
 * @internal
 */
export function runOnce<T>(
  { network, parameters, dtype, device }: Pick<Recipe, 'network' | 'parameters' | 'dtype' | 'device'>,
  input: Tensor,
  run: (memory: LayerMemory | undefined) => T,
): T {
  if (wantsGradient([input, ...Object.values(parameters)])) return run(undefined);
  const memory = new LayerMemory(network, 'showers', device, dtype);
  try {
    return run(memory);
  } finally {
    memory.dispose();
  }
}

/**
 * Layers from `x` on over a few showers at a time, so that what is between them stays in the cache;
 * on devices, and where gradients are wanted, over all at once.
 * @param out - `[B, 1, 30, 30, 30]`
 * @internal
 */
export function inPieces(
  x: Tensor,
  showers: number,
  memory: LayerMemory | undefined,
  out: Tensor | undefined,
  layers: (x: Tensor, out: Tensor | undefined) => Tensor,
): Tensor {
  const [count] = x.shape;
  if (!memory || x.device !== cpu.name || count <= showers) return layers(x, out);
  const results = out ?? empty(x._dtype, [count, 1, cells, cells, cells], cpu, memory.model, memory.argument);
  for (let begin = 0; begin < count; begin += showers) {
    const end = Math.min(count, begin + showers);
    layers(rowsOf(x, begin, end), rowsOf(results, begin, end));
  }
  return results;
}

/** Where a convolution writes. @internal */
export interface Target {
  out?: Tensor;
  moments: Tensor;
}

/**
 * A convolution, then layer normalisation over the cells, with weights that all channels share.
 * Their mean and variance are the convolution's.
 * @param shape - of the result
 * @internal
 */
export function normalised(
  convolve: (to: Target) => Tensor,
  shape: readonly number[],
  parameters: Parameters,
  name: string,
  activation: Activation,
  memory: LayerMemory | undefined,
): Tensor {
  const [samples, channels, ...places] = shape;
  const [weight, bias] = ['weight', 'bias'].map((part) => parameters[`${name}.${part}`].reshape(places));
  const pairs = [samples, channels, 2],
    float64 = dtypeCode['float64'];
  const moments =
    memory?.place('moments', pairs, float64) ?? empty(float64, pairs, weight._device, 'layerNorm', 'moments');
  memory?.use(moments);
  const x = convolve({ out: memory?.place('convolved', shape), moments });
  memory?.use(x);
  const made = layerNorm(x, {
    axes: places.map((_, a) => 2 + a),
    weight,
    bias,
    activation,
    moments,
    out: memory?.place('normalised', shape),
  });
  return memory?.use(made) ?? made;
}

/**
 * A row of `shape` for each of so many energies.
 * @internal
 */
export function rowsFor(
  showers: number,
  given: TensorLike,
  name: string,
  shape: readonly number[],
  { network, dtype }: Pick<Recipe, 'network' | 'dtype'>,
): Tensor {
  const found = asTensor(given, Array.isArray(given) ? dtype : undefined, network, name);
  const wanted = [showers, ...shape];
  if (found.shape.length === wanted.length && wanted.every((extent, d) => extent === found.shape[d])) return found;
  const text = `${name} is ${shapeText(found.shape)} (expected ${shapeText(wanted)}, a row for each of ${showers} energies)`;
  throw new ShapeError(network, name, text);
}

/**
 * The network's showers from given noise, before the threshold, with gradients where a parameter or
 * the noise wants one.
 */
function showersOf(recipe: Recipe, noise: TensorLike, energies: TensorLike): Tensor {
  const { network, dtype, device } = recipe;
  const each = energiesOf(energies, recipe);
  const [showers] = each.shape;
  const given = rowsFor(showers, noise, 'noise', [recipe.noise.width], { network, dtype });
  const made = runOnce(recipe, given, (memory) => recipe.run(given, each.to(device), memory));
  return made.reshape([showers, cells, cells, cells]);
}

/**
 * Showers from noise of (seed, number of the shower), hits below the threshold set to 0. Neither
 * the noise nor the layers depend on what else is in a batch.
 * @internal
 */
export function generate(recipe: Recipe, options: GenerateOptions): Tensor {
  const { network, dtype, device } = recipe;
  if (options === undefined)
    throw new ValueError(network, 'options', 'options is undefined (expected { energies, seed })');
  knownOptions.check(options, network);
  const { first = 0 } = options;
  const seed = seedOf(network, options),
    energies = energiesOf(options.energies, recipe);
  const count = energies.size;
  if (count === 0) throw new ValueError(network, 'energies', 'energies is empty (expected at least one shower)');
  if (!Number.isSafeInteger(first) || first < 0 || !Number.isSafeInteger(first + count))
    throw new ValueError(network, 'first', `first is ${shown(first)} (expected the number of a shower, from 0 on)`);
  const onCpu = device === cpu.name,
    together = Math.min(count, onCpu ? recipe.together : togetherOnDevice);
  const showers = showersFor(count, options.out, recipe);
  const values = showers.data as Float32Array,
    volume = cells ** 3;
  const memory = new LayerMemory(network, 'energies', device, dtype);
  noGrad(() => {
    for (let begin = 0; begin < count; begin += together) {
      const end = Math.min(count, begin + together);
      const noise = memory.use(noiseOf(recipe, seed, first + begin, end - begin)),
        given = rowsOf(energies, begin, end),
        batch = values.subarray(begin * volume, end * volume);
      const shape = [end - begin, 1, cells, cells, cells];
      const out = onCpu ? showers._view(begin * volume, shape) : undefined;
      const made = recipe.run(noise, memory.use(given.to(device)), memory, out, begin);
      if (!out) batch.set(memory.use(made).to(cpu.name).data as Float32Array);
      dropBelowThreshold(batch);
      memory.endBatch();
    }
  });
  memory.dispose();
  return showers;
}

/**
 * Not a loop in the caller's closure: that is new for every call, and the engine is slow to
 * optimise it.
 */
function dropBelowThreshold(hits: Float32Array): void {
  for (let i = 0; i < hits.length; ++i) if (hits[i] < threshold) hits[i] = 0;
}

/** Where to write so many showers. */
function showersFor(count: number, out: TensorLike | undefined, { network, dtype }: Recipe): Tensor {
  const shape = [count, cells, cells, cells];
  if (out === undefined) return empty(dtype, shape, cpu, network, 'out');
  const given = rowsFor(count, toOutput(out, network), 'out', shape.slice(1), { network, dtype });
  if (given._dtype !== dtype)
    throw new DTypeError(network, 'out', `out is ${given.dtype} (expected ${dtypes[dtype].name})`);
  if (given.device !== cpu.name)
    throw new DeviceError(network, 'out', `out is on ${given.device} (expected it on ${cpu.name})`);
  return given;
}

/**
 * `[count, width]` on the network's device: every shower has a stream of its own. Uniform noise
 * lies in [-1, 1).
 */
function noiseOf(
  { noise: { kind, width }, dtype, device }: Recipe,
  seed: number | bigint,
  first: number,
  count: number,
): Tensor {
  const options = { seed, stream: first, perStream: width, dtype: dtypes[dtype].name, device };
  const shape = [count, width];
  return kind === 'normal' ? normal(shape, options) : uniform(shape, { ...options, low: -1, high: 1 });
}

/** A network that makes showers from noise and the photons' energies. */
export abstract class ShowerGenerator {
  /** What is trained, under PyTorch's names. */
  readonly parameters: Parameters;
  /** `'cpu'`, `'cuda:0'`... */
  readonly device: string;
  /** @internal */
  readonly _recipe: Recipe;

  /** @internal */
  constructor(parameters: Parameters, recipe: Pick<Recipe, 'network' | 'noise' | 'together'>) {
    const [{ device, _dtype: dtype }] = Object.values(parameters);
    this.parameters = parameters;
    this.device = device;
    this._recipe = {
      ...recipe,
      parameters,
      dtype,
      device,
      run: (noise, energies, memory, out) => this._run(noise, energies, memory, out),
    };
  }

  /** @internal */
  abstract _run(noise: Tensor, energies: Tensor, memory?: LayerMemory, out?: Tensor): Tensor;

  /** How many numbers are trained. */
  get parameterCount(): number {
    return countOf(this.parameters);
  }

  /**
   * Showers from given noise, before the threshold, with gradients where a parameter or the noise
   * wants one.
   * @param noise - `[B, numbers of noise per shower]`
   * @param energies - `[B]` {GeV}
   * @returns `[B, 30, 30, 30]`, on the network's device
   * @throws ValueError for energies that are not positive; ShapeError, DTypeError
   */
  forward(noise: TensorLike, energies: TensorLike): Tensor {
    return showersOf(this._recipe, noise, energies);
  }

  /**
   * Showers of photons. Shower i of a call is number `first + i`: the same for a seed, whatever it
   * is generated with.
   * @returns `[B, 30, 30, 30]` {MIP}, on the CPU; hits below 0.1 are set to 0
   * @throws ValueError for energies that are not positive, no energies, and a seed that is not an
   *   integer
   */
  generate(options: GenerateOptions): Tensor {
    return generate(this._recipe, options);
  }
}
