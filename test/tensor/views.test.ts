// Views on memory of every kind, and views on views: the same elements at the same place, whoever
// looks.
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { random, thrown } from '../helpers';

const { rowsOf } = require('upsilon-kernels/internal/tensor/views') as {
  rowsOf(whole: ups.Tensor, begin: number, end: number): ups.Tensor;
};
const { joined, shareStorage } = require('upsilon-kernels/internal/runtime/view') as {
  joined(parts: readonly unknown[]): { array: Float32Array } | undefined;
  shareStorage(one: unknown, other: unknown): boolean;
};
const memoryOf = (tensor: ups.Tensor): unknown => (tensor as any)._memory;
const kindOf = (tensor: ups.Tensor): number => (tensor as any)._memory.kind;
const [ARRAY, SHARED, BLOCK] = [1, 2, 3];

const emulated = 'emulated:0';
const present = ups.devices().some(({ name }) => name === emulated);
const devices = present ? ['cpu', emulated] : ['cpu'];

/** 0, 1, 2... in memory of one kind. */
function counted(rows: number, columns: number, dtype: ups.DType): ups.Tensor {
  const values = Array.from({ length: rows * columns }, (_, i) => i % 251);
  return ups.tensor(values, { dtype, shape: [rows, columns] });
}

const kinds: [string, number, (dtype: ups.DType) => ups.Tensor][] = [
  ['an array', ARRAY, (dtype) => counted(12, 5, dtype)],
  [
    'a part of an array',
    ARRAY,
    (dtype) => {
      const all = counted(20, 5, dtype).data;
      return ups.tensor(all.subarray(15, 75), { shape: [12, 5] });
    },
  ],
  [
    'shared memory',
    SHARED,
    (dtype) => {
      const plain = counted(12, 5, dtype).data as Float32Array;
      const Shared = plain.constructor as any;
      const array = new Shared(new SharedArrayBuffer(plain.byteLength + 16), 16, plain.length);
      array.set(plain);
      return ups.tensor(array, { shape: [12, 5] });
    },
  ],
  [
    'a block',
    BLOCK,
    (dtype) => {
      const block = ups.zeros([4096, 5], { dtype });
      (block.data as any).set(counted(4096, 5, dtype).data);
      return block;
    },
  ],
];

describe.each(kinds)('views on %s', (_, kind, make) => {
  test.each(['float32', 'float64', 'int32', 'int64', 'uint8'] as const)('rows of rows of %s', (dtype) => {
    const whole = make(dtype);
    expect(kindOf(whole)).toBe(kind);
    const expected = whole.data.slice(0, 60);
    for (const device of devices) {
      const there = whole.to(device);
      const outer = rowsOf(there, 2, 11),
        inner = rowsOf(outer, 3, 7),
        one = rowsOf(inner, 1, 2).reshape([5]);
      expect(inner.shape).toEqual([4, 5]);
      expect([...inner.to('cpu').data]).toEqual([...expected.slice(25, 45)]);
      expect([...one.to('cpu').data]).toEqual([...expected.slice(30, 35)]);
      expect([...one.detach().reshape([5, 1]).to('cpu').data]).toEqual([...expected.slice(30, 35)]);
      expect(shareStorage(memoryOf(there), memoryOf(one))).toBe(true);
    }
  });

  test('operations read them and write to them', async () => {
    for (const device of devices) {
      const x = make('float32').to(device);
      const part = rowsOf(rowsOf(x, 1, 9), 2, 5);
      const weight = ups.tensor([[1, 0, 0, 0, 0]], { device });
      const firsts = [15, 20, 25].map((at) => Number(x.to('cpu').data[at]));
      expect([...ups.linear(part, weight).to('cpu').data]).toEqual(firsts);
      expect([...(await promises.linear(part, weight)).to('cpu').data]).toEqual(firsts);
      const out = make('float32').to(device);
      for (const api of [ups, promises] as any[]) {
        await api.softmax(part, { out: rowsOf(rowsOf(out, 2, 8), 1, 4) });
        const all = [...out.to('cpu').data].map(Number);
        expect(all.slice(15, 30)).toEqual([...ups.softmax(part).to('cpu').data]);
        expect([...all.slice(0, 15), ...all.slice(30, 60)]).toEqual(
          [...make('float32').data].slice(0, 60).filter((_, i) => i < 15 || i >= 30),
        );
      }
    }
  });
});

test('no rows, and rows of nothing', () => {
  const whole = counted(3, 5, 'float32');
  expect(rowsOf(whole, 2, 2).shape).toEqual([0, 5]);
  expect(rowsOf(whole, 3, 3).data.length).toBe(0);
  expect(rowsOf(ups.zeros([4, 0]), 1, 3).shape).toEqual([2, 0]);
  expect(rowsOf(ups.zeros([0, 4]), 0, 0).shape).toEqual([0, 4]);
});

test('a view stays inside', () => {
  const whole = counted(3, 5, 'float32');
  for (const [begin, end] of [
    [2, 4],
    [-1, 1],
    [3, 4],
  ])
    expect(thrown(() => rowsOf(whole, begin, end)).code).toBe('ERR_UPSILON_INTERNAL');
});

test('views on a disposed block are refused, as itself is', () => {
  for (const device of devices) {
    const whole = ups.zeros([4096, 5], { device });
    const before = rowsOf(whole, 1, 3);
    whole.dispose();
    const after = rowsOf(whole, 1, 3);
    for (const view of [whole, before, after, rowsOf(before, 1, 2), before.reshape([10])])
      expect(thrown(() => ups.softmax(view))).toMatchObject({
        name: 'ValueError',
        operation: 'softmax',
        argument: 'x',
        message: 'softmax: x was disposed of',
      });
  }
});

test('views on a detached array are refused', () => {
  const array = new Float32Array(60);
  const whole = ups.tensor(array, { shape: [12, 5] });
  structuredClone(array.buffer, { transfer: [array.buffer] });
  for (const view of [whole, rowsOf(whole, 2, 4)])
    expect(thrown(() => ups.softmax(view)).message).toContain('has 0 bytes of memory');
});

test.each(devices)('gradients of rows arrive where the rows are on %s', (device) => {
  const whole = ups.tensor(random([6, 3], 1, 'float32'), { device, requiresGrad: true });
  const rows = rowsOf(rowsOf(whole, 1, 5), 1, 3);
  const direction = ups.tensor(
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    { device },
  );
  rows.backward(direction);
  rowsOf(whole, 2, 3).backward(ups.tensor([[10, 20, 30]], { device }));
  expect(whole.grad!.toArray()).toEqual([
    [0, 0, 0],
    [0, 0, 0],
    [11, 22, 33],
    [4, 5, 6],
    [0, 0, 0],
    [0, 0, 0],
  ]);
  // What was handed over is not added to.
  expect(direction.toArray()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
});

test('parts that follow each other are one, others are not', () => {
  for (const whole of [counted(12, 5, 'float32'), ups.zeros([4096, 5])]) {
    const [a, b, c] = [0, 2, 3].map((row) => rowsOf(whole, row, row === 0 ? 2 : row + 1));
    const parts = [a, b, c].map(memoryOf);
    expect(joined(parts)!.array).toEqual(whole.data.slice(0, 20));
    expect(joined([parts[0], parts[2]])).toBeUndefined();
    expect(joined([parts[1], parts[0]])).toBeUndefined();
    expect(joined([parts[0], memoryOf(counted(12, 5, 'float32'))])).toBeUndefined();
    const together = ups.concat([rowsOf(whole, 2, 3), rowsOf(whole, 3, 4)]);
    expect(together.data).toEqual(whole.data.slice(10, 20));
    expect(shareStorage(memoryOf(together), memoryOf(whole))).toBe(true);
  }
});
