// Features of pairs of particles: PyTorch's results and gradients (tools/golden), conventions, and
// inputs that do not fit.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, random, thrown } from '../helpers';

type Tensors = Record<string, ups.Tensor>;

const golden = (name: string): Tensors =>
  ups.safetensors.load(readFileSync(join(__dirname, '..', '..', 'test', 'golden', `${name}.safetensors`)));

const list = (tensor: ups.Tensor): number[] => Array.from(tensor.data as Float32Array);

function expectClose(found: ups.Tensor, expected: ups.Tensor): void {
  expect(found.shape).toEqual(expected.shape);
  const values = found.data as Float32Array,
    wanted = expected.data as Float32Array;
  const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  wanted.forEach((value, i) => {
    if (!(Math.abs(values[i] - value) <= 1e-5 * scale)) throw new Error(`[${i}] is ${values[i]}, PyTorch has ${value}`);
  });
}

/** Four-momenta of massive particles, float64. */
function momenta(count: number, seed: number): ups.Tensor {
  const p = list(random([count, 3], seed));
  const rows = Array.from({ length: count }, (_, i) => p.slice(3 * i, 3 * i + 3));
  return ups.tensor(Float64Array.from(rows.flatMap((row) => [...row, Math.hypot(0.2, ...row)])), { shape: [count, 4] });
}

const offsets = Int32Array.of(0, 2, 2, 5);

describe('pairFeatures', () => {
  test("are weaver's, and so are their gradients", () => {
    const tensors = golden('pair-features');
    const p4 = ups.tensor(tensors['momenta'], { requiresGrad: true });
    const { values } = ups.pairFeatures({ values: p4, offsets: tensors['offsets'] });
    expectClose(values, tensors['y']);
    values.backward(tensors['dy']);
    expectClose(p4.grad!, tensors['dmomenta']);
  });

  test('have the gradient that differences have', () => {
    const p4 = momenta(5, 1);
    checkGradients([p4], () => ups.pairFeatures({ values: p4, offsets }).values);
  });

  test('come as a list of pairs for each event, also into memory that is there', () => {
    const p4 = momenta(5, 2);
    const found = ups.pairFeatures({ values: p4, offsets });
    expect(list(found.offsets)).toEqual([0, 4, 4, 13]);
    expect(found.values.shape).toEqual([13, 4]);
    const out = new Float64Array(52);
    const again = ups.pairFeatures({ values: p4, offsets }, { out: ups.tensor(out, { shape: [13, 4] }) });
    expect(Array.from(out)).toEqual(list(found.values));
    expect(again.length).toBe(3);
  });

  test('are symmetric, finite, and at their least where a particle meets itself', () => {
    const eps = 1e-6;
    const { values } = ups.pairFeatures({ values: momenta(3, 3), offsets: Int32Array.of(0, 3) }, { eps });
    const rows = list(values);
    for (let i = 0; i < 3; ++i)
      for (let j = 0; j < 3; ++j)
        for (let c = 0; c < 4; ++c) expect(rows[(3 * i + j) * 4 + c]).toBeCloseTo(rows[(3 * j + i) * 4 + c], 12);
    expect(rows[0]).toBeCloseTo(Math.log(Math.fround(eps)), 12);
    expect(rows[1]).toBeCloseTo(Math.log(0.5), 12);
    expect(rows[2]).toBeCloseTo(Math.log(Math.fround(eps)), 12);
    expect(rows[3]).toBeCloseTo(Math.log(4 * 0.04), 8);
  });

  test('promised', async () => {
    const p4 = momenta(5, 4);
    const found = await promises.pairFeatures({ values: p4, offsets });
    expect(list(found.values)).toEqual(list(ups.pairFeatures({ values: p4, offsets }).values));
  });

  test('refuse what does not fit', () => {
    const values = ups.zeros([5, 4]);
    expect(thrown(() => ups.pairFeatures({ values: ups.zeros([5, 3]), offsets }))).toMatchObject({
      code: 'ERR_UPSILON_SHAPE',
      message: 'pairFeatures: momenta is [5, 3] (expected momenta [N, 4])',
    });
    expect(thrown(() => ups.pairFeatures({ values, offsets: Int32Array.of(0, 6) }))).toBeInstanceOf(ups.ValueError);
    expect(thrown(() => ups.pairFeatures({ values, offsets: Int32Array.of(3, 1) }))).toBeInstanceOf(ups.ValueError);
    for (const eps of [0, -1, NaN, 1e-60, '1'])
      expect(thrown(() => ups.pairFeatures({ values, offsets }, { eps: eps as number }))).toBeInstanceOf(
        ups.ValueError,
      );
    expect(thrown(() => ups.pairFeatures({ values, offsets }, { out: ups.zeros([12, 4]) }))).toBeInstanceOf(
      ups.ShapeError,
    );
    expect(thrown(() => ups.pairFeatures({ values, offsets }, { out: ups.zeros([52]) }))).toBeInstanceOf(
      ups.ShapeError,
    );
    expect(thrown(() => ups.pairFeatures({ values, offsets }, { least: 1 } as never))).toBeInstanceOf(ups.ValueError);
    (values.data as Float32Array)[7] = NaN;
    expect(thrown(() => ups.pairFeatures({ values, offsets }))).toBeInstanceOf(ups.ValueError);
  });

  test('give finite numbers or an error of the library', () => {
    const cell = fc.oneof(fc.float(), fc.constantFrom(0, -0, 1e30, -1e30, NaN, Infinity));
    fc.assert(
      fc.property(
        fc.array(cell, { maxLength: 24 }),
        fc.array(fc.integer({ min: -1, max: 7 }), { maxLength: 5 }),
        (p, o) => {
          try {
            const p4 = ups.tensor(Float32Array.from(p), { shape: [p.length / 4, 4], requiresGrad: true });
            const { values } = ups.pairFeatures({ values: p4, offsets: Int32Array.from(o) });
            expect(list(values).every(Number.isFinite)).toBe(true);
            values.backward(ups.zeros(values.shape));
            expect(p4.grad!.shape).toEqual(p4.shape);
          } catch (error) {
            if (!(error instanceof ups.UpsilonError)) throw error;
          }
        },
      ),
    );
  });
});
