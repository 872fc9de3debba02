import type { Vector } from 'apache-arrow';

import { batchNorm } from '../ops/batchNorm';
import { dropout } from '../ops/dropout';
import { edgeConvBlock, type NormalisedLayer } from '../ops/edgeConvBlock';
import { knnGraph } from '../ops/knnGraph';
import { linear } from '../ops/linear';
import { uniform } from '../ops/random';
import { setPool } from '../ops/setPool';
import { KnownOptions, shown } from '../runtime/check';
import { deviceOf } from '../runtime/device';
import { ShapeError, ValueError } from '../runtime/errors';
import { load, type Source } from '../safetensors';
import { tensor } from '../tensor/create';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { Tensor } from '../tensor/tensor';

/** What a network of this kind consists of. */
interface Architecture {
  /** Nearest neighbours of every particle. */
  k: number;
  /** Widths of the layers of every block. */
  blocks: readonly (readonly number[])[];
  /** Width of the layer after the pooling. */
  hidden: number;
}

export interface ParticleNetOptions {
  /** Where the network runs; default `'cpu'`. */
  device?: string;
}

export interface ParticleNetInitialOptions extends ParticleNetOptions {
  /** Of the initial weights. */
  seed: number | bigint;
  /** Features of a particle; default 7. */
  inputs?: number;
  /** Default 2. */
  classes?: number;
}

const knownOptions = new KnownOptions('device');
const knownInitial = new KnownOptions('device', 'seed', 'inputs', 'classes');
const knownForward = new KnownOptions('training', 'seed', 'dropout');
/**
 * Names and shapes of all tensors of a network, as PyTorch lists them; statistics of normalisations
 * are not trained.
 */
function layout({ blocks, hidden }: Architecture, inputs: number, classes: number): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const norm = (prefix: string, width: number): void => {
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) shapes.set(`${prefix}.${part}`, [width]);
  };
  norm('bn_fts', inputs);
  let width = inputs;
  blocks.forEach((widths, b) => {
    const prefix = `edge_convs.${b}`;
    widths.forEach((outputs, l) => {
      shapes.set(`${prefix}.convs.${l}.weight`, [outputs, l === 0 ? 2 * width : widths[l - 1], 1, 1]);
      norm(`${prefix}.bns.${l}`, outputs);
    });
    const last = widths[widths.length - 1];
    shapes.set(`${prefix}.sc.weight`, [last, width, 1]);
    norm(`${prefix}.sc_bn`, last);
    width = last;
  });
  shapes.set('fc.0.0.weight', [hidden, width]).set('fc.0.0.bias', [hidden]);
  shapes.set('fc.1.weight', [classes, hidden]).set('fc.1.bias', [classes]);
  return shapes;
}

const isStatistic = (name: string): boolean => name.includes('.running_');

/**
 * ParticleNet (H. Qu, L. Gouskos, arXiv:1902.08570): jets, or events, as clouds of particles. Each
 * block looks for the 16 nearest neighbours, first in the coordinates that are given, then among
 * the features of the block before, and applies
 * {@link edgeConvBlock}; mean over the particles, a layer of 256 with ReLU and dropout, one output
 * per class. Nothing is padded: means are over the existing particles and neighbours, and a
 * particle is not its own neighbour.
 */
export class ParticleNet {
  /** @internal */ static readonly architecture: Architecture = {
    k: 16,
    blocks: [
      [64, 64, 64],
      [128, 128, 128],
      [256, 256, 256],
    ],
    hidden: 256,
  };
  /** What is trained, under PyTorch's names. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** Running means and variances of the normalisations, under PyTorch's names. */
  readonly statistics: Readonly<Record<string, Tensor>>;
  /** `'cpu'`, `'cuda:0'`... */
  readonly device: string;
  /** Features of a particle. */
  readonly inputs: number;
  readonly classes: number;
  private readonly architecture: Architecture;

  /** @internal */
  protected constructor(tensors: Readonly<Record<string, Tensor>>, device: string | undefined) {
    const architecture = (this.architecture = new.target.architecture);
    this.device = deviceOf(device ?? 'cpu', 'ParticleNet').name;
    const need = (name: string): Tensor => {
      const found = tensors[name] as Tensor | undefined;
      if (!found) throw new ValueError('ParticleNet', 'file', `there is no tensor ${name} in the file`);
      return found;
    };
    this.inputs = need('bn_fts.weight').shape[0] ?? 0;
    this.classes = need('fc.1.bias').shape[0] ?? 0;
    const parameters: Record<string, Tensor> = {},
      statistics: Record<string, Tensor> = {};
    for (const [name, shape] of layout(architecture, this.inputs, this.classes)) {
      const found = need(name);
      // A layer over edges is a convolution of size 1 in some implementations, and dense in others.
      const alike = [shape, shape.slice(0, 2)].some(
        (wanted) => wanted.length === found.shape.length && wanted.every((extent, d) => extent === found.shape[d]),
      );
      if (!alike)
        throw new ShapeError(
          'ParticleNet',
          name,
          `${name} is ${shapeText(found.shape)} (expected ${shapeText(shape)})`,
        );
      (isStatistic(name) ? statistics : parameters)[name] = found.to(this.device);
    }
    this.parameters = parameters;
    this.statistics = statistics;
  }

  /**
   * The network with the weights of a safetensors file.
   * @throws ValueError, ShapeError when the file holds something else; DeviceError when the device
   *   cannot be used
   */
  static load(file: Source, options: ParticleNetOptions = {}): ParticleNet {
    knownOptions.check(options, 'ParticleNet');
    return new this(load(file), options.device);
  }

  /** The network with random weights, as PyTorch draws them: uniform below 1 / sqrt(inputs). */
  static initial(options: ParticleNetInitialOptions): ParticleNet {
    if (options === undefined) throw new ValueError('ParticleNet', 'seed', 'seed is missing (expected { seed })');
    knownInitial.check(options, 'ParticleNet');
    const { seed, inputs = 7, classes = 2, device } = options;
    for (const [name, value] of Object.entries({ inputs, classes }))
      if (!Number.isInteger(value) || value < 1)
        throw new ValueError('ParticleNet', name, `${name} is ${shown(value)} (expected a positive integer)`);
    const tensors: Record<string, Tensor> = {};
    const shapes = layout(this.architecture, inputs, classes);
    let stream = 0;
    for (const [name, shape] of shapes) {
      if (/\b(bn_fts|bns\.\d+|sc_bn)\./.test(name)) {
        const one = name.endsWith('.weight') || name.endsWith('_var');
        tensors[name] = tensor(new Float32Array(shape[0]).fill(Number(one)));
      } else {
        const fanIn = (shapes.get(name.replace(/bias$/, 'weight')) ?? shape)[1];
        const high = 1 / Math.sqrt(fanIn);
        tensors[name] = uniform(shape, { seed, stream: stream++, low: -high, high });
      }
    }
    return new this(tensors, device);
  }

  /** How many numbers are trained: 366,160 for 7 features and 2 classes. */
  get parameterCount(): number {
    return Object.values(this.parameters).reduce((sum, parameter) => sum + parameter.size, 0);
  }

  /** Everything, to be saved: `safetensors.save(file, net.state)`. */
  get state(): Record<string, Tensor> {
    return { ...this.parameters, ...this.statistics };
  }

  /**
   * One row of outputs per event, before the softmax, with gradients where a parameter wants one.
   * @param coordinates - `[N, D]` in which the first neighbours are looked for, such as
   *   pseudorapidity and azimuth
   * @param features - `[N, inputs]` with the same boundaries of B events
   * @param options - `training`: statistics of the batch, and `dropout` (0.1) by `seed`, another
   *   one for every step
   * @returns `[B, classes]`
   * @throws ValueError for coordinates that are not finite, boundaries that decrease or overrun;
   *   ShapeError, DTypeError
   */
  forward(
    coordinates: Ragged | RaggedLike | Vector,
    features: Ragged | RaggedLike | Vector,
    options: { training?: boolean; seed?: number | bigint; dropout?: number } = {},
  ): Tensor {
    knownForward.check(options, 'ParticleNet');
    const { training = false, seed, dropout: p = 0.1 } = options;
    const places = asRagged(coordinates, 'ParticleNet', 'coordinates'),
      events = asRagged(features, 'ParticleNet', 'features');
    if (events.values.shape.length !== 2 || events.values.shape[1] !== this.inputs) {
      const text = `features is ${shapeText(events.values.shape)} (expected [N, ${this.inputs}])`;
      throw new ShapeError('ParticleNet', 'features', text);
    }
    if (places.values.shape[0] !== events.values.shape[0] || places.offsets.size !== events.offsets.size) {
      const text = `coordinates is ${shapeText(places.values.shape)} in ${places.length} events (expected as features, ${shapeText(events.values.shape)} in ${events.length})`;
      throw new ShapeError('ParticleNet', 'coordinates', text);
    }
    const { k, blocks } = this.architecture,
      weights = this.parameters;
    let h = batchNorm(events.values, { ...this.norm('bn_fts'), training });
    blocks.forEach((widths, b) => {
      const graph = knnGraph(b === 0 ? places : events.with(h), k);
      const prefix = `edge_convs.${b}`;
      const layers = widths.map((_, l) => this.layer(`${prefix}.convs.${l}`, `${prefix}.bns.${l}`));
      h = edgeConvBlock(graph, h, { layers, shortcut: this.layer(`${prefix}.sc`, `${prefix}.sc_bn`), training });
    });
    const pooled = setPool(events.with(h), 'mean');
    let hidden = linear(pooled, weights['fc.0.0.weight'], { bias: weights['fc.0.0.bias'], activation: 'relu' });
    if (training && p !== 0) {
      if (seed === undefined) throw new ValueError('ParticleNet', 'seed', 'seed is missing (expected one in training)');
      hidden = dropout(hidden, { p, seed });
    }
    return linear(hidden, weights['fc.1.weight'], { bias: weights['fc.1.bias'] });
  }

  private norm(prefix: string): NormalisedLayer['norm'] {
    const { parameters: p, statistics: s } = this;
    return {
      weight: p[`${prefix}.weight`],
      bias: p[`${prefix}.bias`],
      mean: s[`${prefix}.running_mean`],
      variance: s[`${prefix}.running_var`],
    };
  }
  private layer(layer: string, norm: string): NormalisedLayer {
    return { weight: this.parameters[`${layer}.weight`], norm: this.norm(norm) };
  }
}

/**
 * ParticleNet-Lite of the same paper: 7 neighbours, blocks of 32 and 64, a layer of 128. 26,416
 * parameters.
 */
export class ParticleNetLite extends ParticleNet {
  /** @internal */ static override readonly architecture: Architecture = {
    k: 7,
    blocks: [
      [32, 32, 32],
      [64, 64, 64],
    ],
    hidden: 128,
  };
}
