// Neighbours: the graph against brute force, and input that is bad.
import { readFileSync } from 'node:fs';
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

test('knnGraph refuses coordinates, boundaries and numbers that are invalid', () => {
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

// Bytes, not a mapped file: it lives as long as this module, and other tests of the process count
// what is mapped.
const golden = ups.safetensors.load(readFileSync('test/golden/neighbours.safetensors'));

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

test("knnGraph and edgeConv are PyTorch Geometric's DynamicEdgeConv", () => {
  const layers = goldenLayers('flat', [0], 'tanh');
  const x = golden['x'].detach();
  x.requiresGrad = true;
  const graph = ups.knnGraph({ values: x, offsets: golden['offsets'] }, 5, { loop: true });
  const y = ups.edgeConv(graph, x, { layers, reduce: 'max' });
  y.backward(
    ups.tensor(
      Float32Array.from({ length: y.size }, (_, i) => Math.cos(i)),
      { shape: y.shape },
    ),
  );
  expectClose(y, golden['dynamic.y']);
  expectClose(x.grad!, golden['dynamic.dx']);
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

const gravNetNames = {
  space: 'lin_s',
  features: 'lin_h',
  outputSelf: 'lin_out1',
  outputAggregate: 'lin_out2',
} as const;

test("gravNet is PyTorch Geometric's GravNetConv, with its gradients", () => {
  const parameters: Record<string, ups.Tensor> = {};
  const parameter = (name: string): ups.Tensor | undefined => {
    if (!(`gravnet.${name}` in golden)) return undefined;
    parameters[name] = golden[`gravnet.${name}`].detach();
    parameters[name].requiresGrad = true;
    return parameters[name];
  };
  const layer = (name: string): ups.Layer => ({
    weight: parameter(`${name}.weight`)!,
    bias: parameter(`${name}.bias`),
  });
  const layers = Object.fromEntries(Object.entries(gravNetNames).map(([key, name]) => [key, layer(name)]));
  const x = golden['x'].detach();
  x.requiresGrad = true;
  const y = ups.gravNet(
    { values: x, offsets: golden['offsets'] },
    { ...(layers as never as ups.GravNetOptions), k: 5 },
  );
  y.values.backward(
    ups.tensor(
      Float32Array.from({ length: y.values.size }, (_, i) => Math.cos(i)),
      { shape: y.values.shape },
    ),
  );
  expectClose(y.values, golden['gravnet.y']);
  expectClose(x.grad!, golden['gravnet.dx']);
  expect(Object.keys(parameters).length).toBe(7);
  for (const [name, value] of Object.entries(parameters)) expectClose(value.grad!, golden[`gravnet.d${name}`]);
});

const identity = { weight: [[1]] };

test('gravNet by hand, both conventions, off the thread', async () => {
  const x = { values: [[0], [0.1]], offsets: [0, 2] };
  const layers = {
    space: identity,
    features: { weight: [[1]], bias: [1] },
    outputSelf: { weight: [[100]], bias: [1000] },
  };
  const w = Math.exp(-0.1);
  const pyg = { ...layers, outputAggregate: { weight: [[1, 10]], bias: [2000] }, k: 2 };
  const expected = [3000 + (1 + 1.1 * w) / 2 + 10, 3010 + (1.1 + w) / 2 + 11];
  const found = ups.gravNet(x, pyg);
  expect([...(found.offsets.data as Int32Array)]).toEqual([0, 2]);
  (found.values.data as Float32Array).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 2));
  expect((await promises.gravNet(x, pyg)).values.toArray()).toEqual(found.values.toArray());
  const hgcal = {
    ...layers,
    outputSelf: { weight: [[0]] },
    outputAggregate: { weight: [[0.5, 0.25]] },
    k: 2,
    convention: 'hgcal' as const,
  };
  (ups.gravNet(x, hgcal).values.data as Float32Array).forEach((value, i) =>
    expect(value).toBeCloseTo(Math.tanh(0.75 * w * [1.1, 1][i]), 5),
  );
});

test.each(['pyg', 'hgcal'] as const)('gravNet has the gradients of its differences, %s', (convention) => {
  const x = random([7, 3], 1);
  const layer = (outputs: number, inputs: number, seed: number): Required<Omit<ups.Layer, 'activation'>> => ({
    weight: random([outputs, inputs], seed),
    bias: random([outputs], seed + 50),
  });
  const layers = {
    space: layer(2, 3, 2),
    features: layer(4, 3, 3),
    outputSelf: layer(3, 3, 4),
    outputAggregate: layer(3, 8, 5),
  };
  checkGradients(
    [x, ...Object.values(layers).flatMap(({ weight, bias }) => [weight as ups.Tensor, bias as ups.Tensor])],
    () => ups.gravNet({ values: x, offsets: [0, 4, 4, 7] }, { ...layers, k: 3, convention }).values,
  );
});

test('gravNet refuses what does not fit, and takes events of few points', () => {
  const good = {
    space: identity,
    features: identity,
    outputSelf: identity,
    outputAggregate: { weight: [[1, 1]] },
    k: 4,
  };
  const of = (change: object, values: unknown = [[1], [2]], offsets = [0, 2]): ups.Ragged =>
    ups.gravNet({ values, offsets } as never, { ...good, ...change });
  expect(of({}, ups.zeros([0, 1]), [0, 0]).values.shape).toEqual([0, 1]);
  expect(of({}, [[1]], [0, 0, 1]).values.toArray()).toEqual([[3]]);
  expect(of({ convention: 'hgcal' }, [[0]], [0, 1]).values.toArray()).toEqual([[0]]);
  const bad = (...change: Parameters<typeof of>): ups.UpsilonError => thrown(() => of(...change));
  expect(bad({ k: 0 })).toMatchObject({ name: 'ValueError', operation: 'gravNet', argument: 'k' });
  expect(bad({ k: 1, convention: 'hgcal' })).toMatchObject({ argument: 'k' });
  expect(bad({ convention: 'tf' })).toMatchObject({ argument: 'convention' });
  expect(bad({ space: undefined })).toMatchObject({ argument: 'space' });
  expect(bad({ features: { weight: [[1, 2]] } })).toMatchObject({ name: 'ShapeError', argument: 'features' });
  expect(bad({ outputAggregate: { weight: [[1]] } })).toMatchObject({
    name: 'ShapeError',
    argument: 'outputAggregate',
  });
  expect(bad({ outputSelf: { weight: [[1], [2]] } })).toMatchObject({ name: 'ShapeError', argument: 'outputSelf' });
  expect(bad({ outputSelf: { weight: [[1]], activation: 'relu' } })).toMatchObject({ argument: 'outputSelf' });
  expect(bad({}, [[NaN], [1]])).toMatchObject({ name: 'ValueError' });
  expect(bad({}, [1, 2])).toMatchObject({ name: 'ShapeError', argument: 'x' });
  expect(bad({}, [[1], [2]], [0, 3])).toMatchObject({ argument: 'offsets' });
  expect(thrown(() => ups.gravNet({ values: [[1]], offsets: [0, 1] }, undefined as never))).toBeInstanceOf(
    ups.UpsilonError,
  );
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (first, second) => {
      for (const call of [
        () => ups.gravNet(first as never, second as never),
        () => of({ space: first, outputSelf: second }),
        () => of({ features: { weight: first }, k: second }),
        () => of({ outputAggregate: { weight: [[1, 1]], bias: first }, outputSelf: { weight: [[1]], bias: second } }),
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

test('float64 coordinates whose squares no float64 holds', () => {
  for (const scale of [1e-300, 1e-170, 1, 1e170, 1e300, 1.7e308]) {
    const values = ups.tensor(
      Float64Array.of(0, 0.45, 0.6, 1).map((x) => x * scale),
      { shape: [4, 1] },
    );
    const { sources } = ups.knnGraph({ values, offsets: [0, 4] }, 2);
    expect(Array.from(sources.data as Int32Array)).toEqual([1, 2, 2, 0, 1, 3, 2, 1]);
  }
});
