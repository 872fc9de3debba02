// Graph convolution on decay trees: edges between every particle and its mother, in both
// directions.
import { graph, Kernel, type Tensor, tensor, zeros } from '../library';
import type { BenchCase } from '../bench';
import { type Case, forest, normals, randomNumbers, type Tensors } from '../cases';
import { OperationCase } from './operation';

const channels = 64;

function trees(count: number, nodes: number, direction: 'forward' | 'backward'): { at: Case; inputs: () => Tensors } {
  const all = count * nodes;
  const inputs = (): Tensors => {
    const random = randomNumbers(count * 1000 + nodes);
    const offsets = Int32Array.from({ length: count + 1 }, (_, event) => event * nodes);
    const mothers = forest(offsets, all, random);
    const sources: number[] = [],
      targets: number[] = [];
    for (let i = 0; i < all; ++i) {
      if (mothers[i] < 0) continue;
      const mother = mothers[i] + i - (i % nodes);
      sources.push(mother, i);
      targets.push(i, mother);
    }
    const { rowOffsets, sources: columns } = graph({
      sources: Int32Array.from(sources),
      targets: Int32Array.from(targets),
      numNodes: all,
    });
    const reals = (...shape: number[]): Tensor =>
      tensor(
        normals(
          shape.reduce((a, b) => a * b, 1),
          random,
        ),
        { shape },
      );
    const tensors: Tensors = {
      row_offsets: rowOffsets,
      sources: columns,
      x: reals(all, channels),
      weight: reals(channels, channels),
      bias: reals(channels),
    };
    if (direction === 'backward') {
      const int32 = (count: number): Tensor => zeros([count], { dtype: 'int32' });
      const transposed = int32(all + 1);
      const ends = int32(columns.size);
      const edges = int32(columns.size);
      new Kernel('graph_transpose').run([rowOffsets, columns], undefined, [transposed, ends, edges]);
      const [y] = new Kernel('graph_conv_forward').run(
        [rowOffsets, columns, undefined, tensors['x'], tensors['weight'], tensors['bias']],
        { activation: 'relu' },
      );
      Object.assign(tensors, { transposed_offsets: transposed, targets: ends, edges, y, dy: reals(all, channels) });
    }
    return tensors;
  };
  return {
    inputs,
    at: {
      suite: 'trees',
      operation: `graph_conv_${direction}`,
      name: `${count} trees of ${nodes} nodes, ${channels} to ${channels}`,
      dims: { N: all, E: 2 * count * (nodes - 1), Fin: channels, Fout: channels, rows: 1 },
      leading: [],
      options: { activation: 'relu' },
      omit: ['edge_weights', 'dedge_weights'],
      data: {},
      derive: [],
    },
  };
}

export function suite(): BenchCase[] {
  const found: BenchCase[] = [];
  for (const [count, nodes] of [
    [50, 20],
    [1000, 20],
    [1000, 40],
  ] as const) {
    const forward = trees(count, nodes, 'forward'),
      backward = trees(count, nodes, 'backward');
    found.push(new OperationCase(forward.at, undefined, forward.inputs));
    found.push(new OperationCase(backward.at, forward.at, backward.inputs));
  }
  return found;
}
