// The assignment problem: scipy's answers (tools/golden/assignment.py), brute force, the dual
// certificate, bad input.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { numbers, thrown } from '../helpers';
import { inProcess } from '../runner/process';

/** As in tools/golden/assignment.py. */
class Random {
  constructor(private state: number) {}
  below(bound: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return (this.state >>> 8) % bound;
  }
  real(): number {
    return this.below(2 ** 24) / 2 ** 24;
  }
}

interface Problem {
  rows: number;
  columns: number;
  costs: Float64Array;
  maximize: boolean;
}

/** Problem of one of ten kinds, as the generator makes it. */
function problemOf(random: Random, kind: number): Problem {
  let rows = 1 + random.below(9),
    columns = 1 + random.below(9);
  if (kind === 6) [rows, columns] = random.below(2) ? [1, columns] : [rows, 1];
  if (kind === 7) [rows, columns] = random.below(2) ? [0, columns] : [rows, 0];
  const maximize = random.below(4) === 0;
  const across = Array.from({ length: rows }, () => random.below(5));
  const along = Array.from({ length: columns }, () => random.below(5));
  const cost = (i: number, j: number): number => {
    switch (kind) {
      case 0:
        return random.real();
      case 1:
        return random.below(4);
      case 2:
        return random.below(3) === 0 ? (maximize ? -Infinity : Infinity) : random.below(5) - 2;
      case 3:
        return -random.real();
      case 4:
        return across[i] + along[j];
      case 5:
        return across[i] * along[j] + random.below(2) * 0.1;
      case 8:
        return random.below(25) === 0 ? [NaN, Infinity, -Infinity][random.below(3)] : random.below(9);
      default:
        return random.below(7) * 0.1 - 0.3;
    }
  };
  const costs = new Float64Array(rows * columns);
  for (let i = 0; i < rows; ++i) for (let j = 0; j < columns; ++j) costs[i * columns + j] = cost(i, j);
  return { rows, columns, costs, maximize };
}

// Bytes, not a mapped file: it lives as long as this module, and other tests of the process count
// what is mapped.
const golden = ups.safetensors.load(
  readFileSync(join(__dirname, '..', '..', 'test', 'golden', 'assignment.safetensors')),
);

/** The column of every row, -1 for none. */
function columnsOf(rows: number, found: { rows: ups.Tensor; columns: ups.Tensor }): number[] {
  const columns = new Array<number>(rows).fill(-1);
  const pairs = found.columns.data as Int32Array;
  (found.rows.data as Int32Array).forEach((row, k) => row >= 0 && (columns[row] = pairs[k]));
  return columns;
}

const all = ((): Problem[] => {
  const random = new Random(1);
  return Array.from({ length: 10_000 }, (_, number) => problemOf(random, number % 10));
})();

/** scipy's answers: the column of every row, problem by problem. */
const answers = ((): number[][] => {
  const bytes = golden['columns'].data as Uint8Array;
  let at = 0;
  return all.map(({ rows }) => [...bytes.subarray(at, (at += rows))].map((column) => (column === 255 ? -1 : column)));
})();
const errors = golden['errors'].data as Uint8Array;

test("10,000 problems, one by one: scipy's rows, columns and errors", () => {
  all.forEach(({ rows, columns, costs, maximize }, number) => {
    const cost = ups.tensor(costs, { shape: [rows, columns] });
    if (errors[number] > 0) {
      const error = thrown(() => ups.linearSumAssignment(cost, { maximize }));
      expect(error).toBeInstanceOf(ups.ValueError);
      expect(error.message).toContain(
        errors[number] === 1 ? 'cost matrix is infeasible' : 'contains invalid numeric entries',
      );
      return;
    }
    const found = ups.linearSumAssignment(cost, { maximize });
    expect([number, ...columnsOf(rows, found)]).toEqual([number, ...answers[number]]);
    let sum = 0;
    answers[number].forEach((column, row) => (sum += column < 0 ? 0 : costs[row * columns + column]));
    expect(found.cost.item()).toBe(sum);
    expect(found.status.item()).toBe(0);
  });
});

test.each([false, true])('the same in one ragged batch, maximize %s', (maximize) => {
  const chosen = all.map((problem, number) => ({ ...problem, number })).filter((p) => p.maximize === maximize);
  const values = Float64Array.from(chosen.flatMap(({ costs }) => [...costs]));
  const rows = Int32Array.from(chosen, (p) => p.rows),
    columns = Int32Array.from(chosen, (p) => p.columns);
  const found = ups.linearSumAssignment({ values, rows, columns }, { maximize, duals: true });
  expect([...(found.status.data as Int32Array)]).toEqual(chosen.map(({ number }) => errors[number]));
  expect(found.u!.values.shape).toEqual([rows.reduce((sum, count) => sum + count, 0)]);
  const offsets = found.rows.offsets.data as Int32Array;
  chosen.forEach(({ number, ...problem }, b) => {
    const [begin, end] = [offsets[b], offsets[b + 1]];
    expect(end - begin).toBe(Math.min(problem.rows, problem.columns));
    const part = (list: ups.Ragged): ups.Tensor => ups.tensor((list.values.data as Int32Array).subarray(begin, end));
    const pairs = { rows: part(found.rows), columns: part(found.columns) };
    expect([number, ...columnsOf(problem.rows, pairs)]).toEqual([number, ...answers[number]]);
    if (errors[number] > 0) expect(Number.isNaN(found.cost.data[b])).toBe(true);
  });
});

test('large problems with many ties, and distances: index by index', () => {
  const random = new Random(2);
  const expected = golden['largeColumns'].data as Int32Array;
  let at = 0;
  for (const [rows, columns, below] of [
    [150, 150, 9],
    [90, 220, 4],
    [220, 130, 1000],
    [200, 200, 0],
  ]) {
    const costs = new Float64Array(rows * columns);
    if (below > 0) costs.forEach((_, k) => (costs[k] = random.below(below)));
    else {
      const points = Array.from({ length: rows + columns }, () => [random.below(1000), random.below(1000)]);
      costs.forEach((_, k) => {
        const [x, y] = points[Math.floor(k / columns)],
          [z, w] = points[rows + (k % columns)];
        costs[k] = (x - z) ** 2 + (y - w) ** 2;
      });
    }
    for (const dtype of ['float64', 'float32'] as const) {
      const found = ups.linearSumAssignment(ups.tensor(ups.tensor(costs, { dtype }), { shape: [rows, columns] }));
      expect(columnsOf(rows, found)).toEqual([...expected.subarray(at, at + rows)]);
    }
    at += rows;
  }
});

/** The least sum over all assignments. */
function bruteForce(cost: number[][]): number {
  if (cost.length > cost[0].length) return bruteForce(cost[0].map((_, j) => cost.map((row) => row[j])));
  const used = new Set<number>();
  const best = (row: number): number => {
    if (row === cost.length) return 0;
    let least = Infinity;
    cost[row].forEach((value, column) => {
      if (used.has(column)) return;
      used.add(column);
      least = Math.min(least, value + best(row + 1));
      used.delete(column);
    });
    return least;
  };
  return best(0);
}

test('the sum is brute force', () => {
  const side = fc.integer({ min: 1, max: 7 });
  const value = fc.oneof(fc.integer({ min: -4, max: 4 }), fc.double({ min: -10, max: 10, noNaN: true }));
  fc.assert(
    fc.property(
      fc
        .tuple(side, side)
        .chain(([rows, columns]) =>
          fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
        ),
      (cost) => {
        const found = ups.linearSumAssignment(cost);
        expect(found.cost.item()).toBeCloseTo(bruteForce(cost), 9);
        expect(new Set(found.columns.data as Int32Array).size).toBe(Math.min(cost.length, cost[0].length));
      },
    ),
    { numRuns: 150 },
  );
});

/** Whether the duals prove that no assignment has a smaller sum (with `maximize` a larger one). */
function expectCertificate(cost: ups.Tensor, options: { maximize?: boolean } = {}): void {
  const [rows, columns] = cost.shape;
  const found = ups.linearSumAssignment(cost, { ...options, duals: true });
  const sign = options.maximize ? -1 : 1;
  const c = (cost.data as Float64Array).map((value) => sign * value);
  const u = (found.u!.data as Float64Array).map((value) => sign * value),
    v = (found.v!.data as Float64Array).map((value) => sign * value);
  const largest = c.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const tolerance = 1e-12 * Math.max(rows, columns) * largest;
  let worst = 0;
  for (let i = 0; i < rows; ++i)
    for (let j = 0; j < columns; ++j) worst = Math.max(worst, u[i] + v[j] - c[i * columns + j]);
  expect(worst).toBeLessThanOrEqual(tolerance);
  columnsOf(rows, found).forEach((j, i) => {
    if (j >= 0) expect(Math.abs(u[i] + v[j] - c[i * columns + j])).toBeLessThanOrEqual(tolerance);
    else expect(u[i]).toBe(0);
  });
  const ofLonger = rows > columns ? u : v;
  if (rows !== columns) expect(ofLonger.every((dual) => dual <= tolerance)).toBe(true);
  const total = [...u, ...v].reduce((sum, dual) => sum + dual, 0);
  expect(Math.abs(total - sign * found.cost.item())).toBeLessThanOrEqual(tolerance * Math.max(rows, columns));
}

test.each([
  [1, 1],
  [5, 9],
  [40, 17],
  [64, 64],
  [300, 310],
  [2000, 2000],
])('duals prove the sum of %i x %i', (rows, columns) => {
  const cost = ups.tensor(Float64Array.from(numbers(rows * columns, rows)), { shape: [rows, columns] });
  expectCertificate(cost);
  if (rows < 1000) expectCertificate(cost, { maximize: true });
});

test('a batch is its problems, with a status for each', () => {
  const batch = ups.tensor(Float32Array.from(numbers(5 * 4 * 6)), { shape: [5, 4, 6] });
  (batch.data as Float32Array).fill(Infinity, 24, 30);
  batch.data[50] = NaN;
  const found = ups.linearSumAssignment(batch, { duals: true });
  expect([...(found.status.data as Int32Array)]).toEqual([0, 1, 2, 0, 0]);
  expect([found.rows.shape, found.columns.shape, found.cost.shape]).toEqual([[5, 4], [5, 4], [5]]);
  expect([found.u!.shape, found.v!.shape, found.cost.dtype]).toEqual([[5, 4], [5, 6], 'float64']);
  expect(found.rows.toArray()).toEqual([
    [0, 1, 2, 3],
    [-1, -1, -1, -1],
    [-1, -1, -1, -1],
    [0, 1, 2, 3],
    [0, 1, 2, 3],
  ]);
  for (const b of [0, 3, 4]) {
    const alone = ups.linearSumAssignment(
      ups.tensor((batch.data as Float32Array).subarray(24 * b, 24 * b + 24), { shape: [4, 6] }),
    );
    expect((found.columns.toArray() as number[][])[b]).toEqual(alone.columns.toArray());
    expect(found.cost.data[b]).toBe(alone.cost.item());
  }
});

test('numbers of every kind, as scipy takes them', () => {
  const cost = [
    [4, 1, 3],
    [2, 0, 5],
    [3, 2, 2],
  ];
  for (const dtype of ['float32', 'float64', 'int32', 'int64', 'uint8'] as const) {
    const found = ups.linearSumAssignment(ups.tensor(cost, { dtype }));
    expect([...(found.columns.data as Int32Array)]).toEqual([1, 0, 2]);
    expect(found.cost.item()).toBe(5);
  }
  expect(ups.linearSumAssignment(cost, { maximize: true }).cost.item()).toBe(11);
  expect(ups.linearSumAssignment(ups.zeros([0, 4])).rows.shape).toEqual([0]);
  expect(ups.linearSumAssignment(ups.zeros([3, 0])).cost.item()).toBe(0);
  expect(ups.linearSumAssignment(ups.zeros([2, 3, 0])).rows.shape).toEqual([2, 0]);
});

test('promises: the same, and a rejection for a problem without an answer', async () => {
  const cost = ups.tensor(numbers(30), { dtype: 'float64', shape: [5, 6] });
  const found = await promises.linearSumAssignment(cost);
  expect(found.columns.toArray()).toEqual(ups.linearSumAssignment(cost).columns.toArray());
  await expect(promises.linearSumAssignment([[Infinity]])).rejects.toThrow(ups.ValueError);
  await expect(promises.linearSumAssignment([[NaN]])).rejects.toThrow('invalid numeric entries');
});

test('on the emulated device', () => {
  if (!ups.devices().some(({ name }) => name === 'emulated:0')) return;
  const cost = ups.tensor(Float32Array.from(numbers(3 * 7 * 5)), { shape: [3, 7, 5] });
  const found = ups.linearSumAssignment(cost.to('emulated:0'), { duals: true });
  const expected = ups.linearSumAssignment(cost, { duals: true });
  for (const key of ['rows', 'columns', 'cost', 'status', 'u', 'v'] as const)
    expect(found[key]!.to('cpu').toArray()).toEqual(expected[key]!.toArray());
  expect(thrown(() => ups.linearSumAssignment(ups.tensor([[Infinity]], { device: 'emulated:0' }))).message).toContain(
    'infeasible',
  );
});

test('messages', () => {
  const message = (cost: unknown, options?: ups.AssignmentOptions): string =>
    thrown(() => ups.linearSumAssignment(cost as ups.TensorLike, options)).message;
  expect(message([1, 2])).toBe('linearSumAssignment: cost is [2] (expected [R, C] or [B, R, C])');
  expect(message({ values: [1, 2, 3], rows: [1, 1], columns: [2, 2] })).toBe(
    'linearSumAssignment: values is [3] but rows and columns say 4 costs',
  );
  expect(message({ values: [1], rows: [1], columns: [1, 0] })).toContain('(expected one of each per problem)');
  expect(message({ values: [1], rows: [-1], columns: [1] })).toContain('rows has -1 at position 0');
  expect(message({ values: [1], rows: [2 ** 31 - 1, 1], columns: [0, 0] })).toContain('add up to more than');
  expect(message({ values: [1], offsets: [0, 1] })).toContain('expected values, rows and columns');
  expect(message([[1]], { maximise: true } as ups.AssignmentOptions)).toContain('maximise');
  expect(message([[1]], { duals: 1 } as unknown as ups.AssignmentOptions)).toContain('expected true or false');
});

/** Sizes of a problem; of one that has no costs, the other side may be of any size. */
const costless = fc
  .tuple(fc.boolean(), fc.integer({ min: 0, max: 2 ** 29 }))
  .map(([rows, size]) => (rows ? [size, 0] : [0, size]));
const few = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }));

test('problems without costs take no memory for what has no partner', () => {
  inProcess(({ ups, assert }) => {
    const found = ups.linearSumAssignment({ values: [], rows: [0], columns: [1073741825] });
    assert.deepEqual([...found.cost.data], [0]);
    assert.deepEqual([...found.status.data], [0]);
    assert.deepEqual([found.rows.values.size, found.columns.values.size], [0, 0]);
    const mixed = ups.linearSumAssignment({ values: [2, 1], rows: [2 ** 31 - 2, 1, 0], columns: [0, 2, 2 ** 31 - 3] });
    assert.deepEqual([...mixed.columns.values.data], [1]);
    assert.deepEqual(ups.linearSumAssignment(ups.zeros([2 ** 31 - 1, 0])).rows.shape, [0]);
    assert.deepEqual(ups.linearSumAssignment(ups.zeros([2, 0, 2 ** 30 - 1])).cost.toArray(), [0, 0]);
    assert.equal(ups.matchedLoss({ values: [], rows: [0], columns: [2 ** 31 - 1] }, []).item(), 0);
    assert.equal(ups.counters().blocks, 0);
  });
});

test('problems without costs change nothing for the others', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(few, costless), { maxLength: 4 }), fc.gen(), (sizes, gen) => {
      const values = sizes.flatMap(([r, c]) =>
        Array.from({ length: r * c }, () => gen(fc.integer, { min: 0, max: 9 })),
      );
      const [rows, columns] = [0, 1].map((side) => sizes.map((both) => both[side]));
      fc.pre([rows, columns].every((side) => side.reduce((sum, size) => sum + size, 0) < 2 ** 31));
      const all = ups.linearSumAssignment({ values, rows, columns });
      const kept = sizes.flatMap(([r, c], b) => (r * c > 0 ? [b] : []));
      const some = ups.linearSumAssignment({
        values,
        rows: kept.map((b) => rows[b]),
        columns: kept.map((b) => columns[b]),
      });
      expect(all.columns.values.toArray()).toEqual(some.columns.values.toArray());
      expect(all.rows.values.toArray()).toEqual(some.rows.values.toArray());
      const costs = sizes.map((_, b) => (kept.includes(b) ? some.cost.data[kept.indexOf(b)] : 0));
      expect([...all.cost.data]).toEqual(costs);
      expect(all.status.data.every((status) => status === 0)).toBe(true);
      const pairs = sizes.map(([r, c]) => Math.min(r, c));
      expect([...all.rows.offsets.data]).toEqual([
        0,
        ...pairs.map((_, b) => pairs.slice(0, b + 1).reduce((x, y) => x + y)),
      ]);
    }),
    { numRuns: 200 },
  );
});

test('duals are of every row and column, also of those in problems without costs', () => {
  const { u, v } = ups.linearSumAssignment(
    { values: [4, 1, 3, 2], rows: [3, 2, 0], columns: [0, 2, 2] },
    { duals: true },
  );
  expect(u!.offsets.toArray()).toEqual([0, 3, 5, 5]);
  expect(v!.offsets.toArray()).toEqual([0, 0, 2, 4]);
  expect((u!.values.toArray() as number[]).slice(0, 3)).toEqual([0, 0, 0]);
  expect((v!.values.toArray() as number[]).slice(2)).toEqual([0, 0]);
  expect(
    thrown(() => ups.linearSumAssignment({ values: [], rows: [0], columns: [1073741825] }, { duals: true })),
  ).toMatchObject({ name: 'OutOfMemoryError', operation: 'linearSumAssignment', argument: 'v' });
});

test('no input crashes or goes unnoticed', () => {
  const any = fc.oneof(
    fc.array(fc.oneof(fc.double(), fc.constantFrom(NaN, Infinity, -Infinity)), { maxLength: 12 }),
    fc.anything(),
  );
  const sizes = fc.array(fc.oneof(fc.integer({ min: -1, max: 4 }), fc.integer()), { maxLength: 4 });
  const ragged = fc.record({ values: any, rows: fc.oneof(sizes, any), columns: fc.oneof(sizes, any) });
  fc.assert(
    fc.property(fc.oneof(any, ragged, fc.array(any, { maxLength: 3 })), fc.boolean(), (cost, maximize) => {
      try {
        const found = ups.linearSumAssignment(cost as ups.TensorLike, { maximize });
        expect(found.status).toBeInstanceOf(ups.Tensor);
      } catch (error) {
        if (!(error instanceof ups.UpsilonError)) throw error;
        expect(error.operation).toBe('linearSumAssignment');
      }
    }),
    { numRuns: 1000 },
  );
});

test('answers go where out says', () => {
  const cost = ups.tensor([4, 1, 3, 2, 0, 5, 3, 2, 2, 1, 7, 9], { shape: [2, 2, 3] });
  const expected = ups.linearSumAssignment(cost, { duals: true });
  const [rows, columns] = [ups.tensor(new Int32Array(4), { shape: [2, 2] }), new Int32Array(4)];
  const [total, status, u, v] = [
    new Float64Array(2),
    new Int32Array(2).fill(9),
    new Float64Array(4),
    new Float64Array(6),
  ];
  const found = ups.linearSumAssignment(cost, { duals: true, out: { rows, columns, cost: total, status, u, v } });
  for (const name of ['rows', 'columns', 'cost', 'status', 'u', 'v'] as const) {
    expect(found[name]!.shape).toEqual(expected[name]!.shape);
    expect(found[name]!.data).toEqual(expected[name]!.data);
  }
  expect(found.rows.data.buffer).toBe(rows.data.buffer);
  expect([...columns]).toEqual([...(expected.columns.data as Int32Array)]);
  expect([...total, ...status, ...u, ...v]).toEqual([
    ...(expected.cost.data as Float64Array),
    ...[0, 0],
    ...(expected.u!.data as Float64Array),
    ...(expected.v!.data as Float64Array),
  ]);

  const ragged = new Int32Array(3);
  const costs = { values: [4, 1, 3, 2, 6], rows: [2, 1], columns: [2, 1] };
  const lists = ups.linearSumAssignment(costs, { out: { columns: ragged } });
  expect(lists.columns.values.data).toBe(ragged);
  expect([...ragged]).toEqual([1, 0, 0]);

  const one = new Float64Array(1);
  ups.linearSumAssignment([[3]], { out: { cost: one } });
  expect(one[0]).toBe(3);
});

test('an out that does not fit is refused', () => {
  const cost = ups.tensor(new Float64Array(12), { shape: [2, 2, 3] });
  const into = (out: ups.AssignmentOutputs): unknown => ups.linearSumAssignment(cost, { out });
  for (const [call, error] of [
    [() => into({ rows: new Int32Array(3) }), { name: 'ShapeError', argument: 'out.rows' }],
    [
      () => into({ rows: ups.tensor(new Int32Array(4), { shape: [4, 1] }) }),
      { name: 'ShapeError', argument: 'out.rows' },
    ],
    [() => into({ columns: new Float64Array(4) }), { name: 'DTypeError', argument: 'out.columns' }],
    [() => into({ cost: [0, 0] }), { name: 'ValueError', argument: 'out.cost' }],
    [() => into({ u: new Float64Array(4) }), { name: 'ValueError', argument: 'out.u' }],
    [() => into({ pairs: new Int32Array(4) } as never), { name: 'ValueError', argument: 'pairs' }],
    [() => into(null as never), { name: 'ValueError', argument: 'out' }],
    [() => into({ status: null as never }), { argument: 'out.status' }],
  ] as const)
    expect(thrown(call)).toMatchObject({ operation: 'linearSumAssignment', ...error });
  const shared = new Int32Array(4);
  expect(thrown(() => into({ rows: shared, columns: shared }))).toMatchObject({ operation: 'linearSumAssignment' });
});
