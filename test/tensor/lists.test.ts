// Plain lists of numbers: which element type they get where, and shapes that they do not say.
import * as ups from 'upsilon-kernels';

import { thrown } from '../helpers';

// Three numbers of which float32 makes two.
const close = [0.9, 0.99999999, 0.999999999];
const binning = { edges: [0.95, 0.999999995, 1] };
const toData = (tensor: ups.Tensor): number[] => Array.from(tensor.data as Float64Array);

describe('lists are float64 in operations that compare or count', () => {
  const labels = [0, 0, 1];
  const exact: [string, () => unknown, unknown][] = [
    ['argsort', () => toData(ups.argsort([0.999999999, 0.99999999])), [1, 0]],
    [
      'argsort of values and offsets',
      () => toData(ups.argsort({ values: [0.999999999, 0.99999999], offsets: [0, 2] }).values),
      [1, 0],
    ],
    ['histogram', () => toData(ups.histogram(close, binning).counts), [1, 1]],
    [
      'histogram, edges that are values',
      () => toData(ups.histogram([0.1, 0.3, 0.6, 0.7, 0.9], { edges: [0, 0.1, 0.3, 0.6, 0.7, 0.9, 1] }).counts),
      [0, 1, 1, 1, 1, 1],
    ],
    [
      'histogram, weights',
      () => toData(ups.histogram([1, 1], { bins: 1, range: [0, 2], weights: [1, 1e-12] }).counts),
      [1 + 1e-12],
    ],
    ['histogram2d', () => toData(ups.histogram2d(close, close, { x: binning, y: binning }).counts), [1, 0, 0, 1]],
    ['rocAuc', () => ups.rocAuc(close, labels).item(), 1],
    ['rocCurve', () => toData(ups.rocCurve(close, labels).thresholds), [Infinity, close[2], close[1], close[0]]],
    ['backgroundRejection', () => toData(ups.backgroundRejection(close, labels, 1).thresholds), [close[2]]],
    ['klDivergence', () => ups.klDivergence([1, 1 + 1e-12], [1, 1]).item() !== 0, true],
    [
      'inverseJsd',
      () => toData(ups.inverseJsd(close, labels, [1, 1, 1], { efficiency: 1, bins: 1, range: [0, 2] }).threshold),
      [close[2]],
    ],
    ['ddt', () => toData(ups.ddt(close, [1, 1, 1], { efficiency: 0.5, bins: 1, range: [0, 2] }).cuts), [close[1]]],
    [
      'planingWeights',
      () => toData(ups.planingWeights([1, 1, 3], { bins: 2, range: [0, 4], weights: [1, 1e-12, 1] })),
      [1, 1e-12, 1].map((weight, i) => (i < 2 ? (weight / (1 + 1e-12)) * ((2 + 1e-12) / 2) : (2 + 1e-12) / 2)),
    ],
    ['distanceCorrelation', () => ups.distanceCorrelation(close, [1, 2, 3]).item() < 0.9999, true],
    [
      'distanceCorrelations',
      () => ups.distanceCorrelations([close], [1, 2, 3]).item() === ups.distanceCorrelation(close, [1, 2, 3]).item(),
      true,
    ],
    ['linearSumAssignment', () => toData(ups.linearSumAssignment([close.slice(1)], { maximize: true }).columns), [1]],
  ];
  test.each(exact)('%s', (_, compute, expected) => {
    const found = compute();
    if (Array.isArray(found))
      expect(found.map(Number)).toEqual((expected as number[]).map((x) => expect.closeTo(x, 15)));
    else expect(found).toBe(expected);
  });
});

test('lists take the element type of the tensors beside them', () => {
  const x = ups.tensor([1, 2, 4]);
  expect(x.dtype).toBe('float32');
  expect(ups.distanceCorrelation(x, [1, 2, 3]).dtype).toBe('float64'); // and no DTypeError
  expect(ups.distanceCorrelation([1, 2, 3], x, { weights: [1, 2, 1] }).dtype).toBe('float64');
  expect(toData(ups.histogram(x, { bins: 1, range: [0, 5], weights: [1, 1, 1] }).counts)).toEqual([3]);
  expect(
    toData(ups.histogram2d([1, 2, 3], x, { x: { bins: 1, range: [0, 5] }, y: { bins: 1, range: [0, 5] } }).counts),
  ).toEqual([3]);
  expect(ups.rocAuc(x, [0, 0, 1], { weights: [1, 1, 1] }).item()).toBe(1);
  expect(ups.linear([[1, 2, 3]], ups.tensor([[1, 1, 1]], { dtype: 'float64' })).dtype).toBe('float64');
  expect(ups.linear([[1, 2, 3]], [[1, 1, 1]]).dtype).toBe('float32');
});

test('a shape may leave one size open', () => {
  expect(ups.tensor([1, 2, 3, 4], { shape: [-1, 2] }).toArray()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(ups.tensor([1, 2, 3, 4], { shape: [4, -1, 1] }).shape).toEqual([4, 1, 1]);
  expect(ups.tensor([], { shape: [-1, 2] }).shape).toEqual([0, 2]);
  for (const shape of [
    [-1, -1],
    [-1, 3],
    [-2, 2],
    [-1, 0],
  ])
    expect(thrown(() => ups.tensor([1, 2, 3, 4], { shape }))).toMatchObject({ name: 'ShapeError', argument: 'shape' });
});

test('ragged takes a list per event', () => {
  const numbers = ups.ragged([[1, 2], [], [3]]);
  expect(numbers.values.toArray()).toEqual([1, 2, 3]);
  expect(numbers.offsets.toArray()).toEqual([0, 2, 2, 3]);
  expect(numbers.values.dtype).toBe('float32');
  const rows = ups.ragged([
    [[1, 2]],
    [
      [3, 4],
      [5, 6],
    ],
  ]);
  expect(rows.values.shape).toEqual([3, 2]);
  expect(rows.offsets.toArray()).toEqual([0, 1, 3]);
  expect(ups.ragged([]).length).toBe(0);
  expect(ups.ragged([[], []]).length).toBe(2);
  expect(thrown(() => ups.ragged([[1], 2 as never]))).toMatchObject({ name: 'DTypeError', argument: 'list' });
  expect(thrown(() => ups.ragged([[[1, 2]], [[3]]]))).toMatchObject({ name: 'ShapeError', argument: 'list' });
  expect(thrown(() => ups.ragged([new Array<number>(2)]))).toMatchObject({ name: 'DTypeError', argument: 'list' });
  expect(thrown(() => ups.ragged([['a' as never]], { name: 'pt' }))).toMatchObject({
    name: 'DTypeError',
    argument: 'pt',
  });
});
