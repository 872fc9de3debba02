// Pooling beside PyTorch's (tools/golden/pool.py), by hand, and input that is bad.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, random, thrown } from '../helpers';

const file = join(__dirname, '..', '..', 'test', 'golden', 'pool.safetensors');
// Bytes, not a mapped file: it lives as long as this module, and other tests of the process count
// what is mapped.
const tensors = ups.safetensors.load(readFileSync(file));
type Name = 'avgPool1d' | 'avgPool2d' | 'avgPool3d' | 'maxPool1d' | 'maxPool2d' | 'maxPool3d';
interface Called {
  function: Name;
  kernel: number | number[];
  options: object;
}
const cases = JSON.parse(ups.safetensors.metadata(file)['title']) as Called[];

function expectClose(found: ups.Tensor, expected: ups.Tensor): void {
  expect(found.shape).toEqual(expected.shape);
  (found.data as Float32Array).forEach((value, i) => expect(value).toBeCloseTo(Number(expected.data[i]), 5));
}

test.each(cases.map((called, number) => [number, called.function, called] as const))(
  "case %i, %s, is PyTorch's: %p",
  (number, name, { kernel, options }) => {
    const x = ups.tensor(tensors[`${number}.x`], { requiresGrad: true });
    const y = ups[name](x, kernel, options);
    expectClose(y, tensors[`${number}.y`]);
    y.backward(tensors[`${number}.dy`]);
    expectClose(x.grad!, tensors[`${number}.dx`]);
  },
);

test('globalPool is the pool over all places', async () => {
  const x = random([2, 3, 4, 5], 1);
  const rows = x.reshape([6, 20]).toArray() as number[][];
  const by = {
    sum: (row: number[]) => row.reduce((sum, value) => sum + value, 0),
    mean: (row: number[]) => row.reduce((sum, value) => sum + value, 0) / 20,
    max: (row: number[]) => Math.max(...row),
    min: (row: number[]) => Math.min(...row),
  };
  for (const [kind, pool] of Object.entries(by)) {
    const y = ups.globalPool(x, kind as keyof typeof by);
    expect(y.shape).toEqual([2, 3]);
    (y.data as Float64Array).forEach((value, i) => expect(value).toBeCloseTo(pool(rows[i]), 12));
    checkGradients([x], () => ups.globalPool(x, kind as keyof typeof by));
    const later = await promises.globalPool(x, kind as keyof typeof by);
    expect(later.toArray()).toEqual(y.toArray());
  }
  const out = ups.zeros([2, 3], { dtype: 'float64' });
  ups.globalPool(x.detach(), 'max', { out });
  expect(out.toArray()).toEqual(ups.globalPool(x, 'max').toArray());
});

test('NaN is the largest, ties go to the first, windows outside give 0', () => {
  const x = ups.tensor([[[1, NaN, 3, 3, 2]]], { requiresGrad: true });
  const y = ups.maxPool1d(x, 2, { stride: 1 });
  expect(y.toArray()).toEqual([[[NaN, NaN, 3, 3]]]);
  y.backward([[[1, 10, 100, 1000]]]);
  expect(x.grad!.toArray()).toEqual([[[0, 11, 100, 1000, 0]]]);
  expect(ups.globalPool(ups.zeros([2, 1, 0]), 'max').toArray()).toEqual([[0], [0]]);
});

test('bad input', () => {
  const x = ups.zeros([1, 2, 6]);
  const bad = (call: () => unknown): ups.UpsilonError => thrown(call);
  expect(bad(() => ups.avgPool1d(ups.zeros([2, 6]), 2)).message).toBe(
    'avgPool1d: x is [2, 6] (expected 3 dimensions: samples, channels and 1 more)',
  );
  expect(bad(() => ups.maxPool1d(x, 7))).toMatchObject({ name: 'ShapeError', operation: 'maxPool1d', argument: 'x' });
  expect(bad(() => ups.maxPool1d(x, 2, { padding: 2 }))).toMatchObject({ name: 'ValueError', argument: 'padding' });
  expect(bad(() => ups.maxPool1d(x, 2, { countIncludePad: true } as never)).message).toContain('countIncludePad');
  expect(bad(() => ups.globalPool(x, 'most' as never))).toMatchObject({ name: 'ValueError', argument: 'pool' });
  expect(bad(() => ups.globalPool(x, 'max', { out: ups.zeros([2, 1]) }))).toMatchObject({ argument: 'out' });
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (value, option) => {
      for (const call of [
        () => ups.maxPool1d(value as never, 2),
        () => ups.maxPool1d(x, value as never, { stride: option as never }),
        () => ups.avgPool1d(x, 2, { padding: value as never, ceilMode: option as never }),
        () => ups.globalPool(x, value as never, option as never),
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
