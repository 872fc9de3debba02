// batchNorm, instanceNorm, moments, dropout and concat, as users see them.
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, random, thrown } from '../helpers';

const positive = (channels: number, seed: number): ups.Tensor =>
  ups.tensor(Float64Array.from(random([channels], seed).data as Float64Array, (value) => value + 1.5));

describe('batchNorm', () => {
  test.each([[[6, 3]], [[4, 3, 2]], [[3, 2, 2, 1, 3]]])('gradients in both modes, of x %p', (shape) => {
    const channels = shape[1];
    const x = random(shape, 1),
      residual = random(shape, 2),
      weight = random([channels], 3),
      bias = random([channels], 4),
      mean = random([channels], 5),
      variance = positive(channels, 6);
    const mask = shape.length === 2 ? Uint8Array.of(1, 1, 0, 1, 0, 1) : undefined;
    for (const activation of ['none', 'gelu'] as const) {
      const options = { weight, bias, residual, mask, activation };
      checkGradients([x, weight, bias, residual], () => ups.batchNorm(x, { mean, variance, ...options }));
      checkGradients([x, weight, bias, residual], () => ups.batchNorm(x, { training: true, ...options }));
    }
  });

  test('training moves the running statistics, inference uses them', () => {
    const mean = Float32Array.of(0, 0),
      variance = Float32Array.of(1, 1);
    const x = ups.tensor([
      [1, 10],
      [3, 30],
    ]);
    const y = ups.batchNorm(x, { mean, variance, eps: 0, training: true, momentum: 0.5 });
    expect(y.toArray()).toEqual([
      [-1, -1],
      [1, 1],
    ]);
    expect([...mean]).toEqual([1, 10]);
    expect([...variance]).toEqual([1.5, 100.5]);
    const z = ups.batchNorm(x, { mean: [1, 10], variance: [4, 100], eps: 0 });
    expect(z.toArray()).toEqual([
      [0, 0],
      [1, 2],
    ]);
    expect(ups.batchNorm(x, { eps: 0, training: true }).toArray()).toEqual(y.toArray());
  });

  test('padding counts nowhere', () => {
    const rows = random([5, 4], 1, 'float32'),
      padded = ups.tensor(new Float32Array(32).fill(1e6), { shape: [8, 4] });
    const mask = Uint8Array.of(0, 1, 1, 0, 1, 1, 1, 0);
    const places = [1, 2, 4, 5, 6];
    places.forEach((to, from) => padded.data.set(rows.data.subarray(4 * from, 4 * from + 4) as never, 4 * to));
    const expected = ups.batchNorm(rows, { training: true }),
      found = ups.batchNorm(padded, { training: true, mask });
    places.forEach((to, from) =>
      expect([...found.data.subarray(4 * to, 4 * to + 4)]).toEqual([...expected.data.subarray(4 * from, 4 * from + 4)]),
    );
    expect([...found.data.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
  });

  test('a large offset costs no accuracy', () => {
    const x = Float32Array.from({ length: 3000 }, (_, i) => 1e4 + (i % 3));
    const y = ups.batchNorm(ups.tensor(x, { shape: [3000, 1] }), { training: true, eps: 0 }).data;
    expect(y[0]).toBeCloseTo(-Math.sqrt(1.5), 5);
    expect(y[1]).toBeCloseTo(0, 5);
  });

  test('off the thread', async () => {
    const x = random([50, 3], 1, 'float32'),
      mean = new Float32Array(3),
      variance = new Float32Array(3).fill(1);
    const y = await promises.batchNorm(x, { mean, variance, training: true });
    expect(y.toArray()).toEqual(ups.batchNorm(x, { training: true }).toArray());
    expect(mean.every((value) => value !== 0)).toBe(true);
  });

  test('out is written to, and the tape goes through it', () => {
    const x = ups.tensor(random([6, 2], 1, 'float32'), { requiresGrad: true });
    const out = ups.zeros([6, 2]);
    const y = ups.batchNorm(x, { training: true, out });
    expect(y.data).toBe(out.data);
    y.backward(ups.tensor(new Float32Array(12).fill(1), { shape: [6, 2] }));
    expect(Math.max(...[...x.grad!.data].map((value) => Math.abs(Number(value))))).toBeLessThan(1e-6);
  });

  test('refuses invalid input', () => {
    const x = ups.zeros([4, 3]),
      three = [1, 1, 1];
    const cases: [unknown, unknown, object][] = [
      [x, undefined, { name: 'ValueError', argument: 'options' }],
      [x, {}, { name: 'ValueError', argument: 'mean' }],
      [x, { mean: three }, { name: 'ValueError', argument: 'variance' }],
      [x, { mean: [1, 1], variance: three }, { name: 'ShapeError' }],
      [x, { mean: three, variance: three, weight: [1] }, { name: 'ShapeError', argument: 'weight' }],
      [x, { mean: three, variance: three, training: 1 }, { name: 'ValueError', argument: 'training' }],
      [x, { mean: three, variance: three, training: true }, { name: 'ValueError', argument: 'mean' }],
      [x, { training: true, momentum: 2 }, { name: 'ValueError', argument: 'momentum' }],
      [x, { training: true, mask: [1] }, { name: 'ShapeError', argument: 'mask' }],
      [x, { training: true, mask: new Float32Array(4) }, { name: 'DTypeError', argument: 'mask' }],
      [x, { training: true, residual: ups.zeros([4, 2]) }, { name: 'ShapeError', argument: 'residual' }],
      [x, { training: true, mean: new Float64Array(3) }, { name: 'DTypeError', argument: 'mean' }],
      [x, { training: true, mean: new Float32Array(2) }, { name: 'ShapeError', argument: 'mean' }],
      [[1, 2], { training: true }, { name: 'ShapeError', argument: 'x' }],
      [x, { training: true, epsilon: 1 }, { name: 'ValueError', argument: 'epsilon' }],
    ];
    for (const [input, options, expected] of cases)
      expect(thrown(() => ups.batchNorm(input as never, options as never))).toMatchObject({
        operation: 'batchNorm',
        ...expected,
      });
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (input, options) => {
        try {
          ups.batchNorm(input as never, options as never);
        } catch (error) {
          expect(error).toBeInstanceOf(ups.UpsilonError);
        }
      }),
    );
  });
});

describe('instanceNorm', () => {
  test.each([[[2, 3, 4]], [[3, 2, 2, 3]], [[2, 2, 2, 1, 3]], [[1, 2, 4]]])('gradients, of x %p', (shape) => {
    const x = random(shape, 1),
      weight = random([shape[1]], 2),
      bias = random([shape[1]], 3);
    for (const activation of ['none', 'gelu'] as const)
      checkGradients([x, weight, bias], () => ups.instanceNorm(x, { weight, bias, activation }));
    checkGradients([x], () => ups.instanceNorm(x));
  });

  test('looks at one channel of one sample', async () => {
    const x = ups.tensor([
      [
        [1, 3],
        [10, 30],
      ],
      [
        [NaN, 1],
        [7, 7],
      ],
    ]);
    const y = ups.instanceNorm(x, { eps: 0, weight: [1, 2], bias: [0, 0.5], activation: 'relu' });
    expect((y.toArray() as number[][][])[0]).toEqual([
      [0, 1],
      [0, 2.5],
    ]);
    expect([...y.data.subarray(4, 6)]).toEqual([NaN, NaN]);
    const out = ups.zeros([2, 2, 2]);
    const z = await promises.instanceNorm(x, { weight: [1, 2], bias: [0, 0.5], out });
    expect(z.data).toBe(out.data);
    expect([...z.data]).toEqual([...ups.instanceNorm(x, { weight: [1, 2], bias: [0, 0.5] }).data]);
    // One place says nothing but the bias; PyTorch refuses it.
    expect([...ups.instanceNorm(ups.zeros([2, 2, 1]), { bias: [1, 2] }).data]).toEqual([1, 2, 1, 2]);
    for (const shape of [
      [0, 2, 3],
      [2, 0, 3],
      [2, 3, 0],
    ])
      expect(ups.instanceNorm(ups.zeros(shape), { weight: new Float32Array(shape[1]) }).shape).toEqual(shape);
  });

  test('refuses invalid input', () => {
    const x = ups.zeros([2, 3, 4]);
    const cases: [unknown, unknown, object][] = [
      [x, null, { name: 'ValueError', argument: 'options' }],
      [ups.zeros([2, 3]), {}, { name: 'ShapeError', argument: 'x' }],
      [ups.zeros([2, 3, 4], { dtype: 'int32' }), {}, { name: 'DTypeError', argument: 'x' }],
      [x, { weight: [1, 1] }, { name: 'ShapeError', argument: 'weight' }],
      [x, { bias: ups.zeros([2, 3]) }, { name: 'ShapeError', argument: 'bias' }],
      [x, { bias: new Float64Array(3) }, { name: 'DTypeError', argument: 'bias' }],
      [x, { out: ups.zeros([2, 12]) }, { name: 'ShapeError', argument: 'out' }],
      [x, { eps: 'small' }, { name: 'ValueError', argument: 'eps' }],
      [x, { activation: 'swish' }, { name: 'ValueError', argument: 'activation' }],
      [x, { training: true }, { name: 'ValueError', argument: 'training' }],
    ];
    for (const [input, options, expected] of cases)
      expect(thrown(() => ups.instanceNorm(input as never, options as never))).toMatchObject({
        operation: 'instanceNorm',
        ...expected,
      });
    expect(thrown(() => ups.batchNorm(x, { training: true, bias: new Float64Array(3) })).operation).toBe('batchNorm');
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (input, options) => {
        try {
          ups.instanceNorm(input as never, options as never);
        } catch (error) {
          expect(error).toBeInstanceOf(ups.UpsilonError);
        }
      }),
    );
  });
});

describe('moments that a convolution has taken', () => {
  const x = random([2, 3, 4, 5, 6], 1),
    weight = random([5, 3, 2, 3, 3], 2);
  const shape = [2, 5, 3, 3, 4],
    pairs = [2, 5, 2];
  const affine = (extents: number[]) => ({ weight: random(extents, 3), bias: random(extents, 4) });
  type Norm = (y: ups.Tensor, moments?: ups.Tensor) => ups.Tensor;
  const norms: [string, Norm][] = [
    [
      'layerNorm',
      (y, moments) => ups.layerNorm(y, { axes: [2, 3, 4], ...affine([3, 3, 4]), activation: 'relu', moments }),
    ],
    ['batchNorm', (y, moments) => ups.batchNorm(y, { training: true, ...affine([5]), activation: 'relu', moments })],
    ['instanceNorm', (y, moments) => ups.instanceNorm(y, { ...affine([5]), activation: 'relu', moments })],
  ];
  const moments = (): ups.Tensor => ups.zeros(pairs, { dtype: 'float64' });

  test('are those of every channel of every sample', () => {
    const found = moments();
    const y = ups.conv3d(x, weight, { activation: 'tanh', moments: found });
    expect(y.shape).toEqual(shape);
    const places = 3 * 3 * 4;
    for (let row = 0; row < 10; ++row) {
      const values = [...y.data.subarray(row * places, (row + 1) * places)].map(Number);
      const mean = values.reduce((sum, value) => sum + value, 0) / places;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / places;
      expect(found.data[2 * row]).toBeCloseTo(mean, 12);
      expect(found.data[2 * row + 1]).toBeCloseTo(variance, 12);
    }
  });

  test.each(norms)('serve %s, forward and backward', (_name, norm) => {
    const found = moments();
    const plain = norm(ups.conv3d(x, weight));
    const y = ups.conv3d(x, weight, { moments: found });
    norm(y, found).data.forEach((value, i) => expect(value).toBeCloseTo(Number(plain.data[i]), 12));
    const leaf = random([2, 3, 4, 5, 6], 1);
    checkGradients([leaf, weight], () => {
      const of = moments();
      return norm(ups.conv3d(leaf, weight, { moments: of }), of);
    });
  });

  test('serve the running statistics of batchNorm, and padding', () => {
    const found = moments(),
      y = ups.conv3d(x, weight, { moments: found });
    const run = (given?: ups.Tensor): number[] => {
      const mean = new Float64Array(5),
        variance = new Float64Array(5).fill(1);
      ups.batchNorm(y, { training: true, mean, variance, mask: Uint8Array.of(0, 1), moments: given });
      return [...mean, ...variance];
    };
    run(found).forEach((value, c) => expect(value).toBeCloseTo(run()[c], 12));
  });

  const emulated = ups.devices().some(({ name }) => name === 'emulated:0');
  (emulated ? test : test.skip)('on a device too', () => {
    const [there, of] = [x, weight].map((value) => ups.tensor(value, { dtype: 'float32' }).to('emulated:0'));
    const found = moments().to('emulated:0');
    const y = ups.conv3d(there, of, { moments: found });
    const z = ups.instanceNorm(y, { moments: found }).to('cpu');
    const expected = ups.instanceNorm(ups.conv3d(x, weight));
    z.data.forEach((value, i) => expect(value).toBeCloseTo(Number(expected.data[i]), 4));
  });

  test('are refused where they do not fit', () => {
    const y = ups.conv3d(x, weight);
    const short = ups.zeros([2, 5], { dtype: 'float64' }),
      single = ups.zeros(pairs, { dtype: 'float32' });
    expect(thrown(() => ups.conv3d(x, weight, { moments: short })).message).toBe(
      'conv3d: moments is [2, 5] (expected [2, 5, 2])',
    );
    expect(thrown(() => ups.conv3d(x, weight, { moments: single })).message).toMatch(/^conv3d: moments is float32/);
    expect(thrown(() => ups.conv3d(x, weight, { moments: [[[0, 0]]] as never })).message).toMatch(/^conv3d: moments/);
    for (const [name, norm] of norms) {
      expect(thrown(() => norm(y, short)).message).toBe(
        `${name}: moments is [2, 5] (expected [2, 5, 2], mean and variance)`,
      );
      expect(thrown(() => norm(y, single)).message).toMatch(new RegExp(`^${name}: moments is float32`));
    }
    expect(
      thrown(() => ups.batchNorm(y, { mean: new Float64Array(5), variance: new Float64Array(5), moments: moments() })),
    ).toBeInstanceOf(ups.ValueError);
  });
});

describe('dropout', () => {
  test('drops by the numbers of random, and scales the others', () => {
    const x = random([300], 1, 'float32');
    const drawn = ups.random.uniform([300], { seed: 9, stream: 2 }).data;
    const y = ups.dropout(x, { p: 0.25, seed: 9, stream: 2 });
    x.data.forEach((value: number | bigint, i: number) =>
      expect(y.data[i]).toBe(drawn[i] < 0.25 ? 0 : Math.fround(Number(value) * Math.fround(1 / 0.75))),
    );
  });

  test('has the same mask in its gradient', () => {
    const x = random([7, 3], 1);
    checkGradients([x], () => ups.dropout(x, { p: 0.4, seed: 1 }));
    checkGradients([x], () => ups.dropout(x, { seed: 1, training: false }).reshape([21]));
  });

  test('does nothing when not in training', () => {
    const x = random([5], 1, 'float32');
    expect(ups.dropout(x, { seed: 1, training: false })).toBe(x);
    const out = ups.zeros([5]);
    ups.dropout(x, { seed: 1, training: false, out });
    expect([...out.data]).toEqual([...x.data]);
  });

  test('refuses invalid input', () => {
    for (const p of [-0.1, 1.1, NaN, '0.5'])
      expect(thrown(() => ups.dropout([1], { p: p as never, seed: 1 }))).toMatchObject({ argument: 'p' });
    expect(thrown(() => ups.dropout([1], { p: 0.5 } as never))).toMatchObject({ name: 'ValueError', argument: 'seed' });
    expect(thrown(() => ups.dropout([1], { seed: 1.5 }))).toMatchObject({ name: 'ValueError', argument: 'seed' });
    expect(thrown(() => ups.dropout([1], { seed: 1, rate: 1 } as never))).toMatchObject({ argument: 'rate' });
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (x, options) => {
        try {
          ups.dropout(x as never, options as never);
        } catch (error) {
          expect(error).toBeInstanceOf(ups.UpsilonError);
        }
      }),
    );
  });
});

describe('concat', () => {
  test('puts features side by side, any number of tensors', () => {
    expect(
      ups
        .concat([
          [[1], [2]],
          [
            [3, 4],
            [5, 6],
          ],
        ])
        .toArray(),
    ).toEqual([
      [1, 3, 4],
      [2, 5, 6],
    ]);
    for (const count of [8, 9, 20, 70]) {
      const parts = Array.from({ length: count }, (_, k) => ups.tensor([[k], [-k]]));
      expect(ups.concat(parts).toArray()).toEqual([
        Array.from({ length: count }, (_, k) => k),
        Array.from({ length: count }, (_, k) => -k),
      ]);
    }
  });

  test('has slices as gradients', () => {
    const a = random([2, 3, 1], 1),
      b = random([2, 3, 4], 2),
      many = Array.from({ length: 10 }, (_, k) => random([2, 2], k + 3));
    checkGradients([a, b], () => ups.concat([a, b, a]));
    checkGradients(many, () => ups.concat(many));
  });

  test('copies nothing where it need not', () => {
    const x = random([2, 3], 1, 'float32');
    expect(ups.concat([x])).toBe(x);
    const memory = new Float32Array(10);
    const whole = ups.concat([memory.subarray(2, 5), memory.subarray(5, 9)]);
    expect(whole.shape).toEqual([7]);
    memory[6] = 1;
    expect(whole.data[4]).toBe(1);
    expect(ups.concat([memory.subarray(5, 9), memory.subarray(2, 5)]).data.buffer).not.toBe(memory.buffer);
  });

  test('refuses what does not fit', () => {
    expect(thrown(() => ups.concat([]))).toMatchObject({ name: 'ValueError', argument: 'tensors' });
    expect(thrown(() => ups.concat([ups.zeros([2, 1]), ups.zeros([3, 1])]))).toMatchObject({ name: 'ShapeError' });
    expect(thrown(() => ups.concat([ups.zeros([2, 1]), ups.zeros([2])]))).toMatchObject({ name: 'ShapeError' });
    expect(thrown(() => ups.concat([ups.zeros([]), ups.zeros([])]))).toMatchObject({ name: 'ShapeError' });
    expect(thrown(() => ups.concat([ups.zeros([2, 1]), ups.zeros([2, 1], { dtype: 'float64' })]))).toMatchObject({
      name: 'DTypeError',
      operation: 'concat',
    });
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (tensors, options) => {
        try {
          ups.concat(tensors as never, options as never);
        } catch (error) {
          expect(error).toBeInstanceOf(ups.UpsilonError);
        }
      }),
    );
  });
});
