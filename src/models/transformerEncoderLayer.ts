import type { Vector } from 'apache-arrow';

import { attention, type AttentionOptions } from '../ops/attention';
import { dropout } from '../ops/dropout';
import { layerNorm } from '../ops/layerNorm';
import { linear } from '../ops/linear';
import { mlp } from '../ops/mlp';
import { uniform } from '../ops/random';
import { sum } from '../ops/sum';
import { KnownOptions, shown } from '../runtime/check';
import { cpu, deviceOf } from '../runtime/device';
import { ShapeError, ValueError } from '../runtime/errors';
import { load, type Source } from '../safetensors';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { Tensor } from '../tensor/tensor';
import { rowsOf } from '../tensor/views';

const name = 'TransformerEncoderLayer';

export interface TransformerEncoderLayerOptions {
  /** Heads of the attention. */
  heads: number;
  /** Of the network per particle. Default `'relu'`. */
  activation?: 'relu' | 'gelu';
  /**
   * Whether normalization comes before attention and network (pre-norm) or after them (post-norm,
   * the default).
   */
  normFirst?: boolean;
  /** Of the normalizations. Default 1e-5. */
  eps?: number;
  /**
   * Probability of dropping a number in training, 0 to below 1. As in PyTorch: attention weights,
   * its output, hidden numbers of the network, and what that gives. Default 0.
   */
  dropout?: number;
  /** Default `'cpu'`. */
  device?: string;
}

export interface TransformerEncoderLayerInitialOptions extends TransformerEncoderLayerOptions {
  /** E: numbers of each particle. */
  width: number;
  /** Hidden numbers of the network per particle. Default 4 E. */
  feedForward?: number;
  seed: number;
}

/** `bias`, `causal` and `pairBias` are those of `attention`. */
export interface TransformerEncoderLayerForwardOptions extends Pick<AttentionOptions, 'bias' | 'causal' | 'pairBias'> {
  /** Whether there is dropout (default false). */
  training?: boolean;
  /** Of dropout in training, which needs one: another one for every step. */
  seed?: number | bigint;
  /**
   * The number of the layer in a stack of them, so that no two drop the same for one seed. Default
   * 0.
   */
  stream?: number | bigint;
}

/** What is dropped in one step. A layer has four streams, in the order in which they are used. */
interface Dropping {
  p: number;
  seed: number | bigint;
  streams: { weights: bigint; attended: bigint; hidden: bigint; network: bigint };
}

const optionNames = ['heads', 'activation', 'normFirst', 'eps', 'dropout', 'device'];
const knownOptions = new KnownOptions(...optionNames, 'prefix');
const knownInitialOptions = new KnownOptions(...optionNames, 'width', 'feedForward', 'seed');
const knownForwardOptions = new KnownOptions('bias', 'causal', 'pairBias', 'training', 'seed', 'stream');

/** Shapes by PyTorch's names, from E and the hidden width F. */
function shapesOf(width: number, hidden: number): Record<string, number[]> {
  return {
    'self_attn.in_proj_weight': [3 * width, width],
    'self_attn.in_proj_bias': [3 * width],
    'self_attn.out_proj.weight': [width, width],
    'self_attn.out_proj.bias': [width],
    'linear1.weight': [hidden, width],
    'linear1.bias': [hidden],
    'linear2.weight': [width, hidden],
    'linear2.bias': [width],
    'norm1.weight': [width],
    'norm1.bias': [width],
    'norm2.weight': [width],
    'norm2.bias': [width],
  };
}

/**
 * One layer of a transformer encoder (Vaswani et al., arXiv:1706.03762) over the particles of each
 * event: attention of all to all, a network per particle, residual connections and layer
 * normalization. Weights and results are those of PyTorch's nn.TransformerEncoderLayer. Events may
 * have any size, nothing is padded.
 */
export class TransformerEncoderLayer {
  /** What is trained, under PyTorch's names. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** E: numbers of each particle. */
  readonly width: number;
  private readonly options: Required<TransformerEncoderLayerOptions>;

  private constructor(tensors: Readonly<Record<string, Tensor>>, options: TransformerEncoderLayerOptions, prefix = '') {
    const { heads, activation = 'relu', normFirst = false, eps = 1e-5, device = cpu.name } = options;
    const { dropout: p = 0 } = options;
    const refuse = (option: string, value: unknown, expected: string): never => {
      throw new ValueError(name, option, `${option} is ${shown(value)} (expected ${expected})`);
    };
    if (!Number.isInteger(heads) || heads < 1) refuse('heads', heads, 'a number of heads');
    if (activation !== 'relu' && activation !== 'gelu') refuse('activation', activation, 'relu, gelu');
    if (typeof normFirst !== 'boolean') refuse('normFirst', normFirst, 'true or false');
    if (typeof eps !== 'number') refuse('eps', eps, 'a number');
    if (!(typeof p === 'number' && p >= 0 && Math.fround(p) < 1)) refuse('dropout', p, '0 to below 1');
    const where = deviceOf(device, name).name;
    this.options = { heads, activation, normFirst, eps, dropout: p, device: where };
    const need = (key: string): Tensor =>
      tensors[prefix + key] ?? refuse('file', prefix + key, 'a file with a tensor of this name');
    const hidden = need('linear1.bias').size;
    this.width = need('norm1.weight').size;
    if (this.width % heads !== 0)
      throw new ShapeError(
        name,
        'heads',
        `heads is ${heads} but the width is ${this.width} (expected a divisor of it)`,
      );
    this.parameters = Object.fromEntries(
      Object.entries(shapesOf(this.width, hidden)).map(([key, shape]) => {
        const found = need(key);
        if (shapeText(found.shape) !== shapeText(shape))
          throw new ShapeError(
            name,
            key,
            `${prefix}${key} is ${shapeText(found.shape)} (expected ${shapeText(shape)})`,
          );
        // On another device it is a new leaf: gradients belong to the copy that is trained there.
        if (found.device === where) return [key, found];
        const parameter = found.detach().to(where);
        parameter.requiresGrad = found.requiresGrad;
        return [key, parameter];
      }),
    );
  }

  /**
   * The layer with the weights of a safetensors file, or with tensors by name.
   * @param options - `prefix`: what stands before the names, as `'layers.0.'` in a stack of layers
   * @throws ValueError for a tensor that is missing, and unknown options; ShapeError; DeviceError
   */
  static load(
    source: Source | Readonly<Record<string, Tensor>>,
    options: TransformerEncoderLayerOptions & { prefix?: string },
  ): TransformerEncoderLayer {
    checkOptions(knownOptions, options, '{ heads }');
    return new TransformerEncoderLayer(isTensors(source) ? source : load(source), options, options.prefix);
  }

  /**
   * A layer to be trained, with the initial values that PyTorch's distributions give.
   * @throws ValueError, ShapeError for unsupported widths and unknown options
   */
  static initial(options: TransformerEncoderLayerInitialOptions): TransformerEncoderLayer {
    checkOptions(knownInitialOptions, options, '{ width, heads, seed }');
    const { width, feedForward = 4 * width, seed } = options;
    for (const [key, value] of Object.entries({ width, feedForward }))
      if (!Number.isInteger(value) || value < 1)
        throw new ValueError(name, key, `${key} is ${shown(value)} (expected a number of columns)`);
    const tensors: Record<string, Tensor> = {};
    Object.entries(shapesOf(width, feedForward)).forEach(([key, shape], stream) => {
      const fanIn = key.startsWith('linear2') ? feedForward : width;
      // Glorot and Bengio's bound for the projections into the heads, He's with a = sqrt(5) for all
      // other layers.
      const bound = key === 'self_attn.in_proj_weight' ? Math.sqrt(6 / (4 * width)) : 1 / Math.sqrt(fanIn);
      const constant = key.startsWith('norm') ? Number(key.endsWith('weight')) : /attn.*bias/.test(key) ? 0 : undefined;
      tensors[key] = uniform(shape, { seed, stream, low: constant ?? -bound, high: constant ?? bound });
      tensors[key].requiresGrad = true;
    });
    return new TransformerEncoderLayer(tensors, options);
  }

  /** How many numbers are trained. */
  get parameterCount(): number {
    return Object.values(this.parameters).reduce((total, parameter) => total + parameter.size, 0);
  }

  /**
   * @param x - `[N, E]` with boundaries of B events
   * @param options - `training`: with dropout, by `seed`, where PyTorch's layer has it
   * @returns `[N, E]` with the same boundaries
   * @throws as `attention` does; ValueError for dropout without a seed
   */
  forward(x: Ragged | RaggedLike | Vector, options: TransformerEncoderLayerForwardOptions = {}): Ragged {
    knownForwardOptions.check(options, name);
    const dropping = this.dropping(options);
    const events = asRagged(x, name, 'x');
    const { values } = events;
    if (values.shape.length !== 2 || values.shape[1] !== this.width)
      throw new ShapeError(name, 'x', `x is ${shapeText(values.shape)} (expected x [N, ${this.width}])`);
    const attend = (rows: Tensor): Tensor => this.attend(events.with(rows), options, dropping);
    if (this.options.normFirst) {
      const attended = sum(values, attend(this.norm('norm1', values)), name);
      return events.with(sum(attended, this.network(this.norm('norm2', attended), dropping), name));
    }
    const attended = this.norm('norm1', sum(values, attend(values), name));
    return events.with(this.norm('norm2', sum(attended, this.network(attended, dropping), name)));
  }

  /** Undefined when nothing is dropped. */
  private dropping(options: TransformerEncoderLayerForwardOptions): Dropping | undefined {
    const { training = false, seed, stream = 0 } = options;
    const { dropout: p } = this.options;
    const refuse = (option: string, value: unknown, expected: string): never => {
      throw new ValueError(name, option, `${option} is ${shown(value)} (expected ${expected})`);
    };
    if (typeof training !== 'boolean') refuse('training', training, 'true or false');
    const layer = typeof stream === 'bigint' || Number.isSafeInteger(stream) ? BigInt(stream) : -1n;
    if (layer < 0n || layer >= 1n << 62n) refuse('stream', stream, 'the number of a layer');
    if (!training || p === 0) return undefined;
    if (seed === undefined)
      throw new ValueError(name, 'seed', 'seed is missing (expected one in training with dropout)');
    const [weights, attended, hidden, network] = [0n, 1n, 2n, 3n].map((place) => 4n * layer + place);
    return { p, seed, streams: { weights, attended, hidden, network } };
  }

  private attend(
    x: Ragged,
    { bias, causal, pairBias }: TransformerEncoderLayerForwardOptions,
    dropping: Dropping | undefined,
  ): Tensor {
    const { width, parameters: p } = this;
    const [q, k, v] = [0, 1, 2].map((part) =>
      x.with(
        linear(x.values, rowsOf(p['self_attn.in_proj_weight'], part * width, (part + 1) * width), {
          bias: rowsOf(p['self_attn.in_proj_bias'], part * width, (part + 1) * width),
        }),
      ),
    );
    const ofWeights = dropping && { dropout: dropping.p, seed: dropping.seed, stream: dropping.streams.weights };
    const { values } = attention(q, k, v, { heads: this.options.heads, bias, causal, pairBias, ...ofWeights });
    const attended = linear(values, p['self_attn.out_proj.weight'], { bias: p['self_attn.out_proj.bias'] });
    return dropped(attended, dropping, 'attended');
  }

  private network(x: Tensor, dropping: Dropping | undefined): Tensor {
    const { parameters: p } = this;
    const { activation } = this.options;
    const [first, second] = ['linear1', 'linear2'].map((layer) => ({
      weight: p[`${layer}.weight`],
      bias: p[`${layer}.bias`],
    }));
    if (!dropping) return mlp(x, [{ ...first, activation }, second]); // fused: hidden numbers are not stored
    const hidden = linear(x, first.weight, { bias: first.bias, activation });
    const y = linear(dropped(hidden, dropping, 'hidden'), second.weight, { bias: second.bias });
    return dropped(y, dropping, 'network');
  }

  private norm(which: 'norm1' | 'norm2', x: Tensor): Tensor {
    const { parameters: p } = this;
    return layerNorm(x, {
      axes: [-1],
      weight: p[`${which}.weight`],
      bias: p[`${which}.bias`],
      eps: this.options.eps,
    });
  }
}

function dropped(x: Tensor, dropping: Dropping | undefined, place: keyof Dropping['streams']): Tensor {
  return dropping ? dropout(x, { p: dropping.p, seed: dropping.seed, stream: dropping.streams[place] }) : x;
}

function checkOptions(known: KnownOptions, options: unknown, expected: string): void {
  if (options === undefined) throw new ValueError(name, 'options', `options is undefined (expected ${expected})`);
  known.check(options, name);
}

function isTensors(source: unknown): source is Readonly<Record<string, Tensor>> {
  return (
    typeof source === 'object' &&
    source !== null &&
    !ArrayBuffer.isView(source) &&
    !(source instanceof ArrayBuffer) &&
    Object.values(source).every((value) => value instanceof Tensor)
  );
}
