// Counts, divergences and what is made of them, against their definitions. That every variant
// agrees with the float64 reference is the conformance test's business.
import * as fc from 'fast-check';
import { join } from 'node:path';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, numbers, random, thrown } from '../helpers';

const number = fc.oneof(fc.integer({ min: -4, max: 4 }), fc.double({ min: -4, max: 4, noNaN: true }));
const weight = fc.oneof(fc.constant(0), fc.double({ min: -2, max: 2, noNaN: true }));
const sample = fc.array(fc.tuple(number, number, weight), { maxLength: 60 });
const edgeList = fc
  .uniqueArray(fc.oneof(number, fc.constantFrom(-Infinity, Infinity)), { minLength: 2, maxLength: 8 })
  .map((list) => Float64Array.from(list, (edge) => edge + 0).sort())
  .filter((list) => list.every((edge, k) => k === 0 || list[k - 1] < edge));

/** numpy's rule: the lower edge is in, the last upper edge too. */
function binOf(x: number, edges: ArrayLike<number>): number {
  const bins = edges.length - 1;
  if (x === edges[bins]) return bins - 1;
  for (let k = 0; k < bins; ++k) if (edges[k] <= x && x < edges[k + 1]) return k;
  return -1;
}
function total(list: Iterable<number | bigint>): number {
  return [...list].reduce<number>((sum, value) => sum + Number(value), 0);
}

test('every element counts in its bin, with its weight', () => {
  fc.assert(
    fc.property(sample, edgeList, edgeList, (list, xEdges, yEdges) => {
      const x = Float64Array.from(list, ([value]) => value),
        y = Float64Array.from(list, ([, value]) => value),
        weights = Float64Array.from(list, ([, , w]) => w);
      const expected = new Float64Array(xEdges.length - 1),
        squares = expected.slice(),
        pairs = new Float64Array(expected.length * (yEdges.length - 1));
      list.forEach(([, , w], i) => {
        const k = binOf(x[i], xEdges),
          l = binOf(y[i], yEdges);
        if (k < 0) return;
        expected[k] += w;
        squares[k] += w * w;
        if (l >= 0) pairs[k * (yEdges.length - 1) + l] += w;
      });
      const one = ups.histogram(x, { edges: xEdges, weights, squares: true });
      expected.forEach((content, k) => expect(one.counts.data[k]).toBeCloseTo(content, 12));
      squares.forEach((content, k) => expect(one.squares!.data[k]).toBeCloseTo(content, 12));
      const two = ups.histogram2d(x, y, { x: { edges: xEdges }, y: { edges: yEdges }, weights });
      pairs.forEach((content, k) => expect(two.counts.data[k]).toBeCloseTo(content, 12));
      const clamped = ups.histogram(x, { edges: xEdges, weights, outside: 'clamped' });
      expect(total(clamped.counts.data as Float64Array)).toBeCloseTo(total(weights), 10);
    }),
  );
});

test("numpy's counts", () => {
  const tensors = ups.safetensors.load(join(__dirname, '..', '..', 'test', 'golden', 'histogram.safetensors'));
  const { x, y, weights } = tensors;
  const uneven = tensors['edges'];
  const binning = { bins: 12, range: [-2, 2.5] as const };
  const found = {
    even: ups.histogram(x, binning).counts,
    weighted: ups.histogram(x, { ...binning, weights }).counts,
    uneven: ups.histogram(x, { edges: uneven, weights }).counts,
    pairs: ups.histogram2d(x, y, { x: binning, y: { edges: uneven }, weights }).counts,
  };
  for (const [key, counts] of Object.entries(found)) {
    expect(counts.shape).toEqual(tensors[key].shape);
    counts.data.forEach((content, k) => expect(Number(content)).toBeCloseTo(Number(tensors[key].data[k]), 5));
  }
  for (const [key, value] of Object.entries({
    jensenShannon: ups.jsDivergence(found.even, [...tensors['other'].data].map(Number)),
    kullbackLeibler: ups.klDivergence(found.even, [...tensors['other'].data].map(Number), { base: Math.E }),
  }))
    expect(value.item()).toBeCloseTo(Number(tensors[key].data[0]), 6);
});

test('gradients', () => {
  const x = random([20], 1),
    y = random([20], 2),
    weights = random([20], 3),
    other = ups.tensor(Float64Array.of(1, 2, 3, 4, 2));
  const edges = Float64Array.of(-1.5, -0.8, -0.1, 0.3, 0.7, 1.2);
  checkGradients([weights], () => ups.histogram(x, { edges, weights }).counts);
  checkGradients([x, weights], () => ups.histogram(x, { edges, weights, spread: 'linear' }).counts, 1e-7);
  const axes = { x: { bins: 3, range: [-1.1, 1.1] as const }, y: { edges } };
  checkGradients([x, y, weights], () => ups.histogram2d(x, y, { ...axes, weights, spread: 'linear' }).counts, 1e-7);
  const penalty = (of: typeof ups.jsDivergence): ups.Tensor =>
    of(ups.histogram(x, { edges, spread: 'linear' }).counts, other);
  checkGradients([x, other], () => penalty(ups.jsDivergence), 1e-7, 1e-5);
  checkGradients([x, other], () => penalty(ups.klDivergence), 1e-7, 1e-5);
});

test('divergences: bounds, symmetry, scale, empty bins', () => {
  const contents = fc.array(fc.nat({ max: 5 }), { minLength: 6, maxLength: 6 }).filter((list) => total(list) > 0);
  fc.assert(
    fc.property(contents, contents, fc.double({ min: 0.1, max: 9, noNaN: true }), (p, q, factor) => {
      const js = ups.jsDivergence(p, q).item();
      expect(js).toBeGreaterThan(-1e-12);
      expect(js).toBeLessThan(1 + 1e-12);
      expect(ups.jsDivergence(q, p).item()).toBeCloseTo(js, 12);
      const scaled = p.map((content) => content * factor);
      expect(ups.jsDivergence(scaled, q).item()).toBeCloseTo(js, 10);
      expect(ups.jsDivergence(p, scaled).item()).toBeCloseTo(0, 10);
      const kl = ups.klDivergence(p, q).item();
      if (p.some((content, k) => content > 0 && q[k] === 0)) expect(kl).toBe(Infinity);
      else expect(kl).toBeGreaterThan(-1e-12);
      expect(ups.klDivergence(p, q, { pseudocount: 0.1 }).item()).toBeLessThan(Infinity);
    }),
  );
  expect(ups.jsDivergence([1, 0], [0, 3]).item()).toBe(1);
  expect(ups.jsDivergence([1, 0], [0, 3], { base: Math.E }).item()).toBeCloseTo(Math.LN2, 14);
  expect(ups.jsDivergence([1, -2], [5, 0]).item()).toBe(0);
  expect(ups.jsDivergence([0, 0], [1, 1]).item()).toBeNaN();
});

/** Scores, labels, masses and weights in which background of high mass scores high. */
function tagged(count: number): {
  scores: Float64Array;
  labels: Uint8Array;
  mass: Float64Array;
  weights: Float64Array;
} {
  const uniform = numbers(3 * count, 5);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2),
    mass = Float64Array.from({ length: count }, (_, i) => 100 + 50 * uniform[i]),
    weights = Float64Array.from({ length: count }, (_, i) => 1.5 + uniform[count + i]);
  const scores = Float64Array.from(labels, (label, i) => label + mass[i] / 100 + uniform[2 * count + i]);
  return { scores, labels, mass, weights };
}

test('1 / JSD at a working point', async () => {
  const { scores, labels, mass, weights } = tagged(400);
  const options = { bins: 10, range: [60, 140] as const, weights, efficiency: 0.5 };
  const found = ups.inverseJsd(scores, labels, mass, options);
  const point = ups.backgroundRejection(scores, labels, 0.5, { weights });
  expect(found.rejection.item()).toBe(point.rejection.item());
  expect(found.threshold.item()).toBe(point.thresholds.item());
  const pass = new Float64Array(10),
    fail = new Float64Array(10);
  mass.forEach((value, i) => {
    const k = binOf(
      value,
      Float64Array.from({ length: 11 }, (_, edge) => 60 + 8 * edge),
    );
    if (labels[i] === 0 && k >= 0) (scores[i] >= point.thresholds.item() ? pass : fail)[k] += weights[i];
  });
  expect(found.inverseJsd.item()).toBeCloseTo(1 / ups.jsDivergence(pass, fail).item(), 8);
  const later = await promises.inverseJsd(scores, labels, mass, options);
  expect(later.inverseJsd.item()).toBe(found.inverseJsd.item());
  // A score that knows nothing of the mass, in float32 beside float64.
  const free = Float32Array.from(numbers(400, 9), (value, i) => value + labels[i] / 4);
  expect(ups.inverseJsd(free, labels, mass, options).inverseJsd.item()).toBeGreaterThan(2 * found.inverseJsd.item());
});

test('planing makes both classes flat, or like a target, and keeps their sums', async () => {
  const { labels, mass, weights } = tagged(600);
  const binning = { bins: 8, range: [60, 140] as const };
  const inside = mass.map((value) => Number(value >= 60 && value <= 140));
  for (const target of [undefined, [1, 2, 3, 4, 4, 3, 2, 0]]) {
    const planed = ups.planingWeights(mass, { ...binning, labels, weights, target });
    const wanted = target ?? new Array<number>(8).fill(1);
    for (const label of [0, 1]) {
      const own = Float64Array.from(planed.data as Float64Array, (w, i) => (labels[i] === label ? w : 0));
      const kept = total(weights.map((w, i) => (labels[i] === label ? w * inside[i] : 0)));
      const { counts } = ups.histogram(mass, { ...binning, weights: own });
      counts.data.forEach((content, k) => expect(Number(content)).toBeCloseTo((kept * wanted[k]) / total(wanted), 9));
    }
    planed.data.forEach((w, i) => expect(inside[i] === 0 && w !== 0).toBe(false));
    const later = await promises.planingWeights(mass, { ...binning, labels, weights, target });
    expect(later.data).toEqual(planed.data);
  }
  const one = ups.planingWeights([1, 1, 1, 2, 9], { edges: [0, 1.5, 3, 4] });
  expect([...one.data].map(Number)).toEqual([2, 2, 2, 6, 0].map((value) => expect.closeTo(value / 3, 6)));
});

test('bad input gives typed errors', async () => {
  const binning = { bins: 2, range: [0, 1] as const };
  const refused: [() => unknown, string][] = [
    [() => ups.histogram([1, NaN], binning), 'histogram: x has NaN at position 1 (expected numbers)'],
    [() => ups.histogram([1], { bins: 0, range: [0, 1] }), 'bins is 0 (expected a positive integer, or edges)'],
    [() => ups.histogram([1], { bins: 2 }), 'range is undefined'],
    [() => ups.histogram([1], { bins: 2, range: [1, 1] }), 'range is [1, 1] (expected two finite numbers'],
    [() => ups.histogram([1], { edges: [0, 2, 2] }), 'edges is 2 and then 2 (expected increasing numbers)'],
    [() => ups.histogram([1], { edges: [0] }), 'edges is [1] (expected [B + 1], at least two)'],
    [() => ups.histogram([1], { edges: [0, 1], bins: 1 }), 'either edges, or bins and range'],
    [() => ups.histogram([1, 2], { ...binning, weights: [1] }), 'weights'],
    [() => ups.histogram([1], { ...binning, weights: [Infinity] }), 'weights has Infinity'],
    [() => ups.histogram([1], { ...binning, outside: 'kept' as never }), "outside is 'kept'"],
    [() => ups.histogram([1], { ...binning, density: true } as never), "unknown option 'density'"],
    [
      () => ups.histogram2d([1], [1], { x: binning } as never),
      'y is undefined (expected { bins, range } or { edges })',
    ],
    [() => ups.histogram2d([1], [1], { x: binning, y: { bins: -1 } }), 'bins of y is -1'],
    [() => ups.histogram2d([1], [1, 2], { x: binning, y: binning }), 'y'],
    [() => ups.jsDivergence([1, 2], [1]), 'jsDivergence: q is [1] but p is [2] (expected the same bins)'],
    [() => ups.klDivergence([1], [1], { base: 1 }), 'klDivergence: base is 1'],
    [() => ups.klDivergence([1], [1], { pseudocount: -1 }), 'pseudocount is -1'],
    [() => ups.inverseJsd([1, NaN], [0, 1], [1, 2], binning), 'inverseJsd: scores has NaN at position 1'],
    [() => ups.inverseJsd([1, 2], [0, 1], [1, NaN], binning), 'inverseJsd: variable has NaN at position 1'],
    [() => ups.inverseJsd([1, 2], [0, 1], [1], binning), 'variable is [1] (expected [2])'],
    [() => ups.inverseJsd([1, 2], [0], [1, 2], binning), 'labels is [1] (expected [2])'],
    [() => ups.inverseJsd([1, 2], [0, 1], [1, 2], { ...binning, efficiency: 0 }), 'efficiency is 0'],
    [() => ups.planingWeights([1, NaN], binning), 'planingWeights: variable has NaN'],
    [() => ups.planingWeights([1], { ...binning, target: [1] }), 'target is [1] (expected [2])'],
    [() => ups.planingWeights([1], { ...binning, target: [1, -1] }), 'target has -1 at position 1'],
  ];
  for (const [call, text] of refused) {
    const error = thrown(call);
    expect(error).toBeInstanceOf(ups.UpsilonError);
    expect(error.message).toContain(text);
  }
  await expect(promises.histogram([NaN], binning)).rejects.toThrow('histogram: x has NaN at position 0');
  await expect(promises.rocAuc([NaN], [1])).rejects.toThrow('rocAuc: scores has NaN at position 0');
  expect(thrown(() => ups.backgroundRejection([NaN], [1], 0.5))).toMatchObject({ operation: 'backgroundRejection' });
  const anything = fc.anything();
  fc.assert(
    fc.property(anything, anything, anything, anything, (a, b, c, options) => {
      for (const call of [
        () => ups.histogram(a as never, options as never),
        () => ups.histogram(numbers(3) as never, options as never),
        () => ups.histogram(numbers(3), { ...binning, weights: b as never, spread: c as never }),
        () => ups.histogram2d(a as never, b as never, options as never),
        () => ups.histogram2d([1], [1], { x: a as never, y: b as never }),
        () => ups.jsDivergence(a as never, b as never, options as never),
        () => ups.klDivergence([1], [1], options as never),
        () => ups.inverseJsd(a as never, b as never, c as never, options as never),
        () => ups.inverseJsd([1, 2], [0, 1], a as never, { ...binning, weights: b as never }),
        () => ups.planingWeights(a as never, options as never),
        () => ups.planingWeights([1, 2], { ...binning, labels: a as never, target: b as never }),
      ])
        try {
          call();
        } catch (error) {
          if (!(error instanceof ups.UpsilonError)) throw error;
        }
    }),
  );
});

test('divergences are never below 0 and stay finite where bins are nearly empty', () => {
  const positive = fc.oneof(
    fc.double({ min: 0, max: 1e3, noNaN: true }),
    fc.constantFrom(0, 5e-324, 1e-310, 1e-300, 1),
  );
  const shape = fc.array(positive, { minLength: 1, maxLength: 9 }).filter((list) => total(list) > 1e-200);
  fc.assert(
    fc.property(shape, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (p, factor) => {
      const scaled = p.map((content) => content * factor);
      for (const divergence of [ups.jsDivergence, ups.klDivergence]) {
        const value = divergence(p, scaled).item();
        expect(value).toBeGreaterThanOrEqual(0);
        if (Math.min(...p.filter((content) => content > 0)) > 1e-290) expect(value).toBeLessThan(1e-14);
      }
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(positive, positive), { minLength: 1, maxLength: 9 }), (pairs) => {
      const [p, q] = [0, 1].map((side) =>
        ups.tensor(
          pairs.map((pair) => pair[side]),
          { dtype: 'float64', requiresGrad: true },
        ),
      );
      const value = ups.jsDivergence(p, q);
      if (Number.isNaN(value.item())) return; // an empty histogram
      expect(value.item()).toBeGreaterThanOrEqual(0);
      expect(value.item()).toBeLessThanOrEqual(1 + 1e-12);
      expect(ups.klDivergence(p.detach(), q.detach()).item()).toBeGreaterThanOrEqual(0);
      const smallest = Math.min(...[p, q].map((side) => total(side.data)));
      if (smallest < 1e-200) return;
      value.backward();
      for (const { grad } of [p, q]) expect([...(grad!.data as Float64Array)].every(Number.isFinite)).toBe(true);
    }),
  );
  expect(ups.jsDivergence([0.1, 0.2, 0.3], [0.3, 0.6, 0.9]).item()).toBeCloseTo(0, 30);
  expect(ups.jsDivergence([0, 1], [5e-324, 1]).item()).toBeCloseTo(0, 30);
  expect(ups.jsDivergence([2, 4], [1, 2]).item()).toBe(0);
  expect(ups.klDivergence([1, 1], [1, 1 + 1e-9]).item()).toBeCloseTo(1e-18 / 8 / Math.log(2), 25);
});
