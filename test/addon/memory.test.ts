import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { random, thrown } from '../helpers';
import { inProcess } from '../runner/process';

const weight = ups.tensor(new Float32Array(64 * 64).fill(0.5), { shape: [64, 64] });
const large = (): ups.Tensor => ups.tensor(new Float32Array(1024 * 64).fill(1), { shape: [1024, 64] });

test('large results are in aligned native blocks, and end with the garbage collector', () => {
  inProcess(async ({ ups, assert, addressOf, until }) => {
    const x = ups.tensor(new Float32Array(1024 * 64).fill(1), { shape: [1024, 64] });
    const weight = ups.tensor(new Float32Array(64 * 64).fill(0.5), { shape: [64, 64] });
    (() => {
      const result = ups.linear(x, weight);
      assert.equal(addressOf(result.data) % 64n, 0n);
      assert.deepEqual(ups.counters(), { blocks: 1, blockBytes: 4 * 1024 * 64, arrowExports: 0, arrowImports: 0 });
    })();
    await until(() => ups.counters().blocks === 0, ups.counters);
  });
});

test('dispose frees at once', () => {
  inProcess(({ ups, assert }) => {
    const result = ups.zeros([1024, 64]);
    const { data } = result;
    assert.equal(ups.counters().blocks, 1);
    result.dispose();
    result.dispose();
    assert.deepEqual(ups.counters(), { blocks: 0, blockBytes: 0, arrowExports: 0, arrowImports: 0 });
    assert.equal(data.length, 0);
  });
});

test('what was disposed of refuses to be used', () => {
  const result = ups.linear(large(), weight);
  const data = result.data,
    shared = result.reshape([64, 1024]);
  result.dispose();
  result.dispose();
  expect(data.length).toBe(0);
  expect(thrown(() => result.data)).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.linear(result, weight)).message).toContain('disposed');
  expect(thrown(() => ups.linear(shared, weight))).toBeInstanceOf(ups.UpsilonError);
  expect(thrown(() => ups.linear(data as Float32Array, weight))).toBeInstanceOf(ups.UpsilonError);
});

test('blocks of a long synchronous loop do not pile up', () => {
  inProcess(({ ups, assert }) => {
    const x = ups.tensor(new Float32Array(65536 * 64), { shape: [65536, 64] });
    const weight = ups.tensor(new Float32Array(64 * 64), { shape: [64, 64] });
    for (let i = 0; i < 24; ++i) ups.linear(x, weight);
    assert.ok(ups.counters().blockBytes <= 256 * 2 ** 20);
  });
});

test('memory that was disposed of is used again in the same turn', () => {
  inProcess(({ ups, assert, addressOf }) => {
    const x = ups.tensor(new Float32Array(60000 * 64).fill(1), { shape: [60000, 64] });
    const weight = ups.tensor(new Float32Array(64 * 64).fill(0.5), { shape: [64, 64] });
    const addresses = new Set<bigint>();
    for (let i = 0; i < 64; ++i) {
      const result = ups.linear(x, weight);
      assert.equal(result.data[60000 * 64 - 1], 32);
      addresses.add(addressOf(result.data));
      const { data } = result;
      result.dispose();
      assert.equal(data.length, 0);
    }
    assert.ok(addresses.size <= 2);
    assert.equal(ups.counters().blocks, 0);
  });
});

const nowhere: Record<string, [() => unknown, string, string]> = {
  linear: [() => ups.linear(ups.zeros([2 ** 33, 0]), ups.zeros([4, 0])), 'linear', 'out'],
  mlp: [() => ups.mlp(ups.zeros([2 ** 33, 0]), [{ weight: ups.zeros([4, 0]) }]), 'mlp', 'out'],
  conv2d: [() => ups.conv2d(ups.zeros([2 ** 20, 0, 100, 100]), ups.zeros([3, 0, 1, 1])), 'conv2d', 'out'],
  setPool: [() => ups.setPool({ values: ups.zeros([0, 2 ** 33]), offsets: [0, 0] }, 'sum'), 'setPool', 'out'],
  matchedLoss: [() => ups.matchedLoss({ values: [], rows: [1073741825], columns: [0] }, []), 'matchedLoss', 'rows'],
  zeros: [() => ups.zeros([2 ** 40]), 'zeros', 'shape'],
  'zeros beyond exact numbers': [() => ups.zeros([2 ** 53 - 1, 2 ** 53 - 1, 2 ** 53 - 1]), 'zeros', 'shape'],
  'random.normal': [() => ups.random.normal([2 ** 40], { seed: 1 }), 'random.normal', 'shape'],
};

test.each(Object.entries(nowhere))('%s: a result that finds no memory names the operation', (_, [call, ...names]) => {
  const [operation, argument] = names;
  const error = thrown(call);
  expect(error).toMatchObject({ name: 'OutOfMemoryError', operation, argument });
  expect(error.message).toMatch(`${operation}: could not allocate memory for ${argument}: `);
});

test('results of any size that no machine has', async () => {
  const extent = fc.integer({ min: 2 ** 31, max: 2 ** 52 });
  await fc.assert(
    fc.asyncProperty(extent, fc.integer({ min: 1, max: 2 ** 20 }), async (rows, outputs) => {
      const [x, there] = [ups.zeros([rows, 0]), ups.zeros([outputs, 0])];
      const named = { name: 'OutOfMemoryError', operation: 'linear', argument: 'out' };
      expect(thrown(() => ups.linear(x, there))).toMatchObject(named);
      await expect(promises.linear(x, there)).rejects.toMatchObject(named);
    }),
  );
});

test('detached and resized arrays are errors', () => {
  const array = new Float32Array(64);
  const x = ups.tensor(array, { shape: [1, 64] });
  structuredClone(array.buffer, { transfer: [array.buffer] });
  expect(thrown(() => ups.linear(x, weight)).message).toContain('detached');
  const buffer = new (
    ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer & { resize(bytes: number): void }
  )(256, { maxByteLength: 512 });
  const shrinking = ups.tensor(new Float32Array(buffer), { shape: [1, 64] });
  expect(ups.linear(shrinking, weight).shape).toEqual([1, 64]);
  buffer.resize(128);
  expect(thrown(() => ups.linear(shrinking, weight))).toBeInstanceOf(ups.ValueError);
  const out = new Float32Array(64);
  const kept = ups.tensor(out, { shape: [1, 64] });
  structuredClone(out.buffer, { transfer: [out.buffer] });
  expect(thrown(() => ups.linear(random([1, 64], 1, 'float32'), weight, { out: kept }))).toBeInstanceOf(ups.ValueError);
});

test('shared memory works', () => {
  const shared = new Float32Array(new SharedArrayBuffer(4 * 64)).fill(1);
  expect(ups.linear(ups.tensor(shared, { shape: [1, 64] }), weight).data[0]).toBe(32);
});

test('out is written to, and may not overlap the input', () => {
  const out = new Float32Array(64),
    x = random([1, 64], 3, 'float32');
  const kept = ups.tensor(out, { shape: [1, 64] });
  expect(ups.linear(x, weight, { out: kept })).toBe(kept);
  expect(out.some((value) => value !== 0)).toBe(true);
  expect(thrown(() => ups.linear(x, weight, { out: x })).message).toContain('shares memory');
  expect(thrown(() => ups.linear(x, weight, { out: [1, 2] })).message).toContain('out');
});

test('tensors on a device that is not there', () => {
  expect(thrown(() => ups.tensor([1], { device: 'cuda:99' }))).toBeInstanceOf(ups.DeviceError);
  expect(thrown(() => ups.tensor([1], { device: 'tpu' })).message).toContain('cuda:0');
  expect(thrown(() => ups.setThreads(0))).toBeInstanceOf(ups.ValueError);
});

test('promises tell where they were made', async () => {
  const x = ups.tensor(new Float32Array(4096 * 512).fill(1), { shape: [4096, 512] });
  const square = ups.tensor(new Float32Array(512 * 512).fill(1e-3), { shape: [512, 512] });
  const [first] = await Promise.all(Array.from({ length: 4 }, () => promises.linear(x, square)));
  expect(first.data[0]).toBeCloseTo(0.512);
  async function caller(): Promise<unknown> {
    return promises.linear(x, [[1]]);
  }
  const error: ups.UpsilonError = await caller().then(
    () => {
      throw new Error('resolved');
    },
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(ups.ShapeError);
  expect(error.message).toContain('linear: weight is [1, 1]');
  expect(error.stack).toContain('caller');
  await expect(promises.linear(null as never, square)).rejects.toBeInstanceOf(ups.ValueError);
});

test('promises give what synchronous calls give', async () => {
  const x = random([5, 3], 5, 'float32'),
    layer = { weight: random([3, 3], 6, 'float32'), activation: 'tanh' as const };
  const layers = Array.from({ length: 9 }, () => layer);
  expect((await promises.mlp(x, layers)).data).toEqual(ups.mlp(x, layers).data);
  const y = await promises.random.normal([100], { seed: 3 });
  expect(y.data).toEqual(ups.random.normal([100], { seed: 3 }).data);
});

test('a timer keeps firing during an operation', async () => {
  const square = ups.zeros([512, 512]);
  for (let rows = 2048; ; rows *= 2) {
    const x = ups.zeros([rows, 512]);
    let fired = 0;
    const timer = setInterval(() => ++fired, 1);
    await promises.linear(x, square);
    clearInterval(timer);
    if (fired > 3) return;
    // How soon a timer fires is up to a busy machine, so a longer operation is given to it; of one
    // that blocks the event loop no length would do.
    expect(rows).toBeLessThan(2 ** 16);
  }
});

test('counters return to zero', () => {
  inProcess(async ({ ups, promises, until }) => {
    const x = ups.tensor(new Float32Array(1024 * 64).fill(1), { shape: [1024, 64] });
    const weight = ups.tensor(new Float32Array(64 * 64).fill(0.5), { shape: [64, 64] });
    await (async () => {
      for (let i = 0; i < 20; ++i) {
        const result = ups.linear(x, weight);
        await promises.setPool({ values: result, offsets: [0, 1024] }, 'mean');
        result.toArrow();
      }
    })();
    await until(() => Object.values(ups.counters()).every((count) => count === 0), ups.counters);
  });
});
