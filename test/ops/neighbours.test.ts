// Neighbours: the graph against brute force, and input that is bad.
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, numbers, random, thrown } from '../helpers';

/** Rows of neighbours by the definition. */
function bruteForce(x: number[][], offsets: number[], k: number, loop: boolean): number[][] {
  const rows: number[][] = x.map(() => []);
  for (let event = 0; event + 1 < offsets.length; ++event) {
    const inside = Array.from({ length: offsets[event + 1] - offsets[event] }, (_, i) => offsets[event] + i);
    for (const i of inside) {
      const distance = (j: number): number => x[i].reduce((sum, value, d) => sum + (value - x[j][d]) ** 2, 0);
      rows[i] = inside
        .filter((j) => loop || j !== i)
        .sort((a, b) => distance(a) - distance(b) || a - b)
        .slice(0, k);
    }
  }
  return rows;
}

function rowsOf(graph: ups.Graph): number[][] {
  const offsets = graph.rowOffsets.data as Int32Array,
    sources = [...(graph.sources.data as Int32Array)];
  return Array.from({ length: graph.numNodes }, (_, i) => sources.slice(offsets[i], offsets[i + 1]));
}

const rows = (list: number[], width: number): number[][] =>
  Array.from({ length: list.length / width }, (_, i) => list.slice(i * width, (i + 1) * width));

test('knnGraph: neighbours by distance, ties to the lower index', () => {
  const x = { values: [[0], [1], [3], [-1], [5], [5]], offsets: [0, 4, 6] };
  const graph = ups.knnGraph(x, 2);
  expect(rowsOf(graph)).toEqual([[1, 3], [0, 2], [1, 0], [0, 1], [5], [4]]);
  expect(graph.numEdges).toBe(10);
  expect(graph.sources.shape).toEqual([10]);
  expect([...(graph.nodeOffsets!.data as Int32Array)]).toEqual([0, 4, 6]);
  expect(rowsOf(ups.knnGraph(x, 2, { loop: true }))).toEqual([
    [0, 1],
    [1, 0],
    [2, 1],
    [3, 0],
    [4, 5],
    [4, 5],
  ]);
});

test('knnGraph is brute force, on lattices too', () => {
  const coordinate = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.float({ noNaN: true, noDefaultInfinity: true }));
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 4 })
        .chain((width) =>
          fc.array(fc.array(coordinate, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 30 }),
        ),
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      fc.integer({ min: 0, max: 30 }),
      (x, k, loop, cut) => {
        const offsets = [0, Math.min(cut, x.length), x.length];
        expect(rowsOf(ups.knnGraph({ values: x, offsets }, k, { loop }))).toEqual(bruteForce(x, offsets, k, loop));
      },
    ),
    { numRuns: 300 },
  );
});

test('knnGraph of a large cloud', () => {
  const size = 3000,
    list = numbers(3 * size);
  const x = rows([...Float32Array.from(list)], 3);
  const found = rowsOf(
    ups.knnGraph({ values: ups.tensor(Float32Array.from(list), { shape: [size, 3] }), offsets: [0, size] }, 5),
  );
  expect(found).toEqual(bruteForce(x, [0, size], 5, false));
});

test('knnGraph off the thread, and in float64', async () => {
  const values = random([200, 3]),
    offsets = [0, 80, 80, 200];
  const narrow = ups.tensor(values, { dtype: 'float32' });
  const expected = rowsOf(ups.knnGraph({ values: narrow, offsets }, 4));
  expect(rowsOf(await promises.knnGraph({ values: narrow, offsets }, 4))).toEqual(expected);
  expect(rowsOf(ups.knnGraph({ values: ups.tensor(narrow, { dtype: 'float64' }), offsets }, 4))).toEqual(expected);
});

test('knnGraph feeds a convolution', () => {
  const graph = ups.knnGraph({ values: [[0], [1], [3]], offsets: [0, 3] }, 1);
  expect(ups.spmm(graph, [[1], [10], [100]]).toArray()).toEqual([[10], [1], [10]]);
});

test('knnGraph of too few points', () => {
  const of = (values: number[][] | ups.Tensor, offsets: number[], loop = false): number[][] =>
    rowsOf(ups.knnGraph({ values, offsets }, 16, { loop }));
  expect(of(ups.zeros([0, 3]), [0])).toEqual([]);
  expect(of(ups.zeros([0, 3]), [0, 0, 0])).toEqual([]);
  expect(of([[7]], [0, 0, 1])).toEqual([[]]);
  expect(of([[7]], [0, 1], true)).toEqual([[0]]);
  expect(of([[7], [7], [7]], [0, 3])).toEqual([
    [1, 2],
    [0, 2],
    [0, 1],
  ]);
  expect(of([[7], [7], [7]], [1, 2])).toEqual([[], [], []]);
  expect(of(ups.zeros([3, 0]), [0, 3], true)).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
  ]);
});

test('knnGraph refuses coordinates, boundaries and numbers that are none', () => {
  for (const bad of [NaN, Infinity, -Infinity])
    expect(thrown(() => ups.knnGraph({ values: [[1], [bad]], offsets: [0, 2] }, 1))).toMatchObject({
      name: 'ValueError',
      operation: 'knnGraph',
      argument: 'x',
    });
  for (const k of [0, -1, 1.5, NaN, Infinity, '3' as never, undefined as never])
    expect(thrown(() => ups.knnGraph({ values: [[1]], offsets: [0, 1] }, k))).toMatchObject({ argument: 'k' });
  for (const offsets of [
    [0, 3],
    [1, 0],
    [-1, 1],
  ])
    expect(thrown(() => ups.knnGraph({ values: [[1]], offsets }, 1))).toMatchObject({ argument: 'offsets' });
  expect(thrown(() => ups.knnGraph({ values: [1], offsets: [0, 1] }, 1))).toMatchObject({ name: 'ShapeError' });
  expect(thrown(() => ups.knnGraph({ values: Int32Array.of(1), offsets: [0, 1] }, 1))).toMatchObject({
    name: 'DTypeError',
  });
  expect(thrown(() => ups.knnGraph({ values: [[1]], offsets: [0, 1] }, 1, { loops: true } as never))).toMatchObject({
    argument: 'loops',
  });
  const many = { values: ups.zeros([50000, 1]), offsets: [0, 50000] };
  expect(thrown(() => ups.knnGraph(many, 1e9))).toMatchObject({ name: 'ValueError', argument: 'k' });
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (x, k, options) => {
      try {
        ups.knnGraph(x as never, k as never, options as never);
      } catch (error) {
        expect(error).toBeInstanceOf(ups.UpsilonError);
      }
    }),
    { numRuns: 200 },
  );
});

const golden = ups.safetensors.load('test/golden/neighbours.safetensors');

function expectClose(found: ups.Tensor, expected: ups.Tensor): void {
  expect(found.shape).toEqual(expected.shape);
  (found.data as Float32Array).forEach((value, i) => expect(value).toBeCloseTo(Number(expected.data[i]), 5));
}

const goldenLayers = (name: string, places: readonly number[], last: ups.Activation): Required<ups.Layer>[] =>
  places.map((place, i) => ({
    weight: golden[`${name}.${place}.weight`].detach(),
    bias: golden[`${name}.${place}.bias`],
    activation: i + 1 < places.length ? 'relu' : last,
  }));

test.each(['mean', 'max'] as const)("edgeConv is PyTorch Geometric's EdgeConv, %s", (reduce) => {
  const graph = ups.knnGraph({ values: golden['x'], offsets: golden['offsets'] }, 5);
  expect([...(graph.sources.data as Int32Array)]).toEqual([...(golden['sources'].data as Int32Array)]);
  for (const [name, places] of [
    ['deep', [0, 2, 4]],
    ['flat', [0]],
  ] as const) {
    const layers = goldenLayers(name, places, 'tanh');
    const x = golden['x'].detach(),
      weight = layers[0].weight as ups.Tensor;
    x.requiresGrad = weight.requiresGrad = true;
    const y = ups.edgeConv(graph, x, { layers, reduce });
    y.backward(
      ups.tensor(
        Float32Array.from({ length: y.size }, (_, i) => Math.cos(i)),
        { shape: y.shape },
      ),
    );
    expectClose(y, golden[`${name}.${reduce}.y`]);
    expectClose(x.grad!, golden[`${name}.${reduce}.dx`]);
    expectClose(weight.grad!, golden[`${name}.${reduce}.dweight`]);
  }
});

test.each([1, 2, 3, 4])('edgeConv of %i layers has the gradients of its differences', (depth) => {
  const graph = ups.graph({ sources: [0, 1, 2, 2, 4, 0, 3], targets: [1, 2, 0, 2, 1, 1, 0], numNodes: 5 });
  const x = random([5, 3], 1);
  const layers = Array.from({ length: depth }, (_, i) => ({
    weight: random([2, i === 0 ? 6 : 2], 10 + i),
    bias: random([2], 20 + i),
    activation: 'tanh' as const,
  }));
  for (const reduce of ['mean', 'max'] as const)
    checkGradients([x, ...layers.flatMap(({ weight, bias }) => [weight, bias])], () =>
      ups.edgeConv(graph, x, { layers, reduce }),
    );
});

test('edgeConv by hand: nodes without edges, ties to the first edge, off the thread', async () => {
  const graph = ups.graph({ sources: [1, 2], targets: [0, 0], numNodes: 3 });
  const layers = [{ weight: [[1, 10]] }];
  const x = [[1], [3], [3]];
  expect(ups.edgeConv(graph, x, { layers }).toArray()).toEqual([[21], [0], [0]]);
  expect((await promises.edgeConv(graph, x, { layers, reduce: 'max' })).toArray()).toEqual([[21], [0], [0]]);
  const trained = ups.tensor(x, { requiresGrad: true });
  ups.edgeConv(graph, trained, { layers, reduce: 'max' }).backward([[1], [0], [0]]);
  expect(trained.grad!.toArray()).toEqual([[-9], [10], [0]]);
});

test('edgeConv refuses widths, layers and graphs that do not fit', () => {
  const graph = ups.graph({ sources: [1], targets: [0], numNodes: 2 });
  const x = ups.zeros([2, 3]);
  const bad = (options: unknown): ups.UpsilonError => thrown(() => ups.edgeConv(graph, x, options as never));
  expect(bad(undefined)).toMatchObject({ name: 'ValueError', operation: 'edgeConv', argument: 'layers' });
  expect(bad({ layers: [] })).toMatchObject({ argument: 'layers' });
  expect(bad({ layers: Array.from({ length: 5 }, () => ({ weight: [[1]] })) })).toMatchObject({ argument: 'layers' });
  expect(bad({ layers: [{ weight: ups.zeros([2, 3]) }] })).toMatchObject({ name: 'ShapeError', argument: 'weight0' });
  expect(bad({ layers: [{ weight: ups.zeros([2, 6]) }, { weight: ups.zeros([2, 3]) }] })).toMatchObject({
    name: 'ShapeError',
    argument: 'weight1',
  });
  expect(bad({ layers: [{ weight: ups.zeros([2, 6]) }], reduce: 'sum' })).toMatchObject({ argument: 'reduce' });
  expect(
    thrown(() => ups.edgeConv(graph, ups.zeros([3, 3]), { layers: [{ weight: ups.zeros([2, 6]) }] })),
  ).toMatchObject({
    name: 'ShapeError',
    argument: 'x',
  });
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (value, layers) => {
      for (const call of [
        () => ups.edgeConv(value as never, x, { layers: layers as never }),
        () => ups.edgeConv(graph, value as never, { layers: [{ weight: ups.zeros([1, 6]) }] }),
        () => ups.edgeConv(graph, x, { layers: [{ weight: value as never }, layers as never] }),
      ])
        try {
          call();
        } catch (error) {
          expect(error).toBeInstanceOf(ups.UpsilonError);
        }
    }),
    { numRuns: 200 },
  );
});
