// Designed decorrelated taggers: flat efficiency, the definition of the cut, and input that is bad.
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { thrown } from '../helpers';

const n = 20_000;
const variable = ups.random.uniform([n], { seed: 1 });
const noise = ups.random.normal([n], { seed: 2 }).data as Float32Array;
const position = variable.data as Float32Array;
const scores = Float32Array.from(noise, (z, i) => z + 3 * position[i]);

/** By tenth of the variable the share that is at least `cut`. */
function kept(values: ArrayLike<number>, cut: number, of: (i: number) => boolean = () => true): number[] {
  const all = new Array<number>(10).fill(0),
    passing = [...all];
  for (let i = 0; i < n; ++i) {
    const bin = Math.min(9, Math.floor(10 * position[i]));
    if (!of(i)) continue;
    all[bin] += 1;
    passing[bin] += values[i] >= cut ? 1 : 0;
  }
  return passing.map((count, bin) => count / all[bin]);
}

test('the cut at 0 keeps the same share everywhere', async () => {
  const options = { efficiency: 0.2, bins: 40, range: [0, 1] as const };
  const { scores: flat, centres, cuts } = ups.ddt(scores, variable, options);
  expect(Math.max(...kept(scores, 2))).toBeGreaterThan(0.5);
  expect(Math.min(...kept(scores, 2))).toBeLessThan(0.1);
  for (const share of kept(flat.data as Float32Array, 0)) expect(Math.abs(share - 0.2)).toBeLessThan(0.03);
  expect(centres.shape).toEqual([40]);
  expect(centres.data[0]).toBeCloseTo(0.0125);
  expect(Number(cuts.data[39]) - Number(cuts.data[0])).toBeGreaterThan(2.5);
  const later = await promises.ddt(scores, variable, options);
  expect(later.scores.toArray()).toEqual(flat.toArray());
  expect(later.cuts.toArray()).toEqual(cuts.toArray());
});

test('signal and weights', () => {
  const labels = Uint8Array.from({ length: n }, (_, i) => i % 2);
  const raised = Float32Array.from(scores, (score, i) => score + (labels[i] ? 5 : 0));
  const flat = ups.ddt(raised, variable, { efficiency: 0.3, labels, bins: 30, range: [0, 1] }).scores;
  for (const share of kept(flat.data as Float32Array, 0, (i) => labels[i] === 0))
    expect(Math.abs(share - 0.3)).toBeLessThan(0.04);
  // Weight 0 is as good as absent.
  const weights = Float32Array.from(labels, (label) => 1 - label);
  const weighted = ups.ddt(raised, variable, { efficiency: 0.3, weights, bins: 30, range: [0, 1] });
  expect(weighted.scores.toArray()).toEqual(flat.toArray());
});

test('by hand', () => {
  // Two bins with centres 0.5 and 1.5; of 4 and 2 the upper half is kept.
  const { scores: shifted, cuts } = ups.ddt([1, 2, 3, 4, 10, 20, 7], [0.1, 0.2, 0.3, 0.4, 1.5, 1.5, 1], {
    efficiency: 0.5,
    labels: Uint8Array.of(0, 0, 0, 0, 0, 0, 1),
    edges: [0, 1, 2, 3],
  });
  expect(cuts.toArray()).toEqual([3, 20, NaN]);
  expect(shifted.toArray()).toEqual([-2, -1, 0, 1, -10, 0, 7 - 11.5]);
  const nothing = ups.ddt([1, 2], [0.5, 0.5], { efficiency: 0.5, labels: Uint8Array.of(1, 1), edges: [0, 1] });
  expect(nothing.scores.toArray()).toEqual([NaN, NaN]);
});

test('bad input', () => {
  const good = { efficiency: 0.5, bins: 2, range: [0, 1] as const };
  const bad = (options: object): ups.UpsilonError => thrown(() => ups.ddt([1, 2], [0, 1], options as never));
  expect(bad({ ...good, efficiency: 1 })).toMatchObject({
    name: 'ValueError',
    operation: 'ddt',
    argument: 'efficiency',
  });
  expect(bad({ ...good, weights: [1, -1] })).toMatchObject({ name: 'ValueError', argument: 'weights' });
  expect(bad({ ...good, cut: 1 }).message).toContain('cut');
  expect(thrown(() => ups.ddt([1, NaN], [0, 1], good))).toMatchObject({ argument: 'scores' });
  expect(thrown(() => ups.ddt([1, 2], [0, 1, 2], good))).toMatchObject({ name: 'ShapeError', argument: 'variable' });
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (value, option) => {
      for (const call of [
        () => ups.ddt(value as never, [0, 1], good),
        () => ups.ddt([1, 2], value as never, good),
        () => ups.ddt([1, 2], [0, 1], { ...good, labels: value as never, weights: option as never }),
        () => ups.ddt([1, 2], [0, 1], option as never),
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
