// Areas, curves and working points against their definitions. That every variant agrees with the
// float64 reference is the conformance test's business.
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import { rocAuc as promised } from 'upsilon-kernels/promises';

import { thrown } from '../helpers';

const element = fc.record({
  score: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ min: -3, max: 3, noNaN: true })),
  label: fc.constantFrom(0, 1),
  weight: fc.double({ min: 0.1, max: 3, noNaN: true }),
});
const sample = fc
  .array(element, { minLength: 2, maxLength: 50 })
  .filter((list) => new Set(list.map(({ label }) => label)).size === 2);

interface Columns {
  scores: Float64Array;
  labels: Uint8Array;
  weights: Float64Array;
}
function columns(list: { score: number; label: number; weight: number }[]): Columns {
  return {
    scores: Float64Array.from(list, ({ score }) => score),
    labels: Uint8Array.from(list, ({ label }) => label),
    weights: Float64Array.from(list, ({ weight }) => weight),
  };
}
const total = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);

test('the area is the probability that signal scores higher, and that below the curve', () => {
  fc.assert(
    fc.property(sample, (list) => {
      const { scores, labels, weights } = columns(list);
      const signal = list.filter(({ label }) => label === 1),
        background = list.filter(({ label }) => label === 0);
      const pairs = signal.flatMap((s) =>
        background.map((b) => s.weight * b.weight * (s.score > b.score ? 1 : s.score === b.score ? 0.5 : 0)),
      );
      const norm = total(signal.map((s) => s.weight)) * total(background.map((b) => b.weight));
      const auc = ups.rocAuc(scores, labels, { weights }).item();
      expect(auc).toBeCloseTo(total(pairs) / norm, 10);
      const curve = ups.rocCurve(scores, labels, { weights });
      const x = curve.falsePositiveRate.data as Float64Array,
        y = curve.truePositiveRate.data as Float64Array;
      const area = total([...x].slice(1).map((right, k) => ((right - x[k]) * (y[k + 1] + y[k])) / 2));
      expect(area).toBeCloseTo(auc, 10);
      const turned = ups
        .rocAuc(
          Float64Array.from(scores, (s) => -s),
          labels,
          { weights },
        )
        .item();
      expect(turned).toBeCloseTo(1 - auc, 10);
    }),
  );
});

test('each point of the curve keeps what scores at least its threshold; working points lie on it', () => {
  fc.assert(
    fc.property(sample, fc.double({ min: 0, max: 1, noNaN: true }), (list, efficiency) => {
      const { scores, labels, weights } = columns(list);
      const curve = ups.rocCurve(scores, labels, { weights });
      const rate = (wanted: number, threshold: number): number => {
        const all = list.filter(({ label }) => label === wanted);
        return total(all.filter((e) => e.score >= threshold).map((e) => e.weight)) / total(all.map((e) => e.weight));
      };
      const points = [...(curve.thresholds.data as Float64Array)];
      points.forEach((threshold, k) => {
        expect(curve.truePositiveRate.data[k]).toBeCloseTo(rate(1, threshold), 10);
        expect(curve.falsePositiveRate.data[k]).toBeCloseTo(rate(0, threshold), 10);
      });
      const point = ups.backgroundRejection(scores, labels, efficiency, { weights });
      const cut = point.thresholds.item();
      const distance = (threshold: number): number => Math.abs(rate(1, threshold) - efficiency);
      expect(distance(cut)).toBeCloseTo(Math.min(...points.map(distance)), 10);
      expect(1 / point.rejection.item()).toBeCloseTo(rate(0, cut), 10);
    }),
  );
});

test('known values', async () => {
  // sklearn.metrics.roc_auc_score of the example in its documentation
  expect(ups.rocAuc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).item()).toBe(0.75);
  const curve = ups.rocCurve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]);
  expect([...curve.truePositiveRate.data]).toEqual([0, 0.5, 0.5, 1, 1]);
  expect([...curve.falsePositiveRate.data]).toEqual([0, 0, 0.5, 0.5, 1]);
  const points = ups.backgroundRejection([4, 3, 2, 1], [1, 0, 1, 0], [0.5, 0.9]);
  expect([...points.rejection.data]).toEqual([Infinity, 2]);
  expect([...points.thresholds.data]).toEqual([4, 2]);
  expect(ups.rocAuc([1, 2], [1, 1]).item()).toBeNaN();
  expect(ups.rocAuc([], []).item()).toBeNaN();
  const scores = ups.random.normal([50_000], { seed: 1 }),
    labels = Uint8Array.from({ length: 50_000 }, (_, i) => i % 2);
  expect(ups.rocAuc(scores, labels).item()).toBeCloseTo(0.5, 1);
  expect((await promised(scores, labels)).item()).toBe(ups.rocAuc(scores, labels).item());
});

test('bad input gives typed errors', () => {
  const refused: [() => unknown, string][] = [
    [() => ups.rocAuc([1, NaN], [0, 1]), 'rocAuc: scores has NaN at position 1 (expected numbers)'],
    [() => ups.rocAuc([1, 2], [0]), 'labels'],
    [() => ups.rocAuc([1, 2], [0, 0.5]), 'labels holds 0.5'],
    [() => ups.rocAuc([1, 2], [0, 1], { weights: [1, Infinity] }), 'weights'],
    [() => ups.rocAuc([1, 2], [0, 1], { weight: [1, 1] } as never), "unknown option 'weight'"],
    [() => ups.backgroundRejection([1, 2], [0, 1], [[0.5]]), 'efficiencies is [1, 1] (expected [K])'],
  ];
  for (const [call, text] of refused) {
    const error = thrown(call);
    expect(error).toBeInstanceOf(ups.UpsilonError);
    expect(error.message).toContain(text);
  }
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (scores, labels, options) => {
      for (const call of [
        () => ups.rocCurve(scores as never, labels as never, options as never),
        () => ups.backgroundRejection(scores as never, labels as never, options as never),
      ])
        try {
          call();
        } catch (error) {
          if (!(error instanceof ups.UpsilonError)) throw error;
        }
    }),
  );
});
