// Neighbourhoods: the cases of these operations under one name, and a network of graph attention on one event.
import type { Bench, BenchCase, Row } from '../bench';
import { forest, normals, randomNumbers, type Tensors } from '../cases';
import {
  embedding,
  graph,
  graphAttentionConv,
  lastVariant,
  linear,
  noGrad,
  tensor,
  type Tensor,
  zeros,
} from '../library';
import { type Contestant, measure, timed } from '../measure';

/** Folders of kernels/ whose cases count here. */
export const neighbourhoods: ReadonlySet<string> = new Set([
  'knn_graph',
  'edge_conv',
  'grav_net',
  'graph_attention_conv',
]);

const nodes = 41,
  kinds = 542,
  embedded = 8,
  given = 8,
  heads = 4,
  units = 32,
  layers = 6;
const hidden = heads * units;
const tolerance = 2e-5;

/**
 * The network of basf2's selective background simulation after 2022: six layers of four heads with 32 units on the decay
 * tree, then the mean weighted by a softmax over the particles. For peers on one thread run it with --threads 1.
 */
class OneEvent implements BenchCase {
  readonly suite = 'neighbours';
  readonly name = 'GATGAP network, one event of 41 particles';
  readonly small = true;

  private readonly inputs: Tensors;

  constructor() {
    const random = randomNumbers(41);
    const reals = (...shape: number[]): Tensor => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      const scale = 1 / Math.sqrt(shape[shape.length - 1]);
      return tensor(
        normals(size, random).map((value) => value * scale),
        { shape },
      );
    };
    const mothers = forest(Int32Array.of(0, nodes), nodes, random);
    const daughters = Array.from({ length: nodes - 1 }, (_, i) => i + 1);
    const edges = graph({
      sources: [...daughters, ...daughters.map((i) => mothers[i])],
      targets: [...daughters.map((i) => mothers[i]), ...daughters],
      numNodes: nodes,
    });
    this.inputs = {
      tokens: tensor(Int32Array.from({ length: nodes }, () => Math.floor(random() * kinds))),
      row_offsets: edges.rowOffsets,
      sources: edges.sources,
      features: reals(nodes, given),
      table: reals(kinds, embedded),
      weight0: reals(hidden, embedded + given),
      weights: reals(layers - 1, hidden, hidden),
      attention_source: reals(layers, heads, units),
      attention_target: reals(layers, heads, units),
      biases: reals(layers, hidden),
      gate: reals(1, hidden),
      output: reals(1, hidden),
    };
  }

  prepare(): () => void {
    return this.network('float32').run;
  }

  /**
   * The pooling is one more layer of attention: a node that lists all others, whose scores are the gate and whose two
   * features are gate and output (a slope of 1 leaves scores as they are).
   */
  private network(dtype: 'float32' | 'float64'): { run: () => void; y: () => Tensor } {
    const at = (name: string): Tensor => tensor(this.inputs[name], { dtype });
    const row = (name: string, l: number): Tensor => {
      const whole = at(name),
        [, ...shape] = whole.shape;
      const size = shape.reduce((product, extent) => product * extent, 1);
      return tensor((whole.data as Float32Array).slice(l * size, (l + 1) * size), { shape });
    };
    const rowOffsets = this.inputs['row_offsets'].data as Int32Array;
    const targets = Int32Array.from(this.inputs['sources'].data as Int32Array);
    for (let node = 0; node < nodes; ++node) targets.fill(node, rowOffsets[node], rowOffsets[node + 1]);
    const all = Int32Array.from({ length: nodes }, (_, i) => i);
    // One node more, for the pooling.
    const tree = graph({ sources: this.inputs['sources'], targets, numNodes: nodes + 1 }),
      pool = graph({ sources: all, targets: new Int32Array(nodes).fill(nodes), numNodes: nodes + 1 });
    const tokens = Int32Array.of(...(this.inputs['tokens'].data as Int32Array), 0);
    const features = zeros([nodes + 1, given], { dtype });
    (features.data as Float32Array).set(at('features').data as Float32Array);
    const table = at('table');
    const stack = Array.from({ length: layers }, (_, l) => ({
      weight: l === 0 ? at('weight0') : row('weights', l - 1),
      attentionSource: row('attention_source', l),
      attentionTarget: row('attention_target', l),
      bias: row('biases', l),
      activation: 'elu' as const,
      out: zeros([nodes + 1, hidden], { dtype }),
    }));
    const pair = zeros([2, hidden], { dtype });
    (pair.data as Float32Array).set(at('gate').data as Float32Array);
    (pair.data as Float32Array).set(at('output').data as Float32Array, hidden);
    const pooling = {
      weight: pair,
      attentionSource: tensor([[1, 0]], { dtype }),
      attentionTarget: tensor([[0, 0]], { dtype }),
      negativeSlope: 1,
      selfLoops: false,
      out: zeros([nodes + 1, 2], { dtype }),
    };
    const second = tensor([[0, 1]], { dtype }),
      input = zeros([nodes + 1, embedded + given], { dtype }),
      y = zeros([1, 1], { dtype });
    const last = tensor((pooling.out.data as Float32Array).subarray(2 * nodes), { shape: [1, 2] });
    const run = (): void =>
      noGrad(() => {
        let h = embedding(tokens, table, { append: features, out: input });
        for (const layer of stack) h = graphAttentionConv(tree, h, layer);
        graphAttentionConv(pool, h, pooling);
        linear(last, second, { activation: 'sigmoid', out: y });
      });
    return { run, y: () => y };
  }

  async run(bench: Bench): Promise<Row> {
    const { run, y } = this.network('float32'),
      exact = this.network('float64');
    const row: Row = {
      case: `${this.suite}/${this.name}`,
      ours: 'upsilon',
      timings: {},
      notes: [],
      flops: 2 * nodes * hidden * (embedded + given + (layers - 1) * hidden),
    };
    run();
    row.variant = lastVariant();
    exact.run();
    row.error = Math.abs(y().item() / exact.y().item() - 1);
    if (!(row.error <= tolerance)) {
      row.problem = `differs from float64 by ${row.error.toPrecision(2)} (expected at most ${tolerance})`;
      return row;
    }
    const contestants: Contestant[] = [timed('upsilon', run)];
    if (bench.peers) {
      const found = await bench.peers.open({
        operation: 'gatgap',
        both: false,
        dims: {},
        options: {},
        inputs: this.inputs,
        expected: { y: y() },
        outputs: ['y'],
        absent: [],
      });
      contestants.push(...found.contestants);
      row.notes.push(...found.notes);
    }
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
    return row;
  }
}

export function suite(): BenchCase[] {
  return [new OneEvent()];
}
