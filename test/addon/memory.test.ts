import * as ups from 'upsilon-kernels';
import { native } from 'upsilon-kernels/internal/runtime/native';
import * as promises from 'upsilon-kernels/promises';

import { collectGarbage, random, thrown } from '../helpers';

const weight = ups.tensor(new Float32Array(64 * 64).fill(0.5), { shape: [64, 64] });
const large = (): ups.Tensor => ups.tensor(new Float32Array(1024 * 64).fill(1), { shape: [1024, 64] });

test('large results are in aligned native blocks, and end with the garbage collector', async () => {
  await collectGarbage();
  const before = ups.counters().blocks;
  (() => {
    const result = ups.linear(large(), weight);
    expect(native.addressOf(result.data) % 64n).toBe(0n);
    expect(ups.counters().blocks).toBe(before + 1);
  })();
  await collectGarbage();
  expect(ups.counters()).toMatchObject({ blocks: before });
});

test('dispose frees at once, and what is left refuses to be used', async () => {
  await collectGarbage();
  const before = ups.counters().blocks;
  const result = ups.linear(large(), weight);
  const data = result.data,
    shared = result.reshape([64, 1024]);
  result.dispose();
  result.dispose();
  await new Promise((resolve) => setImmediate(resolve));
  await collectGarbage();
  expect(ups.counters().blocks).toBe(before);
  expect(data.length).toBe(0);
  expect(thrown(() => result.data)).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.linear(result, weight)).message).toContain('disposed');
  expect(thrown(() => ups.linear(shared, weight))).toBeInstanceOf(ups.UpsilonError);
  expect(thrown(() => ups.linear(data as Float32Array, weight))).toBeInstanceOf(ups.UpsilonError);
});

test('blocks of a long synchronous loop do not pile up', () => {
  const x = ups.tensor(new Float32Array(65536 * 64), { shape: [65536, 64] });
  const before = ups.counters().blockBytes;
  for (let i = 0; i < 24; ++i) ups.linear(x, weight);
  expect(ups.counters().blockBytes - before).toBeLessThanOrEqual(256 * 2 ** 20);
});

test('memory that was disposed of is used again in the same turn', async () => {
  await collectGarbage();
  const x = ups.tensor(new Float32Array(60000 * 64).fill(1), { shape: [60000, 64] });
  const before = ups.counters().blocks;
  const addresses = new Set<bigint>();
  for (let i = 0; i < 64; ++i) {
    const result = ups.linear(x, weight);
    expect(result.data[60000 * 64 - 1]).toBe(32);
    addresses.add(native.addressOf(result.data));
    const { data } = result;
    result.dispose();
    expect(data.length).toBe(0);
  }
  expect(addresses.size).toBeLessThanOrEqual(2);
  expect(ups.counters().blocks).toBeLessThanOrEqual(before);
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

test('promises keep the event loop running, in order, and tell where they were made', async () => {
  const x = ups.tensor(new Float32Array(4096 * 512).fill(1), { shape: [4096, 512] });
  const square = ups.tensor(new Float32Array(512 * 512).fill(1e-3), { shape: [512, 512] });
  let turns = 0;
  const timer = setInterval(() => {
    ++turns;
  }, 1);
  const calls = Array.from({ length: 4 }, () => promises.linear(x, square));
  const [first] = await Promise.all(calls);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(1);
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

test('a timer keeps firing during an operation of half a second', async () => {
  const x = ups.zeros([8192, 512]);
  const square = ups.zeros([512, 512]);
  // As many layers as take long enough on this machine, in one promise.
  const start = performance.now();
  ups.linear(x, square);
  const layers = Math.min(Math.max(Math.ceil(500 / (performance.now() - start)), 2), 60);
  let latest = performance.now();
  let longest = 0;
  let fired = 0;
  const timer = setInterval(() => {
    ++fired;
    longest = Math.max(longest, performance.now() - latest);
    latest = performance.now();
  }, 5);
  const begin = performance.now();
  const call = promises.mlp(
    x,
    Array.from({ length: layers }, () => ({ weight: square })),
  );
  const submitted = performance.now() - begin;
  await call;
  const took = performance.now() - begin;
  clearInterval(timer);
  // No more than that the loop was free: how soon a timer fires is up to the machine.
  expect(submitted).toBeLessThan(took / 2);
  expect(fired).toBeGreaterThan(3);
  expect(longest).toBeLessThan(took);
});

test('counters return to zero', async () => {
  await (async () => {
    for (let i = 0; i < 20; ++i) {
      const result = ups.linear(large(), weight);
      await promises.setPool({ values: result, offsets: [0, 1024] }, 'mean');
      result.toArrow();
    }
  })();
  await collectGarbage();
  expect(ups.counters()).toEqual({ blocks: 0, blockBytes: 0, arrowExports: 0, arrowImports: 0 });
});
