// Object condensation against values by hand, its gradients against differences, and the search for
// clusters.
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, numbers, random, thrown } from '../helpers';

const values = (tensor: ups.Tensor): number[] => Array.from(tensor.data as Float64Array);

test('the terms of one event by hand, in the three conventions', () => {
  // Object 7: hits 0 (its point) and 1, 0.5 apart; object 2: hit 2, 0.6 from hit 0; noise: hit 3, 5
  // away from all.
  const beta = ups.tensor(Float64Array.of(0.9, 0.4, 0.8, 0.1));
  const x = { values: ups.tensor(Float64Array.of(0, 0, 0, 0.5, 0.6, 0, 3, 4), { shape: [4, 2] }), offsets: [0, 4] };
  const ids = [7, 7, 2, -1];
  const [a, b, c] = [0.9, 0.4, 0.8].map((v) => Math.atanh(v) ** 2 + 0.5);
  const d = Math.hypot(0.6, 0.5);
  const close = (found: ups.Tensor, wanted: number[]): void =>
    values(found).forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 6));
  // To object 7's point: hit 2 at 0.6 (and noise, too far); to object 2's: hits 0 and 1.
  close(ups.objectCondensation(beta, x, ids, { qMin: 0.5 }), [
    (a * b * 0.25) / 2 / 2,
    ((c * a * 0.4) / 2 + (c * (a * 0.4 + b * (1 - d))) / 3) / 2,
    (0.1 + 0.2) / 2,
    0.1,
  ]);
  const [p, q, r] = [0.9, 0.4, 0.8].map((v) => Math.atanh(v) + 1);
  close(ups.objectCondensation(beta, x, ids, { convention: 'catFinder' }), [
    (p * q * 0.25) / 4,
    (2 * r * p * 0.4 + r * q * (1 - d)) / 4,
    0.15,
    0.1,
  ]);
  const [s, t, u] = [0.9, 0.4, 0.8].map((v) => Math.atanh(v / 1.002) ** 2 + 1);
  close(ups.objectCondensation(beta, x, ids, { convention: 'cmsPepr' }), [
    (s * t * (0.5 + 1e-5) ** 2) / 4,
    (2 * u * s * Math.exp(-4 * 0.36) + u * t * Math.exp(-4 * d * d)) / 4,
    0.15,
    0.1,
  ]);
});

const sigmoid = (seed: number, count: number): ups.Tensor =>
  ups.tensor(Float64Array.from(numbers(count, seed), (v) => 1 / (1 + Math.exp(-2 * v))));

test.each(['objectCondensation', 'catFinder', 'cmsPepr'] as const)('gradients of %s', (convention) => {
  const beta = sigmoid(5, 30),
    x = random([30, 3], 6);
  const ids = Int32Array.from(numbers(30, 7), (v) => Math.floor(2 * v + 1.5));
  checkGradients([beta, x], () => ups.objectCondensation(beta, { values: x, offsets: [0, 12, 12, 30] }, ids, { convention })); // prettier-ignore
});

test('the order of hits does not matter, events count alike, and promises give the same', async () => {
  const beta = sigmoid(1, 12),
    x = random([12, 2], 2),
    ids = [1, 1, 2, 0, 2, 3, 3, 3, 0, 1, 2, 2];
  const once = values(ups.objectCondensation(beta, { values: x, offsets: [0, 12] }, ids));
  const rows = [...Array(12).keys()].reverse();
  const turned = ups.objectCondensation(
    ups.tensor(Float64Array.from(rows, (i) => Number(beta.data[i]))),
    { values: ups.tensor(Float64Array.from(rows.flatMap((i) => [x.data[2 * i], x.data[2 * i + 1]].map(Number))), { shape: [12, 2] }), offsets: [0, 12] }, // prettier-ignore
    rows.map((i) => ids[i]),
  );
  values(turned).forEach((value, i) => expect(value).toBeCloseTo(once[i], 12));
  const later = await promises.objectCondensation(beta, { values: x, offsets: [0, 12] }, ids);
  expect(values(later)).toEqual(once);
  const withEmpty = values(ups.objectCondensation(beta, { values: x, offsets: [0, 12, 12] }, ids));
  withEmpty.forEach((value, i) => expect(value).toBeCloseTo(once[i] / 2, 12));
});

test('training pulls the hits of an object together and its clusters are found', () => {
  const hits = 60;
  const truth = Int32Array.from({ length: hits }, (_, i) => (i % 5 === 4 ? 0 : 1 + (i % 5)));
  const x = ups.tensor(random([hits, 2], 3, 'float32'), { requiresGrad: true });
  const logit = ups.tensor(new Float32Array(hits).fill(-1), { requiresGrad: true });
  const offsets = [0, hits];
  for (let step = 0; step < 400; ++step) {
    const beta = ups.tensor(Float32Array.from(logit.data as Float32Array, (v) => 1 / (1 + Math.exp(-v))), { requiresGrad: true }); // prettier-ignore
    x.grad = undefined;
    ups.objectCondensation(beta, { values: x, offsets }, truth, { qMin: 0.5 }).backward([1, 1, 1, 1]);
    for (let i = 0; i < 2 * hits; ++i) (x.data as Float32Array)[i] -= 0.3 * Number(x.grad!.data[i]);
    for (let i = 0; i < hits; ++i) {
      const b = Number(beta.data[i]);
      (logit.data as Float32Array)[i] -= 5 * Number(beta.grad!.data[i]) * b * (1 - b);
    }
  }
  const beta = Float32Array.from(logit.data as Float32Array, (v) => 1 / (1 + Math.exp(-v)));
  const { clusters, counts } = ups.condense(beta, { values: x, offsets }, { tBeta: 0.3, tD: 0.4 });
  expect(counts.toArray()).toEqual([4]);
  for (let i = 0; i < hits; ++i) {
    if (truth[i] > 0) expect(clusters.data[i]).toBe(clusters.data[truth[i] - 1]);
  }
});

test('condense: descending beta, exclusive radius, ties to the first', async () => {
  const x = { values: [[0], [0.3], [0.6], [2], [9], [0], [0]], offsets: [0, 5, 5, 7] };
  const beta = [0.5, 0.9, 0.8, 0.05, 0.7, 0.6, 0.6];
  const { clusters, points, counts } = ups.condense(beta, x, { tBeta: 0.1, tD: 0.35 });
  expect(clusters.toArray()).toEqual([0, 0, 0, -1, 1, 0, 0]);
  expect(points.toArray()).toEqual([1, 4, -1, -1, -1, 5, -1]);
  expect(counts.toArray()).toEqual([2, 0, 1]);
  expect((await promises.condense(beta, x, { tD: 0.35 })).clusters.toArray()).toEqual(clusters.toArray());
  expect(ups.condense(beta, x, { tBeta: 1 }).counts.toArray()).toEqual([0, 0, 0]);
});

test('what cannot be used is told', () => {
  const x = { values: [[0], [1]], offsets: [0, 2] };
  expect(thrown(() => ups.condense([NaN, 0], x)).message).toContain('beta');
  expect(thrown(() => ups.objectCondensation([0.5], x, [1, 1])).message).toContain('beta');
  expect(thrown(() => ups.objectCondensation([0.5, 0.5], x, [1, 1], { convention: 'paper' as never })).message).toContain('cmsPepr'); // prettier-ignore
});

test('a beta of 1, which a float32 sigmoid gives, has a finite charge and no gradient through it', () => {
  const x = { values: [[0], [0.5], [0.2], [4]], offsets: [0, 4] };
  const devices = ups
    .devices()
    .map(({ name }) => name)
    .filter((name) => name === 'cpu' || name === 'emulated:0');
  for (const device of devices)
    for (const convention of ['objectCondensation', 'catFinder', 'cmsPepr'] as const) {
      const beta = ups.tensor([1, 0.3, -1, 2], { device, requiresGrad: true });
      const on = {
        values: ups.tensor(x.values, { device }),
        offsets: ups.tensor(x.offsets, { dtype: 'int32', device }),
      };
      const ids = ups.tensor([1, 1, 2, 0], { dtype: 'int32', device });
      const loss = ups.objectCondensation(beta, on, ids, { convention });
      loss.backward([1, 1, 1, 1]);
      for (const tensor of [loss, beta.grad!]) {
        const found = Array.from(tensor.to('cpu').data as Float32Array);
        expect(found.every(Number.isFinite)).toBe(true);
      }
    }
  const attraction = (beta: number): number => {
    const terms = ups.objectCondensation([beta, beta], { values: [[0], [0.5]], offsets: [0, 2] }, [1, 1], { qMin: 0 });
    return Number(terms.data[0]);
  };
  expect(attraction(1)).toBe(attraction(1 - 2 ** -24));
});
