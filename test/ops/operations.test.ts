// Results that can be computed by hand.
import * as arrow from 'apache-arrow';
import * as ups from 'upsilon-kernels';

import { random } from '../helpers';

test('linear: activation(x W^T + b)', () => {
  expect(
    ups
      .linear(
        [
          [1, 2],
          [3, 4],
        ],
        [
          [1, 0],
          [1, 1],
        ],
        { bias: [0, -4], activation: 'relu' },
      )
      .toArray(),
  ).toEqual([
    [1, 0],
    [3, 3],
  ]);
});

// 300 to 1100 is what is called a large weight.
test.each([
  [37, 70],
  [300, 1100],
])('a row of linear from %d to %d has the same bits among any number of rows', (inputs, outputs) => {
  const x = random([243, inputs], 1, 'float32'),
    weight = random([outputs, inputs], 2, 'float32'),
    bias = random([outputs], 3, 'float32');
  const of = (rows: number): Float32Array => {
    const first = ups.tensor((x.data as Float32Array).subarray(0, rows * inputs), { shape: [rows, inputs] });
    return ups.linear(first, weight, { bias, activation: 'tanh' }).data as Float32Array;
  };
  const all = of(243);
  for (const rows of [1, 2, 3, 4, 5, 240]) expect(of(rows)).toEqual(all.subarray(0, rows * outputs));
});

test('graphConv is the normalised sum over neighbours', () => {
  const graph = ups.graph({ sources: [0], targets: [1], numNodes: 2 });
  expect(ups.graphConv(graph, [[2], [4]], [[1]], { normalization: 'row' }).toArray()).toEqual([[2], [3]]);
  expect(ups.graphConv(graph, [[2], [4]], [[1]], { normalization: 'none', selfLoops: false }).toArray()).toEqual([
    [0],
    [2],
  ]);
  expect(ups.spmm(graph, [[2], [4]]).toArray()).toEqual([[0], [2]]);
  expect(graph.numEdges).toBe(1);
});

test('a graph from an Arrow column is that column', () => {
  const column = arrow.vectorFromArray(
    [[1], [0, 1], []],
    new arrow.List(new arrow.Field('item', new arrow.Int32(), false)),
  );
  const dense = arrow.makeVector(
    arrow.makeData({
      type: column.type,
      length: 3,
      nullCount: 0,
      valueOffsets: Int32Array.of(0, 1, 3, 3),
      child: arrow.makeData({ type: new arrow.Int32(), length: 3, nullCount: 0, data: Int32Array.of(1, 0, 1) }),
    } as never),
  );
  expect(ups.spmm(ups.graph(dense), [[1], [2], [4]]).toArray()).toEqual([[2], [3], [0]]);
});

test('treeConv sees mother and daughters; a tree is also a graph', () => {
  const tree = ups.tree({ mother: [-1, 0, 0], offsets: [0, 3] });
  expect(ups.treeConv(tree, [[1], [10], [100]], { self: [[1]], parent: [[1000]], daughters: [[1]] }).toArray()).toEqual(
    [[111], [1010], [1100]],
  );
  expect(tree.numEdges).toBe(4);
  expect(ups.spmm(tree, [[1], [10], [100]]).toArray()).toEqual([[110], [1], [1]]);
});

test('setPool and embedding', () => {
  expect(ups.setPool({ values: [[1], [3], [5]], offsets: [0, 2, 2, 3] }, 'mean').toArray()).toEqual([[2], [0], [5]]);
  expect(ups.embedding([1, 0], [[1], [2]], { append: [[7], [8]] }).toArray()).toEqual([
    [2, 7],
    [1, 8],
  ]);
});

test('deepSet is mlp, setPool, mlp', () => {
  const layer = (outputs: number, inputs: number, seed: number) => ({
    weight: random([outputs, inputs], seed, 'float32'),
    bias: random([outputs], seed + 1, 'float32'),
    activation: 'relu' as const,
  });
  const values = random([300, 8], 1, 'float32'),
    offsets = Int32Array.of(0, 20, 20, 100, 101, 300);
  const phi = [layer(40, 8, 2), layer(24, 40, 4)],
    rho = [layer(3, 24, 6)];
  for (const pool of ['sum', 'mean', 'max', 'min'] as const) {
    const steps = ups.mlp(ups.setPool({ values: ups.mlp(values, phi), offsets }, pool), rho);
    const fused = ups.deepSet({ values, offsets }, { phi, pool, rho });
    expect(fused.shape).toEqual([5, 3]);
    (fused.data as Float32Array).forEach((value, i) =>
      expect(Math.abs(value - Number(steps.data[i]))).toBeLessThan(1e-5 * (1 + Math.abs(value))),
    );
  }
});

test('deepSet of an event does not depend on its batch, nor on the order of its particles beyond rounding', () => {
  const values = random([300, 8], 1, 'float32'),
    offsets = Int32Array.of(0, 20, 20, 100, 101, 300);
  const phi = [{ weight: random([24, 8], 2, 'float32'), activation: 'tanh' as const }];
  for (const pool of ['sum', 'mean', 'max', 'min'] as const) {
    const all = ups.deepSet({ values, offsets }, { phi, pool }).data as Float32Array;
    for (let event = 0; event + 1 < offsets.length; ++event) {
      const rows = (values.data as Float32Array).slice(8 * offsets[event], 8 * offsets[event + 1]);
      const size = rows.length / 8;
      const alone = ups.deepSet({ values: ups.tensor(rows, { shape: [size, 8] }), offsets: [0, size] }, { phi, pool });
      const expected = all.slice(24 * event, 24 * (event + 1));
      expect(alone.data).toEqual(expected);
      const reversed = Float32Array.from(rows, (_, i) => rows[8 * (size - 1 - Math.floor(i / 8)) + (i % 8)]);
      const permuted = ups.deepSet(
        { values: ups.tensor(reversed, { shape: [size, 8] }), offsets: [0, size] },
        { phi, pool },
      ).data as Float32Array;
      permuted.forEach((value, c) => expect(Math.abs(value - expected[c])).toBeLessThan(1e-4));
    }
  }
});

test('random numbers are the same for the same seed and stream, and in blocks as in arrays', () => {
  const few = ups.random.normal([10], { seed: 5 }),
    many = ups.random.normal([100000], { seed: 5n });
  expect(many.data.slice(0, 10)).toEqual(few.data);
  expect(ups.random.normal([10], { seed: 5, stream: 1 }).data).not.toEqual(few.data);
  expect(ups.random.uniform([2], { seed: 2n ** 63n + 1n }).data).not.toEqual(ups.random.uniform([2], { seed: 1 }).data);
});

test.each(['uniform', 'normal'] as const)('random.%s: streams of a call are calls of their own', (kind) => {
  const draw = ups.random[kind];
  for (const perStream of [1, 3, 4, 17, 100, 512])
    for (const dtype of ['float32', 'float64'] as const) {
      const size = 2 * perStream + 2,
        stream = 2n ** 64n - 1n;
      const { data } = draw([size], { seed: 5, stream, perStream, dtype });
      for (const row of [0, 1, 2]) {
        const alone = draw([perStream], { seed: 5, stream: row === 0 ? stream : row - 1, dtype }).data;
        const part = data.subarray(row * perStream, (row + 1) * perStream);
        expect(part).toEqual(alone.subarray(0, part.length));
      }
    }
  const all = draw([3, 5], { seed: 5 }).data;
  for (const perStream of [0, 15, 16, 2n ** 63n - 1n]) expect(draw([3, 5], { seed: 5, perStream }).data).toEqual(all);
});

test('random numbers of a range, and of a mean and a deviation', () => {
  const { fround } = Math;
  const plain = ups.random.uniform([1000], { seed: 6 }).data as Float32Array,
    normal = ups.random.normal([1000], { seed: 6 }).data as Float32Array;
  for (const [low, high] of [
    [-1, 1],
    [0.3, 7.1],
    [2, 2],
    [-0.7, 0],
  ].map((limits) => limits.map(fround)))
    expect(ups.random.uniform([1000], { seed: 6, low, high }).data).toEqual(
      plain.map((u) => low + fround(fround(high - low) * u)),
    );
  expect(ups.random.uniform([1000], { seed: 6, low: -1 }).data).toEqual(plain.map((u) => 2 * u - 1));
  for (const [mean, deviation] of [
    [0, 1],
    [-0.3, 7.1],
    [2, 0],
  ].map((two) => two.map(fround)))
    expect(ups.random.normal([1000], { seed: 6, mean, deviation }).data).toEqual(
      normal.map((n) => mean + fround(deviation * n)),
    );
  // The sign of a zero is the generator's own.
  const zeros = ups.random.normal([4], { seed: 0, stream: 34290445 }).data;
  expect(zeros.subarray(2)).toEqual(Float32Array.of(-0, -0));
});

test('float32 and float64 agree', () => {
  const x = random([17, 9]),
    weight = random([5, 9], 2);
  const single = ups.linear(ups.tensor(x, { dtype: 'float32' }), ups.tensor(weight, { dtype: 'float32' }))
    .data as Float32Array;
  const double = ups.linear(x, weight).data as Float64Array;
  single.forEach((value, i) => expect(value).toBeCloseTo(double[i], 5));
});
