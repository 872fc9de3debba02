// Whatever JavaScript does while a call is under way, the call ends with what was asked for or with
// a typed error.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as arrow from 'apache-arrow';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { collectGarbage, random } from '../helpers';
import { inProcess } from '../runner/process';

type Transferable = ArrayBuffer & { transfer?(bytes?: number): ArrayBuffer; resize(bytes: number): void };
const growable = (bytes: number): Transferable =>
  new (ArrayBuffer as unknown as new (bytes: number, options: object) => Transferable)(bytes, { maxByteLength: bytes });

/** A call that keeps the queue busy, so that what is made after it has not begun. */
function busy(): Promise<unknown> {
  const x = ups.zeros([2048, 512]);
  return promises.linear(x, ups.zeros([512, 512]));
}

const width = 64;
const values = (): Float32Array => Float32Array.from({ length: 8 * width }, (_, i) => (i % 13) - 6);
const weight = (): Float32Array => Float32Array.from({ length: width * width }, (_, i) => ((i * 7) % 11) - 5);
const expected = ups.linear(
  ups.tensor(values(), { shape: [8, width] }),
  ups.tensor(weight(), { shape: [width, width] }),
);

const disturbances: Record<string, (buffer: Transferable) => unknown> = {
  transferred: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
  shrunk: (buffer) => buffer.resize(4),
  overwritten: (buffer) => new Float32Array(buffer).fill(7),
};
if ('transfer' in ArrayBuffer.prototype) {
  disturbances['moved by transfer()'] = (buffer) => buffer.transfer!();
  disturbances['moved and shrunk by transfer()'] = (buffer) => buffer.transfer!(4);
}

test.each(Object.entries(disturbances))('inputs that are %s meanwhile', async (_, disturb) => {
  const running = busy();
  const buffers = [growable(8 * width * 4), growable(width * width * 4)];
  new Float32Array(buffers[0]).set(values());
  new Float32Array(buffers[1]).set(weight());
  const result = promises.linear(
    ups.tensor(new Float32Array(buffers[0]), { shape: [8, width] }),
    ups.tensor(new Float32Array(buffers[1]), { shape: [width, width] }),
  );
  buffers.forEach(disturb);
  await collectGarbage();
  expect((await result).data).toEqual(expected.data);
  await running;
});

test.each(Object.entries(disturbances))('an out that is %s meanwhile', async (name, disturb) => {
  const running = busy();
  const buffer = growable(8 * width * 4);
  const out = ups.tensor(new Float32Array(buffer), { shape: [8, width] });
  const call = promises.linear(
    ups.tensor(values(), { shape: [8, width] }),
    ups.tensor(weight(), { shape: [width, width] }),
    { out },
  );
  const outcome = call.then(
    (result) => [...result.data],
    (error: ups.UpsilonError) => error,
  );
  disturb(buffer);
  await collectGarbage();
  if (name === 'overwritten') {
    expect(await outcome).toEqual([...expected.data]);
  } else {
    expect(await outcome).toMatchObject({
      name: 'ValueError',
      operation: 'linear',
      argument: 'out',
      message: expect.stringContaining('out was detached or shrunk while the call was under way'),
    });
  }
  await running;
});

test('inputs and results that nobody holds', async () => {
  const calls = Array.from({ length: 50 }, () =>
    promises.linear(ups.tensor(values(), { shape: [8, width] }), ups.tensor(weight(), { shape: [width, width] })),
  );
  await collectGarbage();
  for (const result of await Promise.all(calls)) expect(result.data).toEqual(expected.data);
});

test('blocks that are disposed of meanwhile', async () => {
  const running = busy();
  const x = ups.linear(ups.zeros([1024, width]), ups.zeros([width, width]), { bias: new Float32Array(width).fill(1) });
  const result = promises.setPool({ values: x, offsets: [0, 1024] }, 'sum');
  x.dispose();
  await collectGarbage();
  expect((await result).data[0]).toBe(1024);
  await running;
});

test('a mapped file is not copied, and stays mapped as long as a call needs it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'upsilon-'));
  const file = join(folder, 'x.arrow');
  const table = ups.arrow.table({ x: ups.tensor(new Float32Array(1 << 20).fill(1), { shape: [1 << 14, 64] }) });
  writeFileSync(file, arrow.tableToIPC(table, 'file'));
  const running = busy();
  const result = promises.setPool(
    { values: ups.tensor(ups.arrow.open(file).getChild('x')!), offsets: [0, 1 << 14] },
    'sum',
  );
  await collectGarbage();
  expect((await result).data[0]).toBe(1 << 14);
  await running;
  rmSync(folder, { recursive: true });
});

test('a call sees the out of an earlier one, without waiting', async () => {
  const identity = ups.tensor([
    [1, 0],
    [0, 1],
  ]);
  const memory = new Float32Array(8);
  const out = ups.tensor(memory.subarray(0, 4), { shape: [2, 2] });
  const running = busy();
  const first = promises.linear(
    [
      [1, 2],
      [3, 4],
    ],
    identity,
    { out },
  );
  // The second row of out, and two numbers behind it.
  const second = promises.linear(ups.tensor(memory.subarray(2, 6), { shape: [2, 2] }), identity);
  const third = promises.linear(out, identity, { bias: [10, 10] });
  expect([...memory]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  expect((await second).toArray()).toEqual([
    [3, 4],
    [0, 0],
  ]);
  expect((await third).toArray()).toEqual([
    [11, 12],
    [13, 14],
  ]);
  expect(await first).toBe(out);
  expect([...memory]).toEqual([1, 2, 3, 4, 0, 0, 0, 0]);
  await running;
});

test('a call whose predecessor failed sees what was there before', async () => {
  const out = ups.tensor([[5]]);
  const first = promises.linear([[1]], [[NaN, 1]], { out });
  const second = promises.linear(out, [[2]]);
  await expect(first).rejects.toBeInstanceOf(ups.ShapeError);
  expect((await second).item()).toBe(10);
});

test('an out that is also an input is refused, as in synchronous calls', async () => {
  const x = random([4, 4], 1, 'float32');
  await expect(promises.linear(x, ups.zeros([4, 4]), { out: x })).rejects.toMatchObject({
    name: 'ValueError',
    argument: 'out',
    message: 'linear: out shares memory with x (expected memory of its own)',
  });
});

test('edges of a tree are there at once, whoever asks first', async () => {
  const tree = ups.tree({ mother: [-1, 0, 0], offsets: [0, 3] });
  const later = promises.spmm(tree, [[1], [10], [100]]);
  expect(ups.spmm(tree, [[1], [10], [100]]).toArray()).toEqual([[110], [1], [1]]);
  expect((await later).toArray()).toEqual([[110], [1], [1]]);
});

test('shared memory is used where it is', async () => {
  const shared = new Float32Array(new SharedArrayBuffer(8 * width * 4));
  shared.set(values());
  const out = ups.tensor(new Float32Array(new SharedArrayBuffer(8 * width * 4)), { shape: [8, width] });
  await promises.linear(ups.tensor(shared, { shape: [8, width] }), ups.tensor(weight(), { shape: [width, width] }), {
    out,
  });
  expect([...out.data]).toEqual([...expected.data]);
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('a core is left to the event loop, unless the number of threads was set', () => {
  inProcess(async ({ ups, promises, assert }) => {
    const { promises: files, readdirSync } = require('node:fs') as typeof import('node:fs');
    const threads = (): number => readdirSync('/proc/self/task').length;
    const call = (): Promise<unknown> => promises.linear(ups.zeros([1024, 256]), ups.zeros([256, 256]));
    await Promise.all(Array.from({ length: 8 }, () => files.stat('.'))); // starts libuv's threads
    const before = threads();
    await call();
    // One of those that work is libuv's own.
    const cores = ups.devices()[0].threads!;
    assert.equal(threads() - before, Math.max(cores - 1, 1) - 1);
    ups.setThreads(5);
    await call();
    assert.equal(threads() - before, 4);
  });
});
