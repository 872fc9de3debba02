// Values against the definition and against identities; gradients against central differences. That
// every variant agrees with the float64 reference is the conformance test's business.
import fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import { distanceCorrelation as promised } from 'upsilon-kernels/promises';

import { checkGradients, random } from '../helpers';

type Numbers = readonly number[];

/** The V-statistic by its definition: doubly centred distance matrices. */
function byDefinition(
  x: Numbers,
  y: Numbers,
  weights: Numbers = x.map(() => 1),
): { covariance: number; correlation: number } {
  const total = weights.reduce((a, b) => a + b, 0);
  const p = weights.map((w) => w / total);
  const centred = (z: Numbers): number[][] => {
    const d = z.map((a) => z.map((b) => Math.abs(a - b)));
    const rows = d.map((row) => row.reduce((sum, distance, j) => sum + p[j] * distance, 0));
    const mean = rows.reduce((sum, row, i) => sum + p[i] * row, 0);
    return d.map((row, i) => row.map((distance, j) => distance - rows[i] - rows[j] + mean));
  };
  const a = centred(x),
    b = centred(y);
  const product = (s: number[][], t: number[][]): number =>
    s.reduce((sum, row, i) => sum + p[i] * row.reduce((inner, value, j) => inner + p[j] * value * t[i][j], 0), 0);
  const covariance = product(a, b);
  return { covariance, correlation: covariance / Math.sqrt(product(a, a) * product(b, b)) };
}

/** The same of points. */
function ofPoints(x: readonly Numbers[], y: readonly Numbers[]): number {
  const n = x.length;
  const distances = (z: readonly Numbers[]): number[][] =>
    z.map((a) => z.map((b) => Math.hypot(...a.map((v, c) => v - b[c]))));
  const centred = (d: number[][]): number[][] => {
    const rows = d.map((row) => row.reduce((sum, v) => sum + v, 0) / n);
    const mean = rows.reduce((sum, v) => sum + v, 0) / n;
    return d.map((row, i) => row.map((v, j) => v - rows[i] - rows[j] + mean));
  };
  const a = centred(distances(x)),
    b = centred(distances(y));
  const product = (s: number[][], t: number[][]): number =>
    s.reduce((sum, row, i) => sum + row.reduce((inner, v, j) => inner + v * t[i][j], 0), 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}

const wide = (numbers: Numbers): Float64Array => Float64Array.from(numbers);
const number = fc
  .double({ min: -100, max: 100, noNaN: true, noDefaultInfinity: true })
  .map((v) => Math.round(v * 8) / 8);
const sample = fc.integer({ min: 4, max: 60 }).chain((n) =>
  fc.record({
    x: fc.array(number, { minLength: n, maxLength: n }),
    y: fc.array(number, { minLength: n, maxLength: n }),
    weights: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: n, maxLength: n }),
  }),
);
const differ = (z: readonly unknown[]): boolean => new Set(z).size > 1;

test('equals the definition, with ties and weights', () => {
  fc.assert(
    fc.property(sample, ({ x, y, weights }) => {
      const seen = (z: Numbers): Numbers => z.filter((_, i) => weights[i] > 0);
      fc.pre(differ(x) && differ(y) && differ(seen(x)) && differ(seen(y)));
      const plain = byDefinition(x, y),
        weighted = byDefinition(x, y, weights);
      expect(ups.distanceCorrelation(wide(x), wide(y)).item()).toBeCloseTo(plain.correlation, 9);
      expect(ups.distanceCovariance(wide(x), wide(y)).item() / (1 + plain.covariance)).toBeCloseTo(
        plain.covariance / (1 + plain.covariance),
        9,
      );
      const found = ups.distanceCorrelation(wide(x), wide(y), { weights: wide(weights) }).item();
      expect(found).toBeCloseTo(weighted.correlation, 9);
    }),
  );
});

test('does not change with shifts, scales, order, removal of what has no weight, and duplication for weight', () => {
  fc.assert(
    fc.property(sample, number, fc.integer({ min: 1, max: 9 }), ({ x, y, weights }, shift, scale) => {
      const seen = x.map((_, i) => i).filter((i) => weights[i] > 0);
      fc.pre(differ(seen.map((i) => x[i])) && differ(seen.map((i) => y[i])));
      const value = ups.distanceCorrelation(wide(x), wide(y), { weights: wide(weights) }).item();
      const same = (a: Numbers, b: Numbers, w?: Numbers): void =>
        expect(ups.distanceCorrelation(wide(a), wide(b), w ? { weights: wide(w) } : {}).item()).toBeCloseTo(value, 9);
      same(
        x.map((v) => scale * v + shift),
        y.map((v) => shift - v),
        weights,
      );
      same([...x].reverse(), [...y].reverse(), [...weights].reverse());
      const take = (list: Numbers): Numbers => seen.map((i) => list[i]);
      same(take(x), take(y), take(weights));
      const repeat = (list: Numbers): Numbers => list.flatMap((v, i) => Array<number>(weights[i]).fill(v));
      same(repeat(x), repeat(y));
    }),
  );
});

test('the gradient in x sums to 0, and so does x times it: shifts and scales change nothing', () => {
  fc.assert(
    fc.property(sample, ({ x, y }) => {
      fc.pre(differ(x) && differ(y));
      const z = ups.tensor(wide(x), { requiresGrad: true });
      ups.distanceCorrelation(z, wide(y)).backward();
      const gradient = [...(z.grad!.data as Float64Array)];
      const size = Math.max(...gradient.map(Math.abs), 1e-3);
      expect(gradient.reduce((a, b) => a + b, 0) / size).toBeCloseTo(0, 8);
      expect(gradient.reduce((sum, g, i) => sum + g * x[i], 0) / size / 100).toBeCloseTo(0, 8);
    }),
  );
});

test.each([1, 2, 0.5])('gradients in x, y and weights, power %p', (power) => {
  const x = random([12], 1),
    y = random([12], 2),
    weights = ups.tensor(
      Float64Array.from({ length: 12 }, (_, i) => 0.5 + (i % 4)),
      { requiresGrad: true },
    );
  checkGradients([x, y, weights], () => ups.distanceCorrelation(x, y, { weights, power }));
  checkGradients([x, y, weights], () => ups.distanceCorrelation(x, y, { weights, power, weightSum: 'given' }));
});

test('gradients of the covariance and of the unbiased estimator', () => {
  const x = random([9], 3),
    y = random([9], 4);
  checkGradients([x, y], () => ups.distanceCovariance(x, y));
  checkGradients([x, y], () => ups.distanceCovariance(x, y, { estimator: 'unbiased' }));
  checkGradients([x, y], () => ups.distanceCorrelation(x, y, { estimator: 'unbiased' }));
});

test('gradients of many variables in many sets', () => {
  const x = random([3, 14], 5),
    y = random([14], 6);
  const offsets = Int32Array.of(0, 5, 5, 14);
  checkGradients([x, y], () => ups.distanceCorrelations(x, { values: y, offsets }));
});

test('many variables and sets give what each gives alone', () => {
  const x = ups.random.normal([3, 200], { seed: 1 }),
    y = ups.random.normal([200], { seed: 2 });
  const offsets = [0, 70, 120, 200];
  const all = ups.distanceCorrelations(x, { values: y, offsets }).data;
  for (let k = 0; k < 3; ++k)
    for (let b = 0; b < 3; ++b) {
      const part = (data: ups.Tensor['data'], row: number): Float32Array =>
        (data as Float32Array).slice(row * 200 + offsets[b], row * 200 + offsets[b + 1]);
      expect(all[3 * k + b]).toBe(ups.distanceCorrelation(part(x.data, k), part(y.data, 0)).item());
    }
});

const points = fc.record({ n: fc.integer({ min: 3, max: 40 }), d: fc.integer({ min: 1, max: 4 }) }).chain(({ n, d }) =>
  fc.record({
    x: fc.array(fc.array(number, { minLength: d, maxLength: d }), { minLength: n, maxLength: n }),
    y: fc.array(fc.tuple(number, number), { minLength: n, maxLength: n }),
  }),
);

test('points: equal to the definition, and unmoved by shifts, scales and rotations', () => {
  const matrix = (rows: readonly Numbers[]): ups.Tensor =>
    ups.tensor(wide(rows.flat()), { shape: [rows.length, rows[0].length] });
  fc.assert(
    fc.property(points, fc.double({ min: 0, max: 6, noNaN: true }), ({ x, y }, angle) => {
      fc.pre(differ(x.map(String)) && differ(y.map(String)));
      const value = ups.distanceCorrelation(matrix(x), matrix(y)).item();
      expect(value).toBeCloseTo(ofPoints(x, y), 9);
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const turned = y.map(([a, b]) => [7 * (c * a - s * b) + 3, 7 * (s * a + c * b) - 2]);
      expect(ups.distanceCorrelation(matrix(turned), matrix(x)).item()).toBeCloseTo(value, 8);
    }),
  );
});

test('points of one coordinate are numbers; huge and tiny ones are no trouble', () => {
  const x = ups.random.normal([300], { seed: 5 }),
    y = ups.random.normal([300, 3], { seed: 6 });
  const of = (scale: number): number => {
    const scaled = Float64Array.from(y.data as Float32Array, (v) => v * scale);
    return ups.distanceCorrelation(wide([...(x.data as Float32Array)]), ups.tensor(scaled, { shape: [300, 3] })).item();
  };
  expect(ups.distanceCorrelation(x.reshape([300, 1]), x).item()).toBe(ups.distanceCorrelation(x, x).item());
  for (const scale of [1e-200, 1e200]) expect(of(scale)).toBeCloseTo(of(1), 12);
});

test('gradients of points, in x, y and weights', () => {
  const x = random([10, 3], 7),
    y = random([10, 2], 8),
    z = random([10], 9),
    weights = ups.tensor(Float64Array.from({ length: 10 }, (_, i) => 0.5 + (i % 3)));
  checkGradients([x, y, weights], () => ups.distanceCorrelation(x, y, { weights, power: 2 }));
  checkGradients([x, z, weights], () => ups.distanceCovariance(x, z, { weights, weightSum: 'given' }));
  checkGradients([x, z], () => ups.distanceCorrelation(z, x, { estimator: 'unbiased' }));
});

test('a prepared order of y gives the same bits, step after step; a wrong one is refused', () => {
  const y = ups.random.normal([3000], { seed: 11 });
  const order = ups.argsort(y);
  for (let step = 0; step < 3; ++step) {
    const gradients = [{}, { order }].map((options) => {
      const x = ups.tensor(ups.random.normal([3000], { seed: 12, stream: step }), { requiresGrad: true });
      const value = ups.distanceCorrelation(x, y, options);
      value.backward();
      return [value.item(), ...x.grad!.data];
    });
    expect(gradients[1]).toEqual(gradients[0]);
  }
  const offsets = [0, 1000, 1000, 3000],
    x = ups.random.normal([2, 3000], { seed: 13 });
  const list = { values: y, offsets };
  const inSets = ups.argsort(list).values;
  expect(ups.distanceCorrelations(x, list, { order: inSets }).data).toEqual(ups.distanceCorrelations(x, list).data);
  expect(() => ups.distanceCorrelations(x, list, { order })).toThrow(ups.ValueError);

  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1, max: 6 }), { minLength: 5, maxLength: 5 }), (wrong) => {
      const mass = [5, 1, 3, 3, 0];
      const call = (): number => ups.distanceCorrelation([1, 4, 2, 8, 5], mass, { order: wrong }).item();
      if (String(wrong) === '4,1,2,3,0') expect(call()).toBe(ups.distanceCorrelation([1, 4, 2, 8, 5], mass).item());
      else expect(call).toThrow(ups.ValueError);
    }),
    { examples: [[[4, 1, 2, 3, 0]], [[4, 1, 3, 2, 0]], [[4, 1, 2, 2, 0]], [[4, 4, 4, 4, 4]]] },
  );
  expect(() => ups.distanceCorrelation([1, 2], [3, 1], { order: [0, 1] })).toThrow(
    'distanceCorrelation: order has 0 before 1 at position 1 (expected the stable order of y)',
  );
  expect(() => ups.distanceCorrelation([1, 2], [3, 1], { order: [1] })).toThrow(ups.ShapeError);
  expect(() => ups.distanceCorrelation([[1, 2]], [3], { order: [0] })).toThrow('points of several coordinates');
});

test('what cannot be correlated gives 0 and no gradient', () => {
  const constant = ups.tensor(Float64Array.of(3.7, 3.7, 3.7), { requiresGrad: true });
  const value = ups.distanceCorrelation(constant, [1, 2, 4]);
  value.backward();
  expect(value.item()).toBe(0);
  expect([...constant.grad!.data]).toEqual([0, 0, 0]);
  expect(ups.distanceCorrelation([], []).item()).toBe(0);
  expect(ups.distanceCorrelation([1], [2]).item()).toBe(0);
  expect(ups.distanceCorrelation([1, 2, 3], [3, 1, 2], { weights: [1, -2, 1] }).item()).toBe(0);
  expect(ups.distanceCorrelation([1, 5, 2, 8], [2, 10, 4, 16]).item()).toBeCloseTo(1, 6);
});

test('bad input gives typed errors', () => {
  const x = [1, 2, 3];
  expect(() => ups.distanceCorrelation([1, NaN, 3], x)).toThrow('x has NaN at position 1 (expected finite numbers)');
  expect(() => ups.distanceCorrelation(x, [1, Infinity, 3])).toThrow(ups.ValueError);
  expect(() => ups.distanceCorrelation(x, [1, 2])).toThrow(ups.ShapeError);
  expect(() => ups.distanceCorrelation([[[1, 2]]], [[1, 2]])).toThrow('x is [1, 1, 2] (expected [n] or [n, d])');
  expect(() => ups.distanceCorrelation([[1, 2], x.slice(1)], x)).toThrow(ups.ShapeError);
  expect(() => ups.distanceCorrelation([[1, NaN]], [1])).toThrow('distanceCorrelation: x has NaN at position 1');
  expect(() => ups.distanceCorrelation(x, x, { weights: [1, 2] })).toThrow(ups.ShapeError);
  expect(() => ups.distanceCorrelation(x, x, { weights: x, estimator: 'unbiased' })).toThrow(ups.UpsilonError);
  expect(() => ups.distanceCorrelation(x, x, { estimator: 'best' as 'biased' })).toThrow(ups.ValueError);
  expect(() => ups.distanceCorrelation(x, x, { weight: x } as object)).toThrow("unknown option 'weight'");
  expect(() => ups.distanceCorrelation(Int32Array.of(1, 2), Int32Array.of(1, 2))).toThrow(ups.DTypeError);
  expect(() => ups.distanceCorrelations([x], { values: x, offsets: [0, 2, 1] })).toThrow(ups.ValueError);
});

test('off the main thread', async () => {
  const x = ups.random.normal([5000], { seed: 3 }),
    y = ups.random.normal([5000], { seed: 4 });
  expect((await promised(x, y)).item()).toBe(ups.distanceCorrelation(x, y).item());
});
