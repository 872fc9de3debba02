// attention: the definition, PyTorch's results and gradients (tools/golden), conventions, and
// inputs that do not fit.
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, numbers, random, thrown } from '../helpers';

type Tensors = Record<string, ups.Tensor>;

const golden = (name: string): Tensors =>
  ups.safetensors.load(join(__dirname, '..', '..', 'test', 'golden', `${name}.safetensors`));
const list = (tensor: ups.Tensor): number[] => Array.from(tensor.data as Float32Array);

const largest = (tensor: ups.Tensor): number =>
  list(tensor).reduce((most, value) => Math.max(most, Math.abs(value)), 1);

function expectClose(found: ups.Tensor, expected: ups.Tensor, scale = largest(expected)): void {
  expect(found.shape).toEqual(expected.shape);
  const values = list(found);
  list(expected).forEach((value, i) => {
    if (!(Math.abs(values[i] - value) <= 1e-5 * scale)) throw new Error(`[${i}] is ${values[i]}, PyTorch has ${value}`);
  });
}

/** The definition, without regard for NaN. */
function defined(
  q: number[],
  k: number[],
  v: number[],
  sizes: { queries: number; keys: number; width: number; values: number },
  scale: number,
): number[] {
  const { queries, keys, width, values } = sizes;
  const y: number[] = [];
  for (let i = 0; i < queries; ++i) {
    const scores = Array.from({ length: keys }, (_, j) => {
      let sum = 0;
      for (let c = 0; c < width; ++c) sum += q[i * width + c] * k[j * width + c];
      return sum * scale;
    });
    const most = Math.max(...scores),
      weights = scores.map((score) => Math.exp(score - most)),
      total = weights.reduce((a, b) => a + b, 0);
    for (let c = 0; c < values; ++c)
      y.push(weights.reduce((sum, weight, j) => sum + (weight / total) * v[j * values + c], 0));
  }
  return y;
}

test.each([
  ['bias', {}],
  ['causal', { causal: true }],
  ['unscaled', { scale: 1 }],
])("is PyTorch's scaled_dot_product_attention: %s", (name, options) => {
  const tensors = golden(`attention-${name}`);
  const names = ['q', 'k', 'v', ...('bias' in tensors ? ['bias'] : [])];
  const inputs: Tensors = Object.fromEntries(names.map((n) => [n, ups.tensor(tensors[n], { requiresGrad: true })]));
  const keyOffsets = tensors['keyOffsets'];
  const { values, offsets } = ups.attention(
    { values: inputs['q'], offsets: tensors['offsets'] },
    { values: inputs['k'], offsets: keyOffsets },
    { values: inputs['v'], offsets: keyOffsets },
    { heads: 2, bias: inputs['bias'], ...options },
  );
  expect(list(offsets)).toEqual(list(tensors['offsets']));
  expectClose(values, tensors['y']);
  values.backward(tensors['dy']);
  for (const n of names) expectClose(inputs[n].grad!, tensors[`d${n}`]);
});

test("is nn.MultiheadAttention's, between its projections", () => {
  const tensors = golden('multihead-attention');
  const leaf = (data: Float32Array, shape: number[]): ups.Tensor => ups.tensor(data, { shape, requiresGrad: true });
  const part = (source: ups.Tensor, i: number): Float32Array =>
    (source.data as Float32Array).slice((i * source.size) / 3, ((i + 1) * source.size) / 3);
  const x = ups.tensor(tensors['x'], { requiresGrad: true }),
    weights = [0, 1, 2].map((i) => leaf(part(tensors['inWeight'], i), [8, 8])),
    biases = [0, 1, 2].map((i) => leaf(part(tensors['inBias'], i), [8])),
    outWeight = ups.tensor(tensors['outWeight'], { requiresGrad: true });
  const [q, k, v] = weights.map((weight, i) => ({
    values: ups.linear(x, weight, { bias: biases[i] }),
    offsets: tensors['offsets'],
  }));
  const y = ups.linear(ups.attention(q, k, v, { heads: 2 }).values, outWeight, { bias: tensors['outBias'] });
  expectClose(y, tensors['y']);
  y.backward(tensors['dy']);
  expectClose(x.grad!, tensors['dx']);
  expectClose(outWeight.grad!, tensors['doutWeight']);
  [0, 1, 2].forEach((i) => {
    expectClose(weights[i].grad!, ups.tensor(part(tensors['dinWeight'], i), { shape: [8, 8] }));
    // The keys' bias shifts all scores of a query alike: its gradient is 0 but for rounding.
    expectClose(biases[i].grad!, ups.tensor(part(tensors['dinBias'], i), { shape: [8] }), largest(tensors['dinBias']));
  });
});

test('is the definition, on one event', () => {
  const sizes = { queries: 70, keys: 200, width: 5, values: 3 };
  const q = numbers(350, 1),
    k = numbers(1000, 2),
    v = numbers(600, 3);
  const keys = (data: number[], columns: number) => ({
    values: ups.tensor(Float32Array.from(data), { shape: [200, columns] }),
    offsets: [0, 200],
  });
  const y = ups.attention(
    { values: ups.tensor(Float32Array.from(q), { shape: [70, 5] }), offsets: [0, 70] },
    keys(k, 5),
    keys(v, 3),
    { heads: 1 },
  );
  expectClose(y.values, ups.tensor(Float32Array.from(defined(q, k, v, sizes, 1 / Math.sqrt(5))), { shape: [70, 3] }));
});

test('gradients against central differences', () => {
  const q = random([5, 4], 1),
    k = random([6, 4], 2),
    v = random([6, 6], 3),
    bias = random([2 * (2 * 4 + 3 * 2)], 4);
  const attend = (options: Partial<ups.AttentionOptions>) => () =>
    ups.attention(
      { values: q, offsets: [0, 2, 2, 5] },
      { values: k, offsets: [0, 4, 4, 6] },
      { values: v, offsets: [0, 4, 4, 6] },
      { heads: 2, ...options },
    ).values;
  checkGradients([q, k, v, bias], attend({ bias }));
  checkGradients([q, k, v, bias], attend({ bias, causal: true, scale: -0.7 }));
  checkGradients([q, k, v], attend({ scale: 1 }));
});

describe('dropout', () => {
  const offsets = [0, 2, 2, 5],
    keyOffsets = [0, 4, 4, 6],
    pairs = 2 * (2 * 4 + 3 * 2);
  const q = random([5, 4], 1),
    k = random([6, 4], 2),
    v = random([6, 6], 3),
    bias = random([pairs], 4);
  const attend = (options: Partial<ups.AttentionOptions>, values = v): ups.Tensor =>
    ups.attention(
      { values: q, offsets },
      { values: k, offsets: keyOffsets },
      { values, offsets: keyOffsets },
      { heads: 2, ...options },
    ).values;

  test('is that of the weights, by the numbers of random', () => {
    // With unit vectors as values, the weights come out: of every query the columns are heads x the
    // keys of its event.
    const units = ups.zeros([6, 8], { dtype: 'float64' });
    for (const [begin, end] of [
      [0, 4],
      [4, 6],
    ])
      // prettier-ignore
      for (let j = begin; j < end; ++j) for (const head of [0, 1]) (units.data as Float64Array)[j * 8 + 4 * head + (j - begin)] = 1;
    const whole = attend({ bias }, units).data,
      dropped = attend({ bias, dropout: 0.4, seed: 7, stream: 3 }, units).data;
    const drawn = ups.random.uniform([pairs], { seed: 7, stream: 3 }).data;
    let pair = 0;
    for (const [begin, end, keys] of [
      [0, 2, 4],
      [2, 5, 2],
    ])
      // prettier-ignore
      for (const head of [0, 1])
        for (let i = begin; i < end; ++i)
          for (let j = 0; j < keys; ++j, ++pair) {
            const at = i * 8 + 4 * head + j;
            expect(Number(dropped[at])).toBeCloseTo(drawn[pair] < Math.fround(0.4) ? 0 : Number(whole[at]) / 0.6, 7);
          }
    expect(pair).toBe(pairs);
  });

  test('gradients against central differences', () => {
    checkGradients([q, k, v, bias], () => attend({ bias, dropout: 0.3, seed: 1 }));
    checkGradients([q, k, v], () => attend({ causal: true, dropout: 0.6, seed: 2 }));
  });

  test('keeps its share, and the mean', () => {
    const n = 700;
    const x = { values: ups.zeros([n, 1]), offsets: [0, n] },
      ones = { values: ups.tensor(new Float32Array(n).fill(1), { shape: [n, 1] }), offsets: [0, n] };
    const y = ups.attention(x, x, ones, { heads: 1, dropout: 0.25, seed: 5 }).values;
    // Each of 490,000 weights is 0 or 4 / 3 of 1 / 700: the standard deviation of the mean is
    // 0.0008.
    expect(Math.abs(list(y).reduce((a, b) => a + b, 0) / n - 1)).toBeLessThan(0.004);
    expect(new Set(list(y)).size).toBeGreaterThan(10);
  });

  test('0 is none', () => {
    expect([...attend({ bias, dropout: 0, seed: 1 }).data]).toEqual([...attend({ bias }).data]);
  });

  test('invalid input is refused', () => {
    for (const dropout of [1, 1 - 1e-12, 1.5, -0.1, NaN, '0.5' as never])
      expect(thrown(() => attend({ dropout, seed: 1 }))).toMatchObject({ name: 'ValueError', argument: 'dropout' });
    expect(thrown(() => attend({ dropout: 0.1 }))).toMatchObject({ name: 'ValueError', argument: 'seed' });
    for (const seed of [0.5, NaN, 'a' as never])
      expect(thrown(() => attend({ dropout: 0.1, seed }))).toMatchObject({ name: 'ValueError', argument: 'seed' });
    expect(thrown(() => attend({ dropout: 0.1, seed: 1, stream: 0.5 }))).toMatchObject({ argument: 'stream' });
  });
});

test('events do not know of each other', () => {
  const sizes = [3, 0, 40, 1, 17];
  const offsets = Int32Array.from([0, ...sizes.map((_, i) => sizes.slice(0, i + 1).reduce((a, b) => a + b, 0))]);
  const x = random([61, 16], 1, 'float32');
  const all = ups.attention({ values: x, offsets }, { values: x, offsets }, { values: x, offsets }, { heads: 4 });
  sizes.forEach((size, b) => {
    const rows = (t: ups.Tensor): Float32Array => (t.data as Float32Array).slice(offsets[b] * 16, offsets[b + 1] * 16);
    const one = { values: ups.tensor(rows(x), { shape: [size, 16] }), offsets: [0, size] };
    expect(list(ups.attention(one, one, one, { heads: 4 }).values)).toEqual(Array.from(rows(all.values)));
  });
});

const of = (values: number[][], offsets = [0, values.length]) => ({
  values: ups.tensor(Float32Array.from(values.flat()), {
    shape: [values.length, values[0].length],
    requiresGrad: true,
  }),
  offsets,
});

test('masked pairs let nothing through, not even NaN', () => {
  const q = of([[1], [NaN], [1]]),
    k = of([[1], [NaN], [2]]),
    v = of([[5], [NaN], [7]]);
  const masked = -Infinity;
  // Query 0 sees keys 0 and 2, query 1 sees nothing, query 2 sees key 2.
  const bias = ups.tensor([0, masked, 0, masked, masked, masked, masked, masked, 0], { requiresGrad: true });
  const y = ups.attention(q, k, v, { heads: 1, bias, scale: 1 }).values;
  const share = Math.exp(1) / (Math.exp(1) + Math.exp(2));
  expect(y.data[0]).toBeCloseTo(5 * share + 7 * (1 - share), 5);
  expect(y.data[1]).toBe(0);
  expect(y.data[2]).toBe(7);
  y.backward([[1], [1], [1]]);
  for (const { grad } of [q.values, k.values, v.values, bias]) expect(list(grad!).some(Number.isNaN)).toBe(false);
  expect(v.values.grad!.data[1]).toBe(0);
  expect(k.values.grad!.data[1]).toBe(0);
  expect(q.values.grad!.data[1]).toBe(0);
  expect(list(bias.grad!).slice(3, 6)).toEqual([0, 0, 0]);
});

test('NaN that is seen is not hidden', () => {
  const one = of([[1], [NaN]]);
  expect(list(ups.attention(one, one, one, { heads: 1 }).values)).toEqual([NaN, NaN]);
  expect(list(ups.attention(one, one, one, { heads: 1, causal: true }).values)).toEqual([1, NaN]);
});

test.each([1e30, -1e30])('scores of %p', (score) => {
  const q = of([[score], [0]]),
    k = of([[1], [0], [1]]),
    v = of([[2], [3], [6]]);
  const y = ups.attention(q, k, v, { heads: 1, scale: 1 }).values;
  expect(y.data[0]).toBe(score > 0 ? 4 : 3);
  expect(y.data[1]).toBeCloseTo(11 / 3, 5);
  y.backward([[1], [0]]);
  expect(list(v.values.grad!)).toEqual(score > 0 ? [0.5, 0, 0.5] : [0, 1, 0]);
  const biased = ups.attention(of([[0]]), of([[0], [0]]), of([[1], [2]]), { heads: 1, bias: [score, -score] });
  expect(biased.values.item()).toBe(score > 0 ? 1 : 2);
});

test('nothing to attend to gives 0 and no gradient', () => {
  const q = of([[1], [2]]),
    none = { values: ups.zeros([0, 1]), offsets: [0, 0] };
  const y = ups.attention(q, none, none, { heads: 1 }).values;
  y.backward([[1], [1]]);
  expect([...list(y), ...list(q.values.grad!)]).toEqual([0, 0, 0, 0]);
});

test('an event of 100,000 particles', () => {
  const count = 100_000;
  const x = { values: ups.zeros([count, 2]), offsets: [0, count] };
  const few = { values: random([3, 2], 1, 'float32'), offsets: [0, 3] };
  const v = {
    values: ups.tensor(
      Float32Array.from({ length: 2 * count }, (_, i) => i % 2),
      { shape: [count, 2] },
    ),
    offsets: [0, count],
  };
  expect(list(ups.attention(few, x, v, { heads: 1 }).values).map(Math.fround)).toEqual([0, 1, 0, 1, 0, 1]);
  expect(ups.attention(x, few, few, { heads: 2 }).values.shape).toEqual([count, 2]);
});

test('out, and promises', async () => {
  const x = of([
    [1, 2],
    [3, 4],
  ]);
  const out = new Float32Array(4);
  const y = ups.noGrad(() => ups.attention(x, x, x, { heads: 2, out: ups.tensor(out, { shape: [2, 2] }) }));
  expect(Array.from(out)).toEqual(list(y.values));
  const later = await promises.attention(x, x, x, { heads: 2 });
  expect(list(later.values)).toEqual(list(y.values));
});

const emulated = ups.devices().some(({ name }) => name === 'emulated:0');
(emulated ? test : test.skip)('on a device: the same, and a bias that does not fit', () => {
  const x = of([
    [1, 2],
    [3, 4],
  ]);
  const there = ups.ragged(x).to('emulated:0');
  const y = ups.attention(there, there, there, { heads: 2 }).values;
  expectClose(y.to('cpu'), ups.attention(x, x, x, { heads: 2 }).values);
  const wrong = (): void => {
    ups.attention(there, there, there, { heads: 2, bias: ups.tensor([1, 2, 3]).to('emulated:0') });
    ups.synchronize('emulated:0');
  };
  expect(thrown(wrong)).toMatchObject({ name: 'ShapeError', operation: 'attention', argument: 'bias' });
});

test('what does not fit is refused', () => {
  const x = of([
      [1, 2],
      [3, 4],
    ]),
    wide = of([
      [1, 2, 3],
      [4, 5, 6],
    ]),
    events = of(
      [
        [1, 2],
        [3, 4],
      ],
      [0, 1, 2],
    );
  const wrong: [() => unknown, object][] = [
    [() => ups.attention(x, x, x, undefined as never), { name: 'ValueError', argument: 'options' }],
    [() => ups.attention(x, x, x, {} as never), { name: 'ValueError', argument: 'heads' }],
    [() => ups.attention(x, x, x, { heads: 0 }), { name: 'ValueError', argument: 'heads' }],
    [() => ups.attention(x, x, x, { heads: 1.5 }), { name: 'ValueError', argument: 'heads' }],
    [() => ups.attention(wide, wide, wide, { heads: 2 }), { name: 'ShapeError', argument: 'q' }],
    [() => ups.attention(x, wide, wide, { heads: 1 }), { name: 'ShapeError', argument: 'k' }],
    [() => ups.attention(x, events, events, { heads: 1 }), { name: 'ShapeError', argument: 'keyOffsets' }],
    [() => ups.attention(x, events, x, { heads: 1 }), { name: 'ValueError', argument: 'v' }],
    [() => ups.attention(x, x, x, { heads: 1, bias: [1, 2, 3] }), { name: 'ShapeError', argument: 'bias' }],
    [() => ups.attention(x, x, x, { heads: 1, bias: [] }), { name: 'ShapeError', argument: 'bias' }],
    [() => ups.attention(x, x, x, { heads: 1, mask: [] } as never), { name: 'ValueError', argument: 'mask' }],
    [() => ups.attention(x, x, x, { heads: 1, scale: 'a' as never }), { name: 'ValueError', argument: 'scale' }],
    [
      () => ups.attention({ values: x.values, offsets: [0, 3] }, x, x, { heads: 1 }),
      { name: 'ValueError', argument: 'offsets' },
    ],
    [
      () => ups.attention({ values: x.values, offsets: [0, 2 ** 31] as never }, x, x, { heads: 1 }),
      { operation: 'attention' },
    ],
  ];
  for (const [call, expected] of wrong) {
    const error = thrown(call);
    expect(error).toBeInstanceOf(ups.UpsilonError);
    expect(error).toMatchObject({ operation: 'attention', ...expected });
  }
});

test('no input crashes', () => {
  const offsets = fc.array(fc.integer({ min: -1, max: 5 }), { maxLength: 4 }).map((cuts) => Int32Array.from(cuts));
  const value = fc.oneof(fc.float(), fc.constantFrom(NaN, Infinity, -Infinity, 1e30, -1e30));
  const rows = fc
    .record({ count: fc.integer({ min: 0, max: 5 }), columns: fc.integer({ min: 0, max: 4 }), fill: value })
    .map(({ count, columns, fill }) =>
      ups.tensor(new Float32Array(count * columns).fill(fill), { shape: [count, columns] }),
    );
  const bias = fc.option(fc.array(value, { maxLength: 30 }), { nil: undefined });
  const sets = fc.oneof(
    fc.record({ values: rows, offsets }),
    rows.map((values) => ({ values, offsets: [0, values.shape[0]] })),
  );
  fc.assert(
    fc.property(
      sets,
      sets,
      fc.integer({ min: 0, max: 3 }),
      bias,
      fc.boolean(),
      (q, k, heads, numbersOfBias, causal) => {
        try {
          q.values.requiresGrad = true;
          const { values } = ups.attention(q, k, k, { heads, bias: numbersOfBias, causal });
          expect(values.shape).toEqual([q.values.shape[0], k.values.shape[1]]);
          values.backward(ups.zeros(values.shape));
        } catch (error) {
          if (!(error instanceof ups.UpsilonError)) throw error;
          expect(error.code).toMatch(/^ERR_UPSILON_(SHAPE|DTYPE|VALUE)$/);
        }
      },
    ),
    { numRuns: 500 },
  );
});
