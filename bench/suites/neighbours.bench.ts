// Neighbourhoods: the cases of these operations under one name, and a network of graph attention on
// one event.
import type { Bench, BenchCase, Row } from '../bench';
import { forest, normals, randomNumbers, type Tensors } from '../cases';
import { attentionPool, embedding, graph, graphAttentionConv, linear, noGrad, tensor, type Tensor } from '../library';
import { timeEventProgram } from './eventProgram';

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

/** Weights and one event of the network, in the order of bench/native/attention_event.cc. */
function inputs(): Tensors {
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
  return {
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

/** The score in float64. */
function exactScore(tensors: Tensors): number {
  const at = (name: string): Tensor => tensor(tensors[name], { dtype: 'float64' });
  const row = (name: string, l: number): Tensor => {
    const whole = at(name),
      [, ...shape] = whole.shape;
    const size = shape.reduce((product, extent) => product * extent, 1);
    return tensor((whole.data as Float64Array).slice(l * size, (l + 1) * size), { shape });
  };
  const rowOffsets = tensors['row_offsets'].data as Int32Array;
  const targets = Int32Array.from(tensors['sources'].data as Int32Array);
  for (let node = 0; node < nodes; ++node) targets.fill(node, rowOffsets[node], rowOffsets[node + 1]);
  const tree = graph({ sources: tensors['sources'], targets, numNodes: nodes });
  return noGrad(() => {
    let h = embedding(tensors['tokens'], at('table'), { append: at('features') });
    for (let l = 0; l < layers; ++l)
      h = graphAttentionConv(tree, h, {
        weight: l === 0 ? at('weight0') : row('weights', l - 1),
        attentionSource: row('attention_source', l),
        attentionTarget: row('attention_target', l),
        bias: row('biases', l),
        activation: 'elu',
      });
    const pooled = attentionPool({ values: h, offsets: [0, nodes] }, { gate: [{ weight: at('gate') }] });
    return linear(pooled, at('output'), { activation: 'sigmoid' }).item();
  });
}

/**
 * The network of basf2's selective background simulation after 2022: six layers of four heads with
 * 32 units on the decay tree, then the mean weighted by a softmax over the particles. For peers on
 * one thread run it with --threads 1.
 */
class OneEvent implements BenchCase {
  readonly suite = 'neighbours';
  readonly name = 'GATGAP network, one event of 41 particles, C interface, one thread';
  readonly small = true;

  run(bench: Bench): Promise<Row> {
    const tensors = inputs();
    return timeEventProgram(
      {
        program: 'upsilon_attention_event',
        peer: 'gatgap',
        counts: [nodes, tensors['sources'].size, kinds, embedded, given, heads, units, layers],
        inputs: tensors,
        score: exactScore(tensors),
        tolerance: 2e-6,
        nodes,
        flops: 2 * nodes * hidden * (embedded + given + (layers - 1) * hidden),
      },
      bench,
      { case: `${this.suite}/${this.name}`, timings: {}, notes: [], ours: 'upsilon' },
    );
  }
}

export function suite(): BenchCase[] {
  return [new OneEvent()];
}
