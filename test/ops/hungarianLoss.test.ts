// Losses of matched sets: PyTorch's with scipy's matching (tools/golden/hungarian.py), brute force
// over all orders, gradients by differences, bad input.
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, numbers, random, thrown } from '../helpers';

type Rows = number[][];

const pairCosts: Record<ups.PairCostKind, (p: number[], t: number[]) => number> = {
  squaredError: (p, t) => p.reduce((sum, value, f) => sum + (value - t[f]) ** 2, 0),
  absoluteError: (p, t) => p.reduce((sum, value, f) => sum + Math.abs(value - t[f]), 0),
  crossEntropy: (p, t) => {
    const logSum = Math.log(p.reduce((sum, value) => sum + Math.exp(value), 0));
    return p.reduce((sum, value, f) => sum + t[f] * (logSum - value), 0);
  },
};

/**
 * The least sum of the costs of pairs, which use up the shorter side, plus `alone` for each row
 * left over.
 */
function leastSum(cost: number[][], columns: number, alone: number[]): number {
  const used = new Set<number>();
  const pairs = Math.min(cost.length, columns);
  const best = (row: number, left: number): number => {
    if (row === cost.length) return left === 0 ? 0 : Infinity;
    let least = cost.length - row > left ? (alone[row] ?? 0) + best(row + 1, left) : Infinity;
    for (let column = 0; column < columns && left > 0; ++column) {
      if (used.has(column)) continue;
      used.add(column);
      least = Math.min(least, cost[row][column] + best(row + 1, left - 1));
      used.delete(column);
    }
    return least;
  };
  return best(0, pairs);
}

const ragged = (events: Rows[], width: number): ups.Ragged => {
  const offsets = [0];
  for (const event of events) offsets.push(offsets.at(-1)! + event.length);
  const values = ups.tensor(Float64Array.from(events.flat(2)), { shape: [offsets.at(-1)!, width] });
  return ups.ragged({ values, offsets });
};

const event = (width: number): fc.Arbitrary<Rows> =>
  fc.array(fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: width, maxLength: width }), {
    maxLength: 4,
  });
const batches = fc.integer({ min: 1, max: 3 }).chain((width) =>
  fc.record({
    width: fc.constant(width),
    events: fc.array(fc.tuple(event(width), event(width)), { maxLength: 4 }),
  }),
);

test.each(['squaredError', 'absoluteError', 'crossEntropy'] as const)('hungarianLoss by brute force: %s', (kind) => {
  fc.assert(
    fc.property(batches, ({ width, events }) => {
      let sum = 0,
        pairs = 0;
      for (const [predictions, targets] of events) {
        const cost = predictions.map((p) => targets.map((t) => pairCosts[kind](p, t)));
        sum += leastSum(cost, targets.length, []);
        pairs += Math.min(predictions.length, targets.length);
      }
      const prediction = ragged(
        events.map(([p]) => p),
        width,
      );
      const target = ragged(
        events.map(([, t]) => t),
        width,
      );
      const loss = (reduction: 'mean' | 'sum'): number =>
        ups.hungarianLoss(prediction, target, { pairCost: kind, reduction }).item();
      expect(loss('sum')).toBeCloseTo(sum, 8);
      expect(loss('mean')).toBeCloseTo(pairs > 0 ? sum / pairs : 0, 8);
    }),
    { numRuns: 100 },
  );
});

describe("golden: PyTorch's losses with scipy's matching", () => {
  const golden = ups.safetensors.load(join(__dirname, '..', '..', 'test', 'golden', 'hungarian-loss.safetensors'));
  const leaf = (name: string): ups.Tensor => ups.tensor(golden[name], { dtype: 'float64', requiresGrad: true });
  const predictions = (values: ups.Tensor): ups.RaggedLike => ({ values, offsets: golden['offsets'] });
  const targets = (values: ups.Tensor): ups.RaggedLike => ({ values, offsets: golden['targetOffsets'] });
  const classes = targets(ups.tensor(golden['labels'], { dtype: 'float64' }));

  /** The file has float32 numbers of what was computed in float64. */
  function expectGolden(name: string, leaves: Record<string, ups.Tensor>, loss: ups.Tensor): void {
    const compare = (found: ups.Tensor, key: string): void => {
      const expected = golden[`${name}.${key}`];
      expect(found.shape).toEqual(expected.shape);
      Array.from(expected.data as Float32Array).forEach((value, i) => {
        expect(Math.abs(Number(found.data[i]) - value)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(value)));
      });
    };
    compare(loss, 'y');
    loss.backward(ups.tensor(golden[`${name}.dy`], { dtype: 'float64' }));
    for (const [key, tensor] of Object.entries(leaves)) compare(tensor.grad!, `d${key}`);
  }

  test('classes, with "no object"', () => {
    const logits = leaf('classes.logits');
    const options = { pairCost: 'crossEntropy', noObject: [0, 0, 0, 1], noObjectWeight: 0.1 } as const;
    expectGolden('classes', { logits }, ups.hungarianLoss(predictions(logits), classes, options));
  });

  test.each([
    ['boxes', { pairCost: 'absoluteError', reduction: 'mean' }],
    ['points', { pairCost: 'squaredError', reduction: 'sum' }],
  ] as const)('%s', (name, options) => {
    const prediction = leaf(`${name}.prediction`),
      target = leaf(`${name}.target`);
    expectGolden(name, { prediction, target }, ups.hungarianLoss(predictions(prediction), targets(target), options));
  });

  test('matched by one cost, with the loss of another', () => {
    const logits = leaf('detr.logits'),
      prediction = leaf('detr.prediction'),
      target = leaf('detr.target');
    const boxes = ups.pairCost(predictions(prediction), targets(target), { kind: 'absoluteError' });
    const names = ups.pairCost(predictions(logits), classes, { kind: 'crossEntropy' });
    const weighted = (a: ups.Tensor, b: ups.Tensor, weights: number[]): ups.Tensor => {
      const columns = [a, b].map((values) => values.reshape([-1, 1]));
      return ups.linear(ups.concat(columns), ups.tensor([weights], { dtype: 'float64' })).reshape([-1]);
    };
    // DETR's costs have the probability of the class, e to the minus of its cross entropy.
    const probabilities = ups.tensor((names.values.data as Float64Array).map((entropy) => Math.exp(-entropy)));
    const { rows, columns } = boxes;
    const cost = { values: weighted(boxes.values.detach(), probabilities, [5, -1]), rows, columns };
    const loss = ups.matchedLoss(cost, weighted(boxes.values, names.values, [5, 1]), { reduction: 'sum' });
    expectGolden('detr', { logits, prediction, target }, loss);
  });
});

test('the order of predictions and targets does not matter', () => {
  const prediction = { values: random([5, 3], 1), offsets: [0, 5] };
  const swapped = {
    values: ups.tensor((prediction.values.toArray() as Rows).reverse(), { dtype: 'float64' }),
    offsets: [0, 5],
  };
  const target = { values: random([4, 3], 2), offsets: [0, 4] };
  expect(ups.hungarianLoss(swapped, target).item()).toBeCloseTo(ups.hungarianLoss(prediction, target).item(), 12);
});

describe.each(['squaredError', 'absoluteError', 'crossEntropy'] as const)('gradients: %s', (pairCost) => {
  const prediction = random([7, 4], 3),
    target = random([6, 4], 4);
  const predictions = { values: prediction, offsets: [0, 4, 4, 7] },
    targets = { values: target, offsets: [0, 2, 3, 6] };

  test.each(['mean', 'sum'] as const)('%s', (reduction) => {
    checkGradients([prediction, target], () => ups.hungarianLoss(predictions, targets, { pairCost, reduction }));
  });

  test('with a term for the unmatched', () => {
    const options = { pairCost, noObject: [0, 0, 0, 1], noObjectWeight: 0.1 };
    checkGradients([prediction, target], () => ups.hungarianLoss(predictions, targets, options));
  });
});

test('the term of what is unmatched', () => {
  const prediction = { values: [[0], [5], [1]], offsets: [0, 3] },
    target = { values: [[0]], offsets: [0, 1] };
  const loss = (noObjectWeight: number, reduction: 'mean' | 'sum'): number =>
    ups.hungarianLoss(prediction, target, { noObject: [2], noObjectWeight, reduction }).item();
  expect(loss(1, 'sum')).toBe(9 + 1);
  expect(loss(1, 'mean')).toBeCloseTo(10 / 3, 6);
  expect(loss(0.5, 'mean')).toBeCloseTo(5 / 2, 6);
  expect(loss(0, 'mean')).toBe(0);
  expect(ups.hungarianLoss(prediction, target).item()).toBe(0);
});

test('only matched pairs have a gradient, and what is not matched cannot spoil it', () => {
  const prediction = ups.tensor([[1], [1e38], [3]], { requiresGrad: true }); // the square of 1e38 is infinite
  const target = { values: [[1.5], [3]], offsets: [0, 2] };
  const loss = ups.hungarianLoss({ values: prediction, offsets: [0, 3] }, target);
  expect(loss.item()).toBeCloseTo(0.125, 6);
  loss.backward();
  expect(prediction.grad!.toArray()).toEqual([[-0.5], [0], [0]]);
});

test('NaN is not passed over', () => {
  const prediction = { values: [[NaN], [1]], offsets: [0, 1, 2] };
  expect(ups.hungarianLoss(prediction, { values: [[1], [1]], offsets: [0, 1, 2] }).item()).toBeNaN();
});

test('matchedLoss: pairs by one cost, loss by another', () => {
  const cost = [
    [0, 1],
    [1, 0],
  ];
  const pairLoss = ups.tensor(
    [
      [2, 30],
      [40, 5],
    ],
    { requiresGrad: true },
  );
  const loss = ups.matchedLoss(cost, pairLoss);
  expect(loss.item()).toBe(3.5);
  loss.backward();
  expect(pairLoss.grad!.toArray()).toEqual([
    [0.5, 0],
    [0, 0.5],
  ]);
  expect(ups.matchedLoss(cost, pairLoss, { maximize: true, reduction: 'sum' }).item()).toBe(70);
  const batch = ups.matchedLoss([cost, [[1, 0], [0, 1]]], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]); // prettier-ignore
  expect(batch.item()).toBe((1 + 4 + 6 + 7) / 4);
  expect(ups.matchedLoss([[Infinity]], [[1]]).item()).toBeNaN();
});

test('matchedLoss and pairCost make hungarianLoss; unmatched rows have a gradient', () => {
  const prediction = random([6, 2], 5),
    target = random([3, 2], 6);
  const sets = [
    { values: prediction, offsets: [0, 2, 6] },
    { values: target, offsets: [0, 1, 3] },
  ] as const;
  const unmatched = random([6], 7);
  const costs = ups.pairCost(...sets, { kind: 'absoluteError' });
  expect(ups.matchedLoss(costs, costs.values).item()).toBe(
    ups.hungarianLoss(...sets, { pairCost: 'absoluteError' }).item(),
  );
  checkGradients([prediction, unmatched], () => {
    const cost = ups.pairCost(...sets);
    return ups.matchedLoss(cost, cost.values, { unmatched, unmatchedWeight: 0.5 });
  });
});

test('out, float32, promises, the emulated device', async () => {
  const prediction = ups.ragged({ values: random([9, 3], 8, 'float32'), offsets: [0, 4, 9] }),
    target = ups.ragged({ values: random([7, 3], 9, 'float32'), offsets: [0, 5, 7] });
  const options = { noObject: [0, 1, 0] };
  const expected = ups.hungarianLoss(prediction, target, options).item();
  const out = ups.zeros([]);
  ups.hungarianLoss(prediction, target, { ...options, out });
  expect(out.item()).toBe(expected);
  expect((await promises.hungarianLoss(prediction, target, options)).item()).toBe(expected);
  if (!ups.devices().some(({ name }) => name === 'emulated:0')) return;
  const there = [prediction.to('emulated:0'), target.to('emulated:0')] as const;
  const noObject = ups.tensor([0, 1, 0], { device: 'emulated:0' });
  expect(
    ups
      .hungarianLoss(...there, { noObject })
      .to('cpu')
      .item(),
  ).toBeCloseTo(expected, 5);
});

test('messages', () => {
  const set = (rows: number, offsets: number[], width = 2): ups.RaggedLike => ({
    values: ups.zeros([rows, width]),
    offsets,
  });
  const message = (...given: Parameters<typeof ups.hungarianLoss>): string =>
    thrown(() => ups.hungarianLoss(...given)).message;
  expect(message(set(2, [0, 2]), set(2, [0, 1, 2]))).toBe(
    'hungarianLoss: target has 2 events but prediction has 1 (expected as many)',
  );
  expect(message(set(2, [0, 3]), set(2, [0, 2]))).toContain('predictionOffsets ends with 3');
  expect(message(set(2, [0, 2]), set(2, [0, 2], 3))).toContain('target is [2, 3]');
  expect(message(set(2, [0, 2]), set(2, [0, 2]), { noObject: [1] })).toContain('noObject is [1]');
  expect(message(set(2, [0, 2]), set(2, [0, 2]), { pairCost: 'x' as ups.PairCostKind })).toContain('crossEntropy');
  expect(message(set(2, [0, 2]), set(2, [0, 2]), { kind: 'x' } as ups.HungarianLossOptions)).toContain('kind');
  expect(thrown(() => ups.matchedLoss([[1, 2]], [1])).message).toBe(
    'matchedLoss: pairLoss is [1] but there are 2 costs (expected one of each)',
  );
});

test('no input crashes or goes unnoticed', () => {
  const values = fc.oneof(
    fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 2 })).map(([n, f]) => {
      const made = ups.zeros([n, f]);
      (made.data as Float32Array).set(numbers(n * f));
      return made;
    }),
    fc.anything(),
  );
  const offsets = fc.oneof(fc.array(fc.integer({ min: -1, max: 5 }), { maxLength: 4 }), fc.anything());
  const sets = fc.oneof(fc.record({ values, offsets }), fc.anything());
  fc.assert(
    fc.property(sets, sets, values, (prediction, target, noObject) => {
      try {
        const options = { noObject } as ups.HungarianLossOptions;
        expect(ups.hungarianLoss(prediction as ups.Ragged, target as ups.Ragged, options).shape).toEqual([]);
      } catch (error) {
        if (!(error instanceof ups.UpsilonError)) throw error;
      }
      try {
        expect(ups.matchedLoss(prediction as ups.TensorLike, target as ups.TensorLike).shape).toEqual([]);
      } catch (error) {
        if (!(error instanceof ups.UpsilonError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});
