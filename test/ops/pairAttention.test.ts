// Attention with a bias from pairs of particles: PyTorch's results and gradients (tools/golden),
// what stored pair features and a stored bias give, memory, and inputs that do not fit.
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, random, thrown } from '../helpers';

type Tensors = Record<string, ups.Tensor>;

const golden = (name: string): Tensors =>
  ups.safetensors.load(join(__dirname, '..', '..', 'test', 'golden', `${name}.safetensors`));
const list = (tensor: ups.Tensor): number[] => Array.from(tensor.data as Float32Array);

function expectClose(found: ups.Tensor, expected: ups.Tensor, tolerance = 1e-5): void {
  expect(found.shape).toEqual(expected.shape);
  const values = list(found),
    wanted = list(expected);
  const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  wanted.forEach((value, i) => {
    if (!(Math.abs(values[i] - value) <= tolerance * scale))
      throw new Error(`[${i}] is ${values[i]}, expected ${value}`);
  });
}

/** Four-momenta of massive particles. */
function momenta(count: number, seed: number, dtype: ups.DType = 'float64'): ups.Tensor {
  const p = list(random([count, 3], seed));
  const rows = Array.from({ length: count }, (_, i) => p.slice(3 * i, 3 * i + 3));
  const made = Float64Array.from(rows.flatMap((row) => [...row, Math.hypot(0.2, ...row)]));
  return ups.tensor(ups.tensor(made, { dtype }), { shape: [count, 4] });
}

/** Events of these sizes, with two heads of 3 and of 2 values, and two layers. */
function example(sizes: number[], dtype: ups.DType = 'float64') {
  const offsets = Int32Array.from([0, ...sizes.map((_, i) => sizes.slice(0, i + 1).reduce((a, b) => a + b, 0))]);
  const count = offsets[sizes.length];
  const [q, k] = [1, 2].map((seed) => random([count, 6], seed, dtype)),
    v = random([count, 4], 3, dtype);
  const parameters = [random([5, 4], 4, dtype), random([5], 5, dtype), random([2, 5], 6, dtype), random([2], 7, dtype)];
  const layers: ups.Layer[] = [
    { weight: parameters[0], bias: parameters[1], activation: 'gelu' },
    { weight: parameters[2], bias: parameters[3] },
  ];
  const p4 = momenta(count, 8, dtype);
  const attend = (options: Partial<ups.AttentionOptions> = {}): ups.Tensor => {
    const at = (values: ups.Tensor) => ({ values, offsets });
    const pairBias = { momenta: p4, layers };
    return ups.attention(at(q), at(k), at(v), { heads: 2, pairBias, ...options }).values;
  };
  /** The bias as a tensor: per event `[2, n, n]`. */
  const stored = (): ups.Tensor => {
    const pairs = ups.mlp(ups.pairFeatures({ values: p4, offsets }).values, layers);
    const of = list(pairs);
    const bias: number[] = [];
    let first = 0;
    for (const n of sizes) {
      for (let head = 0; head < 2; ++head) for (let i = 0; i < n * n; ++i) bias.push(of[2 * (first + i) + head]);
      first += n * n;
    }
    return ups.tensor(bias, { dtype });
  };
  return { q, k, v, parameters, layers, p4, offsets, count, attend, stored };
}

test("is PyTorch's scaled_dot_product_attention with a mask that a network makes", () => {
  const tensors = golden('pair-attention');
  const names = ['momenta', 'q', 'k', 'v', 'weight0', 'bias0', 'weight1', 'bias1'];
  const inputs: Tensors = Object.fromEntries(names.map((n) => [n, ups.tensor(tensors[n], { requiresGrad: true })]));
  const at = (values: ups.Tensor) => ({ values, offsets: tensors['offsets'] });
  const layers: ups.Layer[] = [
    { weight: inputs['weight0'], bias: inputs['bias0'], activation: 'gelu' },
    { weight: inputs['weight1'], bias: inputs['bias1'], activation: 'tanh' },
  ];
  const { values } = ups.attention(at(inputs['q']), at(inputs['k']), at(inputs['v']), {
    heads: 2,
    pairBias: { momenta: inputs['momenta'], layers },
  });
  expectClose(values, tensors['y']);
  values.backward(tensors['dy']);
  for (const n of names) expectClose(inputs[n].grad!, tensors[`d${n}`]);
});

test.each([
  ['small events', [3, 0, 1, 40, 17]],
  ['one that is done in blocks of rows', [150, 4]],
])('is what a stored bias gives: %s', (_, sizes) => {
  const { attend, stored } = example(sizes, 'float32');
  expectClose(attend(), attend({ pairBias: undefined, bias: stored() }), 2e-6);
  expectClose(attend({ scale: 1 }), attend({ scale: 1, pairBias: undefined, bias: stored() }), 2e-6);
});

test('gradients against central differences', () => {
  const { q, k, v, parameters, p4, attend } = example([2, 0, 3]);
  checkGradients([q, k, v, p4, ...parameters], () => attend({ scale: 0.7 }));
});

test('gradients of an event in blocks are those of the reference', () => {
  const gradients = (dtype: ups.DType): ups.Tensor[] => {
    const { q, k, v, parameters, p4, attend } = example([140, 3], dtype);
    const wanted = [q, k, v, p4, ...parameters.slice(0, 3)]; // that of the last bias is 0
    for (const tensor of [...wanted, parameters[3]]) tensor.requiresGrad = true;
    attend().backward(random([143, 4], 9, dtype));
    return wanted.map((tensor) => tensor.grad!);
  };
  const exact = gradients('float64');
  gradients('float32').forEach((found, i) => expectClose(found, exact[i], 1e-4));
});

test('the bias of the last layer moves nothing', () => {
  const { parameters, attend } = example([4, 6]);
  const before = attend();
  (parameters[3].data as Float64Array).fill(3);
  expectClose(attend(), before, 1e-12);
});

test('events do not know of each other', () => {
  const { q, k, v, p4, layers, offsets, attend } = example([3, 0, 40, 1, 130], 'float32');
  const all = attend();
  for (let b = 0; b < 5; ++b) {
    const size = offsets[b + 1] - offsets[b];
    const part = (t: ups.Tensor): ups.Tensor =>
      ups.tensor((t.data as Float32Array).slice(offsets[b] * t.shape[1], offsets[b + 1] * t.shape[1]), {
        shape: [size, t.shape[1]],
      });
    const at = (t: ups.Tensor) => ({ values: part(t), offsets: [0, size] });
    const one = ups.attention(at(q), at(k), at(v), { heads: 2, pairBias: { momenta: part(p4), layers } });
    expect(list(one.values)).toEqual(list(part(all)));
  }
});

test('the order of the particles does not matter', () => {
  const { q, k, v, p4, layers, attend } = example([6]);
  const turned = (t: ups.Tensor): ups.Tensor => {
    const columns = t.shape[1];
    const rows = Array.from({ length: 6 }, (_, i) => list(t).slice(i * columns, (i + 1) * columns));
    return ups.tensor(Float64Array.from(rows.reverse().flat()), { shape: t.shape });
  };
  const at = (t: ups.Tensor) => ({ values: turned(t), offsets: [0, 6] });
  const found = ups.attention(at(q), at(k), at(v), { heads: 2, pairBias: { momenta: turned(p4), layers } });
  expectClose(turned(found.values), attend(), 1e-12);
});

test('an event of 3,000 particles, whose pairs would take 144 MB', () => {
  const { q, k, v, p4, layers, offsets, attend } = example([3000], 'float32');
  const all = attend();
  const rows = (t: ups.Tensor, i: number): ups.Tensor =>
    ups.tensor((t.data as Float32Array).slice(i * t.shape[1], (i + 1) * t.shape[1]), { shape: [1, t.shape[1]] });
  const at = (values: ups.Tensor) => ({ values, offsets });
  for (const i of [0, 1234, 2999]) {
    // The pairs of particle i are found in an event for each partner j, of i and j: its second
    // pair.
    const pairs = Float32Array.from({ length: 2 * 4 * 3000 }, (_, n) => {
      const j = Math.floor(n / 8);
      return (p4.data as Float32Array)[(n % 8 < 4 ? i : j) * 4 + (n % 4)];
    });
    const events = {
      values: ups.tensor(pairs, { shape: [6000, 4] }),
      offsets: Int32Array.from({ length: 3001 }, (_, j) => 2 * j),
    };
    const of = list(ups.mlp(ups.pairFeatures(events).values, layers));
    const bias = [0, 1].flatMap((head) => Array.from({ length: 3000 }, (_, j) => of[(4 * j + 1) * 2 + head]));
    const query = { values: rows(q, i), offsets: [0, 1] };
    expectClose(rows(all, i), ups.attention(query, at(k), at(v), { heads: 2, bias }).values, 2e-6);
  }
});

test('out, and promises', async () => {
  const { q, k, v, p4, layers, offsets, count, attend } = example([3, 2], 'float32');
  const out = new Float32Array(4 * count);
  const y = ups.noGrad(() => attend({ out: ups.tensor(out, { shape: [count, 4] }) }));
  expect(Array.from(out)).toEqual(list(y));
  const at = (values: ups.Tensor) => ({ values, offsets });
  const later = await promises.attention(at(q), at(k), at(v), { heads: 2, pairBias: { momenta: p4, layers } });
  expect(list(later.values)).toEqual(list(y));
});

const emulated = ups.devices().some(({ name }) => name === 'emulated:0');
(emulated ? test : test.skip)('on a device: the same', () => {
  const { q, k, v, p4, parameters, offsets, attend } = example([3, 2], 'float32');
  const there = (t: ups.Tensor): ups.Tensor => t.to('emulated:0');
  const at = (values: ups.Tensor) => ({ values: there(values), offsets: there(ups.tensor(offsets)) });
  const [weight0, bias0, weight1, bias1] = parameters.map(there);
  const layers: ups.Layer[] = [
    { weight: weight0, bias: bias0, activation: 'gelu' },
    { weight: weight1, bias: bias1 },
  ];
  const y = ups.attention(at(q), at(k), at(v), { heads: 2, pairBias: { momenta: there(p4), layers } });
  expectClose(y.values.to('cpu'), attend());
});

test('what does not fit is refused', () => {
  const { q, k, v, p4, layers, attend, stored } = example([3, 2]);
  const bias = (changed: Partial<ups.PairBias>) => attend({ pairBias: { momenta: p4, layers, ...changed } });
  const [first, last] = layers;
  const wrong: [() => unknown, object][] = [
    [() => attend({ bias: stored() }), { name: 'ValueError', argument: 'pairBias' }],
    [() => attend({ causal: true }), { name: 'ValueError', argument: 'pairBias' }],
    [() => attend({ dropout: 0.1, seed: 1 }), { name: 'ValueError', argument: 'pairBias' }],
    [() => attend({ pairBias: null as never }), { name: 'ValueError', argument: 'pairBias' }],
    [() => attend({ pairBias: [] as never }), { name: 'ValueError', argument: 'pairBias' }],
    [() => bias({ mass: 1 } as never), { name: 'ValueError', argument: 'mass' }],
    [() => bias({ eps: 0 }), { name: 'ValueError', argument: 'pairBias.eps' }],
    [() => bias({ momenta: undefined as never }), { name: 'DTypeError', argument: 'pairBias.momenta' }],
    [() => bias({ momenta: momenta(4, 1) }), { name: 'ShapeError', argument: 'pairBias.momenta' }],
    [() => bias({ momenta: random([5, 3]) }), { name: 'ShapeError', argument: 'pairBias.momenta' }],
    [
      () => bias({ momenta: ups.tensor(new Float64Array(20).fill(NaN), { shape: [5, 4] }) }),
      { name: 'ValueError', argument: 'pairBias.momenta' },
    ],
    [() => bias({ momenta: momenta(5, 1, 'float32') }), { name: 'DTypeError' }],
    [() => bias({ layers: [] }), { name: 'ValueError', argument: 'pairBias.layers' }],
    [() => bias({ layers: undefined }), { name: 'ValueError', argument: 'pairBias.layers' }],
    [
      () => bias({ layers: [first, ...[1, 2, 3].map(() => ({ weight: random([5, 5]) })), last] }),
      { name: 'ValueError', argument: 'pairBias.layers' },
    ],
    [() => bias({ layers: [{ width: 3 } as never] }), { name: 'ValueError', argument: 'width' }],
    [
      () => bias({ layers: [{ weight: random([5, 3]) }, last] }),
      {
        name: 'ShapeError',
        message:
          'attention: pairBias.layers[0].weight is [5, 3] (expected [..., 4]: inputs are the features of a pair)',
      },
    ],
    [
      () => bias({ layers: [first, { weight: random([3, 5]) }] }),
      { name: 'ShapeError', argument: 'pairBias.layers[1].weight' },
    ],
    [
      () => bias({ layers: [first, { weight: random([2, 6]) }] }),
      { name: 'ShapeError', argument: 'pairBias.layers[1].weight' },
    ],
    [
      () => bias({ layers: [first, { ...last, bias: random([3]) }] }),
      { name: 'ShapeError', argument: 'pairBias.layers[1].bias' },
    ],
    [
      () =>
        ups.attention(
          { values: q, offsets: [0, 3, 5] },
          { values: k, offsets: [0, 2, 5] },
          { values: v, offsets: [0, 2, 5] },
          { heads: 2, pairBias: { momenta: p4, layers } },
        ),
      { name: 'ValueError', argument: 'k' },
    ],
  ];
  for (const [call, expected] of wrong) {
    const error = thrown(call);
    expect(error).toBeInstanceOf(ups.UpsilonError);
    expect(error).toMatchObject({ operation: 'attention', ...expected });
  }
});

test('no input crashes', () => {
  const value = fc.oneof(fc.float(), fc.constantFrom(NaN, Infinity, -Infinity, 1e30, -1e30));
  const matrix = (rows: number, columns: number) =>
    fc
      .array(value, { minLength: rows * columns, maxLength: rows * columns })
      .map((numbers) => ups.tensor(Float32Array.from(numbers), { shape: [rows, columns] }));
  const extent = fc.integer({ min: 0, max: 5 });
  const call = fc
    .tuple(extent, extent, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 3, max: 4 }))
    .chain(([count, width, heads, columns]) =>
      fc.record({
        x: matrix(count, width * heads),
        p4: matrix(count, columns),
        weight: matrix(heads, 4),
        heads: fc.integer({ min: heads, max: heads + 1 }),
        offsets: fc.oneof(
          fc.constant([0, count]),
          fc.array(fc.integer({ min: -1, max: 5 }), { minLength: 1, maxLength: 4 }),
        ),
      }),
    );
  fc.assert(
    fc.property(call, ({ x, p4, weight, heads, offsets }) => {
      try {
        for (const tensor of [x, p4, weight]) tensor.requiresGrad = true;
        const set = { values: x, offsets: Int32Array.from(offsets) };
        const { values } = ups.attention(set, set, set, { heads, pairBias: { momenta: p4, layers: [{ weight }] } });
        expect(values.shape).toEqual(x.shape);
        values.backward(ups.zeros(values.shape));
        expect(p4.grad!.shape).toEqual(p4.shape);
      } catch (error) {
        if (!(error instanceof ups.UpsilonError)) throw error;
        expect(error.code).toMatch(/^ERR_UPSILON_(SHAPE|DTYPE|VALUE)$/);
      }
    }),
    { numRuns: 500 },
  );
});
