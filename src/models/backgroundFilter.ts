import { noGrad } from '../autograd/tape';
import { embedding } from '../ops/embedding';
import { linear } from '../ops/linear';
import { setPool } from '../ops/setPool';
import { treeConv } from '../ops/treeConv';
import { cpu, deviceOf } from '../runtime/device';
import { ShapeError, ValueError } from '../runtime/errors';
import { load, metadata, type Source } from '../safetensors';
import { tensor } from '../tensor/create';
import { shapeText } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import {
  type DecayForest,
  endOfBatch,
  type Events,
  eventsOf,
  forestOf,
  type Inputs,
  type Particles,
  type Selection,
} from './decayForest';
import { LayerMemory } from './layerMemory';

export interface BackgroundFilterOptions {
  /** Where the network runs; default `'cpu'`. */
  device?: string;
  /**
   * Which particles it sees. Default: primary ones (bit 0) that are not virtual, initial, ISR or
   * FSR (bits 4 to 7), as the bundled network was trained. A particle's mother is then the nearest
   * selected ancestor.
   */
  selection?: Selection;
}

/** How far {@link BackgroundFilter.score} has come. */
export interface ScoreProgress {
  /** Events scored so far. */
  events: number;
  /** Particles that the network saw so far. */
  particles: number;
  /** Time in the network so far, without preparing its inputs {s}. */
  networkSeconds: number;
}

const primaries: Selection = { required: 1, rejected: 0xf0 };
/**
 * Particles in one pass: hidden layers that stay in the cache; on a device, enough to keep it busy.
 */
const nodesPerBatch = { host: 8192, device: 2 ** 18 };
const defaultFeatures = ['productionTime', 'x', 'y', 'z', 'energy', 'px', 'py', 'pz'];
const inputNames = ['tokens.pdg', 'features.mean', 'features.scale'];

function featureNames(notes: Record<string, string>): string[] {
  if (notes['features'] === undefined) return defaultFeatures;
  try {
    const names = (JSON.parse(notes['features']) as { name: unknown }[]).map(({ name }) => name);
    if (names.every((name) => typeof name === 'string')) return names;
  } catch {
    // Said below, as for any other metadata that names no features.
  }
  throw new ValueError('BackgroundFilter', 'file', 'the metadata "features" is not a list of objects with a name');
}

/**
 * The filter of the selective background simulation: whether a generated event will pass a skim,
 * told from its decay tree before detector simulation and reconstruction are spent on it (J. Kahn,
 * Belle II, 2019). Embedding of the PDG code and standardised features; tree convolutions (ReLU,
 * mean over daughters); mean over the particles; one sigmoid output.
 */
export class BackgroundFilter {
  /** What was trained, under PyTorch's names. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** The score that keeps a stated share of the passing events, if the file says it. */
  readonly threshold: number | undefined;
  /** Columns of the particles that are features, in the network's order. */
  readonly features: readonly string[];
  /** The file's notes on training. */
  readonly metadata: Readonly<Record<string, string>>;
  /** `'cpu'`, `'cuda:0'`... */
  readonly device: string;
  /** Which particles the network sees. */
  readonly selection: Selection;
  private readonly inputs: Inputs;
  private readonly convolutions: number;

  private constructor(
    tensors: Record<string, Tensor>,
    notes: Record<string, string>,
    options: BackgroundFilterOptions,
  ) {
    this.device = deviceOf(options.device ?? 'cpu', 'BackgroundFilter').name;
    this.metadata = notes;
    this.features = featureNames(notes);
    this.threshold = notes['threshold'] === undefined ? undefined : Number(notes['threshold']);
    const need = (name: string): Tensor => {
      const found = tensors[name];
      if (!found) throw new ValueError('BackgroundFilter', 'file', `there is no tensor ${name} in the file`);
      return found;
    };
    const [pdg, mean, scale] = inputNames.map(need) as [Tensor, Tensor, Tensor];
    let layers = 0;
    while (tensors[`conv${layers + 1}.self.weight`]) ++layers;
    if (layers === 0) need('conv1.self.weight');
    this.convolutions = layers;
    const weights = ['embedding.weight', 'output.weight', 'output.bias'];
    for (let i = 1; i <= layers; ++i)
      for (const part of ['self.weight', 'parent.weight', 'daughters.weight', 'bias']) weights.push(`conv${i}.${part}`);
    this.parameters = Object.fromEntries(weights.map((name) => [name, need(name).to(this.device)]));
    const width = this.features.length;
    if (mean.size !== width || scale.size !== width) {
      throw new ShapeError(
        'BackgroundFilter',
        'features',
        `features.mean is ${shapeText(mean.shape)} and features.scale ${shapeText(scale.shape)} but there are ${width} features`,
      );
    }
    const rows = this.parameters['embedding.weight'].shape[0];
    if (rows !== pdg.size + 1)
      throw new ShapeError(
        'BackgroundFilter',
        'tokens',
        `embedding.weight has ${rows} rows but tokens.pdg ${pdg.size} codes (expected one row more)`,
      );
    const codes = Array.from(pdg.data as Int32Array, Number);
    this.selection = options.selection ?? primaries;
    this.inputs = {
      selection: this.selection,
      tokens: new Map(codes.map((code, i) => [code, i + 1])),
      mean: mean.data as Float32Array,
      scale: scale.data as Float32Array,
    };
  }

  /**
   * The network with the weights of a safetensors file.
   * @throws ValueError, ShapeError when the file holds something else; DeviceError when the device
   *   cannot be used
   */
  static load(file: Source, options: BackgroundFilterOptions = {}): BackgroundFilter {
    return new BackgroundFilter(load(file), metadata(file), options);
  }

  /** How many numbers were trained. */
  get parameterCount(): number {
    return Object.values(this.parameters).reduce((sum, parameter) => sum + parameter.size, 0);
  }

  /**
   * `passProbability` of every event. An event without any selected particle gets the score of an
   * empty one. Blocks until it is done; to keep the event loop responsive, use {@link batches}
   * instead.
   * @param particles - `List` columns, not copied
   * @param options - `onBatch`: called after every batch, to show progress
   * @returns float32 `[B]`, on the CPU
   * @throws ValueError for a missing column, mothers outside their event or going round, numbers
   *   that are not finite; ShapeError for columns that do not belong together; DTypeError
   */
  score(particles: Particles, options: { onBatch?: (progress: ScoreProgress) => void } = {}): Tensor {
    const progress: ScoreProgress = { events: 0, particles: 0, networkSeconds: 0 };
    return noGrad(() => {
      const events = eventsOf(particles, this.features);
      const scores = new Float32Array(events.count);
      const layers = new LayerMemory('BackgroundFilter', 'particles', this.device);
      for (const forest of this.forests(events)) {
        const start = performance.now();
        scores.set(this.run(forest, layers).to('cpu').data as Float32Array, forest.firstEvent);
        layers.endBatch();
        progress.events += forest.events;
        progress.particles += forest.tree.numNodes;
        progress.networkSeconds += (performance.now() - start) / 1000;
        options.onBatch?.({ ...progress });
      }
      return tensor(scores);
    });
  }

  /**
   * The events in batches, prepared for {@link forward} one after the other, so that a program can
   * show progress, or turn to other things in between.
   */
  *batches(particles: Particles): Generator<DecayForest> {
    yield* this.forests(eventsOf(particles, this.features));
  }

  /**
   * `passProbability` of the events of one batch, with gradients if a parameter wants one.
   * @returns `[B]`, on the filter's device
   */
  forward(forest: DecayForest): Tensor {
    return this.run(forest).reshape([forest.events]);
  }

  private *forests(events: Events): Generator<DecayForest> {
    const nodes = this.device === cpu.name ? nodesPerBatch.host : nodesPerBatch.device;
    for (let begin = 0; begin < events.count;) {
      const end = endOfBatch(events, begin, nodes);
      yield forestOf(events, begin, end, this.inputs);
      begin = end;
    }
  }

  private run(forest: DecayForest, layers?: LayerMemory): Tensor {
    const p = this.parameters;
    const use = (made: Tensor): Tensor => layers?.use(made) ?? made;
    const place = (name: string, rows: number, width: number): Tensor | undefined => layers?.place(name, [rows, width]);
    const tree = forest.tree.to(this.device),
      offsets = use(tree.nodeOffsets!),
      nodes = tree.numNodes;
    use(tree.mother!);
    const table = p['embedding.weight'];
    let h = use(
      embedding(use(forest.tokens.to(this.device)), table, {
        append: use(forest.features.to(this.device)),
        out: place('input', nodes, table.shape[1] + this.features.length),
      }),
    );
    for (let i = 1; i <= this.convolutions; ++i) {
      const self = p[`conv${i}.self.weight`];
      h = use(
        treeConv(tree, h, {
          self,
          parent: p[`conv${i}.parent.weight`],
          daughters: p[`conv${i}.daughters.weight`],
          bias: p[`conv${i}.bias`],
          normalization: 'mean',
          activation: 'relu',
          out: place(i % 2 === 1 ? 'odd' : 'even', nodes, self.shape[0]),
        }),
      );
    }
    const pooled = use(setPool({ values: h, offsets }, 'mean', { out: place('pooled', forest.events, h.shape[1]) }));
    return use(
      linear(pooled, p['output.weight'], {
        bias: p['output.bias'],
        activation: 'sigmoid',
        out: place('output', forest.events, 1),
      }),
    );
  }
}
