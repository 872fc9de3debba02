// Neighbours: the graph against brute force, and input that is bad.
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { numbers, random, thrown } from '../helpers';

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
