// Operations over sets of particles.
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, random, thrown } from '../helpers';
import { inProcess } from '../runner/process';

const pools = ['sum', 'mean', 'max', 'min'] as const;

const layer = (outputs: number, inputs: number, seed: number, dtype: ups.DType = 'float64') => ({
  weight: random([outputs, inputs], seed, dtype),
  bias: random([outputs], seed + 1, dtype),
  activation: 'tanh' as const,
});

function expectClose(found: ups.Tensor, expected: ups.Tensor, tolerance = 1e-5): void {
  expect(found.shape).toEqual(expected.shape);
  (found.data as Float32Array).forEach((value, i) =>
    expect(Math.abs(value - Number(expected.data[i]))).toBeLessThan(tolerance * (1 + Math.abs(value))),
  );
}

describe('setPool with weights', () => {
  const offsets = [0, 3, 3, 7];

  test('gradients', () => {
    const x = random([7, 3], 1),
      weights = ups.tensor(Float64Array.from(random([7], 2).data as Float64Array, (weight) => 1.5 + weight));
    for (const pool of ['sum', 'mean'] as const) {
      checkGradients([x, weights], () => ups.setPool({ values: x, offsets }, pool, { weights }));
      x.requiresGrad = false;
      checkGradients([weights], () => ups.setPool({ values: x, offsets }, pool, { weights }));
    }
  });

  test('counts a particle as often as its weight says', () => {
    const values = [[1], [2], [3], [4], [5], [6], [7]];
    expect(ups.setPool({ values, offsets }, 'sum', { weights: [1, 2, 0, 1, 1, 1, 3] }).toArray()).toEqual([
      [5],
      [0],
      [36],
    ]);
    expect(ups.setPool({ values, offsets }, 'mean', { weights: [1, 3, 0, 0, 0, 0, 0] }).toArray()).toEqual([
      [1.75],
      [0],
      [0],
    ]);
  });

  test('bad input', () => {
    const x = { values: [[1]], offsets: [0, 1] };
    for (const [call, name] of [
      [() => ups.setPool(x, 'max', { weights: [1] }), 'ValueError'],
      [() => ups.setPool(x, 'sum', { weights: [1, 2] }), 'ShapeError'],
      [() => ups.setPool(x, 'sum', { weights: Int32Array.of(1) }), 'DTypeError'],
    ] as const)
      expect(thrown(call)).toMatchObject({ name, operation: 'setPool', argument: 'weights' });
  });
});

describe('multiDeepSet', () => {
  const offsets = [
    Int32Array.of(0, 20, 20, 100, 101, 300),
    Int32Array.of(0, 3, 7, 7, 60, 61),
    Int32Array.of(0, 1, 2, 3, 4, 5),
  ];
  const widths = [8, 3, 11];
  const sets = offsets.map((bounds, s) => ({
    values: random([bounds[5], widths[s]], 40 + s, 'float32'),
    offsets: bounds,
  }));
  const phi = widths.map((width, s) => [layer(17, width, 50 + 2 * s, 'float32'), layer(24, 17, 60 + 2 * s, 'float32')]);

  test.each(pools)('%s after: deepSet of every set, side by side', (pool) => {
    const fused = ups.multiDeepSet(sets, { phi, pool }).data as Float32Array;
    sets.forEach((set, s) => {
      const alone = ups.deepSet(set, { phi: phi[s], pool }).data as Float32Array;
      alone.forEach((value, i) => expect(fused[72 * Math.floor(i / 24) + 24 * s + (i % 24)]).toBe(value));
    });
  });

  test.each(pools)('%s before: the pool of all particles', (pool) => {
    const h = sets.map(({ values }, s) => ups.mlp(values, phi[s]).data as Float32Array);
    const rows: number[] = [],
      bounds = [0];
    for (let event = 0; event < 5; ++event) {
      offsets.forEach((of, s) => rows.push(...h[s].subarray(24 * of[event], 24 * of[event + 1])));
      bounds.push(rows.length / 24);
    }
    const union = { values: ups.tensor(Float32Array.from(rows), { shape: [rows.length / 24, 24] }), offsets: bounds };
    const rho = [layer(2, 24, 70, 'float32')];
    expectClose(ups.multiDeepSet(sets, { phi, pool, fuse: 'before' }), ups.setPool(union, pool));
    expectClose(ups.multiDeepSet(sets, { phi, pool, fuse: 'before', rho }), ups.mlp(ups.setPool(union, pool), rho));
  });

  test('an event does not depend on its batch', () => {
    for (const pool of pools)
      for (const fuse of ['after', 'before'] as const) {
        const all = ups.multiDeepSet(sets, { phi, pool, fuse });
        const width = all.shape[1];
        for (let event = 0; event < 5; ++event) {
          const alone = sets.map(({ values, offsets: of }, s) => ({
            values: ups.tensor((values.data as Float32Array).slice(widths[s] * of[event], widths[s] * of[event + 1]), {
              shape: [of[event + 1] - of[event], widths[s]],
            }),
            offsets: [0, of[event + 1] - of[event]],
          }));
          const found = ups.multiDeepSet(alone, { phi, pool, fuse });
          expect(found.data).toEqual(all.data.slice(width * event, width * (event + 1)));
        }
      }
  });

  test.each(pools)('gradients, %s', (pool) => {
    const x = [random([7, 3], 1), random([5, 2], 2)];
    const weights = x.map((rows, s) =>
      ups.tensor(Float64Array.from(random([rows.shape[0]], 9 + s).data as Float64Array, (weight) => 1.5 + weight)),
    );
    const networks = [[layer(4, 3, 10), layer(2, 4, 20)], [layer(2, 2, 40)]];
    const rho = { after: [layer(2, 4, 30)], before: [layer(2, 2, 30)] };
    const given = [
      { values: x[0], offsets: [0, 3, 3, 7] },
      { values: x[1], offsets: [0, 1, 4, 5] },
    ];
    const parametersOf = (layers: ups.Layer[]) => layers.flatMap((one) => [one.weight, one.bias] as ups.Tensor[]);
    for (const fuse of ['after', 'before'] as const) {
      const parameters = [...x, ...parametersOf([...networks.flat(), ...rho[fuse]])];
      checkGradients(parameters, () => ups.multiDeepSet(given, { phi: networks, pool, fuse, rho: rho[fuse] }));
      if (pool === 'max' || pool === 'min') continue;
      checkGradients([...parameters, ...weights], () =>
        ups.multiDeepSet(given, { phi: networks, pool, fuse, rho: rho[fuse], weights }),
      );
      checkGradients([x[0], weights[0]], () =>
        ups.multiDeepSet(given, { phi: networks, pool, fuse, weights: [weights[0], undefined] }),
      );
    }
  });

  test('more layers than a kernel takes, eight sets, out, promises', async () => {
    const deep = Array.from({ length: 6 }, (_, i) => ({ weight: random([2, 2], 10 + i), activation: 'tanh' as const }));
    const one = { values: random([5, 2], 1), offsets: [0, 2, 5] };
    const rows = ups.multiDeepSet(Array<typeof one>(8).fill(one), {
      phi: Array<typeof deep>(8).fill(deep),
      pool: 'mean',
    });
    const single = ups.deepSet(one, { phi: deep, pool: 'mean' }).data as Float64Array;
    expect(rows.shape).toEqual([2, 16]);
    rows.data.forEach((value, i) => expect(Number(value)).toBeCloseTo(single[2 * Math.floor(i / 16) + (i % 2)], 12));
    const out = ups.zeros([5, 72]);
    expect(ups.multiDeepSet(sets, { phi, pool: 'mean', out }).data).toBe(out.data);
    const promised = await promises.multiDeepSet(sets, { phi, pool: 'mean' });
    expect(promised.data).toEqual(out.data);
  });

  test('bad input', () => {
    const x = { values: [[1]], offsets: [0, 1] },
      good = { weight: [[1]] };
    const refused: [() => unknown, string, string][] = [
      [() => ups.multiDeepSet([], { phi: [], pool: 'sum' }), 'ValueError', 'sets'],
      [() => ups.multiDeepSet(Array(9).fill(x), { phi: Array(9).fill([good]), pool: 'sum' }), 'ValueError', 'sets'],
      [() => ups.multiDeepSet([x, x], { phi: [[good]], pool: 'sum' }), 'ShapeError', 'phi'],
      [() => ups.multiDeepSet([x], { phi: [[]], pool: 'sum' }), 'ValueError', 'phi[0]'],
      [() => ups.multiDeepSet([x], { phi: [[good]], pool: 'max', weights: [[1]] }), 'ValueError', 'weights[0]'],
      [() => ups.multiDeepSet([x], { phi: [[good]], pool: 'sum', weights: [] }), 'ValueError', 'weights'],
      [() => ups.multiDeepSet([x], { phi: [[good]], pool: 'sum', fuse: 'later' as never }), 'ValueError', 'fuse'],
      [
        () => ups.multiDeepSet([x, x], { phi: [[good], [{ weight: [[1], [2]] }]], pool: 'sum', fuse: 'before' }),
        'ShapeError',
        'phi',
      ],
      [
        () => ups.multiDeepSet([x, { values: [[1]], offsets: [0, 1, 1] }], { phi: [[good], [good]], pool: 'sum' }),
        'ShapeError',
        'sets[1].offsets',
      ],
      [
        () => ups.multiDeepSet([x, { values: [[1]], offsets: [0, 2] }], { phi: [[good], [good]], pool: 'sum' }),
        'ValueError',
        'sets[1].offsets',
      ],
      [() => ups.multiDeepSet([x], { phi: [[{ weight: [[1, 2]] }]], pool: 'sum' }), 'ShapeError', 'phi0Weight0'],
    ];
    for (const [call, name, argument] of refused)
      expect(thrown(call)).toMatchObject({ name, operation: 'multiDeepSet', argument });
  });
});

describe('softmax', () => {
  test('sums to 1, and an offset plays no part', () => {
    const x = random([5, 37], 1, 'float32');
    const y = ups.softmax(x),
      shifted = ups.softmax(
        ups.tensor(
          (x.data as Float32Array).map((value) => value + 50),
          { shape: [5, 37] },
        ),
      );
    for (let row = 0; row < 5; ++row) {
      const weights = y.data.slice(37 * row, 37 * (row + 1)) as Float32Array;
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
    }
    expectClose(y, shifted);
    expect(ups.softmax([0, -Infinity, 0]).toArray()).toEqual([0.5, 0, 0.5]);
    expect(ups.softmax([-Infinity]).item()).toBeNaN();
  });

  test('gradients', () => {
    const x = random([2, 3, 4], 1);
    checkGradients([x], () => ups.softmax(x));
  });

  test('of segments is that of every event', async () => {
    const values = random([9, 2], 3, 'float32'),
      offsets = Int32Array.of(1, 4, 4, 8);
    const found = ups.segmentSoftmax({ values, offsets });
    expect(found.offsets.data).toBe(offsets);
    expect(found.values.shape).toEqual([9, 2]);
    for (const [begin, end] of [
      [1, 4],
      [4, 8],
    ])
      for (const c of [0, 1]) {
        const column = Array.from({ length: end - begin }, (_, i) => Number(values.data[2 * (begin + i) + c]));
        const expected = ups.softmax(column).data;
        expected.forEach((value, i) =>
          expect(Number(found.values.data[2 * (begin + i) + c])).toBeCloseTo(Number(value), 6),
        );
      }
    for (const row of [0, 8]) expect(found.values.data.slice(2 * row, 2 * row + 2)).toEqual(Float32Array.of(0, 0));
    const one = ups.segmentSoftmax({ values: [1, 1, 5], offsets: [0, 2, 3] });
    expect(one.values.toArray()).toEqual([0.5, 0.5, 1]);
    const out = new Float32Array(3);
    ups.segmentSoftmax({ values: [1, 1, 5], offsets: [0, 2, 3] }, { out });
    expect([...out]).toEqual([0.5, 0.5, 1]);
    expect((await promises.segmentSoftmax({ values, offsets })).values.data).toEqual(found.values.data);
    expect((await promises.softmax([0, 0])).toArray()).toEqual([0.5, 0.5]);
  });

  test('gradients of segments', () => {
    const x = random([7, 3], 1),
      column = random([7], 2);
    checkGradients([x], () => ups.segmentSoftmax({ values: x, offsets: [0, 3, 3, 7] }).values);
    checkGradients([column], () => ups.segmentSoftmax({ values: column, offsets: [0, 3, 3, 7] }).values);
  });

  test('bad input', () => {
    expect(thrown(() => ups.softmax(Int32Array.of(1)))).toMatchObject({ name: 'DTypeError', operation: 'softmax' });
    expect(thrown(() => ups.softmax([1], { axis: 0 } as never))).toMatchObject({
      name: 'ValueError',
      argument: 'axis',
    });
    expect(thrown(() => ups.segmentSoftmax({ values: [1, 2], offsets: [0, 3] }))).toMatchObject({
      name: 'ValueError',
      operation: 'segmentSoftmax',
      argument: 'offsets',
    });
    expect(
      thrown(() => ups.segmentSoftmax({ values: [1], offsets: [0, 1] }, { out: new Float32Array(2) })),
    ).toMatchObject({
      name: 'ShapeError',
      argument: 'out',
    });
  });
});

describe('attentionPool', () => {
  const values = random([600, 24], 1, 'float32'),
    offsets = Int32Array.of(0, 20, 20, 100, 101, 600);
  const set = { values, offsets };
  const gate = [{ weight: random([1, 24], 2, 'float32') }];

  test('is segmentSoftmax, and setPool of weighted rows', () => {
    const scores = ups.linear(values, gate[0].weight);
    const weights = ups.segmentSoftmax({ values: scores, offsets }).values.reshape([600]);
    const identity = {
      weight: ups.tensor(
        Float32Array.from({ length: 24 * 24 }, (_, i) => Number(i % 25 === 0)),
        { shape: [24, 24] },
      ),
    };
    const expected = ups.deepSet(set, { phi: [identity], pool: 'sum', weights });
    expectClose(ups.attentionPool(set, { gate }), expected);
    expectClose(ups.attentionPool(set, { gate: [{ ...gate[0], bias: [7] }] }), expected);
    const deep = [layer(5, 24, 3, 'float32'), layer(1, 5, 5, 'float32')];
    const learned = ups.segmentSoftmax({ values: ups.mlp(values, deep), offsets }).values.reshape([600]);
    const features = [layer(9, 24, 7, 'float32')];
    expectClose(
      ups.attentionPool(set, { gate: deep, features }),
      ups.deepSet(set, { phi: features, pool: 'sum', weights: learned }),
    );
  });

  test('an event depends neither on its batch, nor on the order of its particles beyond rounding', async () => {
    const all = ups.attentionPool(set, { gate }).data as Float32Array;
    for (let event = 0; event < 5; ++event) {
      const rows = (values.data as Float32Array).slice(24 * offsets[event], 24 * offsets[event + 1]);
      const size = rows.length / 24;
      const pool = (particles: Float32Array) =>
        ups.attentionPool({ values: ups.tensor(particles, { shape: [size, 24] }), offsets: [0, size] }, { gate })
          .data as Float32Array;
      const expected = all.slice(24 * event, 24 * (event + 1));
      expect(pool(rows)).toEqual(expected);
      const reversed = Float32Array.from(rows, (_, i) => rows[24 * (size - 1 - Math.floor(i / 24)) + (i % 24)]);
      pool(reversed).forEach((value, c) => expect(Math.abs(value - expected[c])).toBeLessThan(1e-5));
    }
    expect((await promises.attentionPool(set, { gate })).data).toEqual(all);
  });

  test('gradients', () => {
    const x = random([7, 3], 1),
      weight = random([1, 3], 2),
      bias = random([1], 3);
    const given = { values: x, offsets: [0, 3, 3, 7] };
    const deep = [layer(4, 3, 10), layer(1, 4, 20)],
      features = [layer(2, 3, 30)];
    checkGradients([x, weight], () => ups.attentionPool(given, { gate: [{ weight }] }));
    checkGradients([x, weight, bias], () => ups.attentionPool(given, { gate: [{ weight, bias }] }));
    const trained = [...deep, ...features].flatMap((one) => [one.weight, one.bias]);
    checkGradients([x, ...trained], () => ups.attentionPool(given, { gate: deep, features }));
  });

  test('bad input', () => {
    const x = { values: [[1, 2]], offsets: [0, 1] };
    const refused: [() => unknown, string, string][] = [
      [() => ups.attentionPool(x, { gate: [] }), 'ValueError', 'gate'],
      [
        () =>
          ups.attentionPool(x, {
            gate: [
              {
                weight: [
                  [1, 2],
                  [3, 4],
                ],
              },
            ],
          }),
        'ShapeError',
        'gate',
      ],
      [() => ups.attentionPool(x, { gate: [{ weight: [[1, 2, 3]] }] }), 'ShapeError', 'weight'],
      [() => ups.attentionPool(x, { gate: [{ weight: [[1, 2]] }], heads: 2 } as never), 'ValueError', 'heads'],
      [
        () => ups.attentionPool({ values: [[1]], offsets: [0, 2] }, { gate: [{ weight: [[1]] }] }),
        'ValueError',
        'offsets',
      ],
    ];
    for (const [call, error, argument] of refused)
      expect(thrown(call)).toMatchObject({ name: error, operation: 'attentionPool', argument });
  });
});

const extent = fc.integer({ min: 0, max: 3 });
const matrix = fc.tuple(extent, extent).map(([rows, columns]) => ups.zeros([rows, columns]));
const anyOffsets = fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 5 }).map((list) => Int32Array.from(list));
const anySet = fc.record({ values: matrix, offsets: anyOffsets });
/** Runs the call; whatever it throws must be ours. */
function survives(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof ups.UpsilonError)) throw error;
    expect(error.code).toMatch(/^ERR_UPSILON_(SHAPE|DTYPE|VALUE)$/);
  }
}

const emulated = ups.devices().some(({ name }) => name === 'emulated:0');
(emulated ? test : test.skip)('on a device a set gives the same bits in any batch', () => {
  const sizes = [3, 130, 0, 20, 1, 2100, 64, 9],
    offsets = sizes.reduce((bounds, size) => [...bounds, bounds[bounds.length - 1] + size], [2]),
    values = random([offsets[8] + 5, 6], 90, 'float32'),
    phi = [layer(9, 6, 91, 'float32'), layer(7, 9, 93, 'float32')],
    gate = random([1, 6], 95, 'float32');
  const there = (tensor: ups.Tensor) => tensor.to('emulated:0');
  const moved = phi.map(({ weight, bias, activation }) => ({ weight: there(weight), bias: there(bias), activation }));
  const operations = [
    ...pools.map((pool) => (set: ups.Ragged) => ups.deepSet(set, { phi: moved, pool })),
    (set: ups.Ragged) => ups.attentionPool(set, { gate: [{ weight: there(gate) }] }),
  ];
  const batch = ups.ragged({ values, offsets }).to('emulated:0');
  for (const operation of operations) {
    const all = operation(batch).to('cpu');
    const width = all.shape[1];
    sizes.forEach((size, set) => {
      const rows = (values.data as Float32Array).slice(6 * offsets[set], 6 * offsets[set + 1]);
      const alone = ups.ragged({ values: ups.tensor(rows, { shape: [size, 6] }), offsets: [0, size] });
      expect(operation(alone.to('emulated:0')).to('cpu').data).toEqual(all.data.slice(width * set, width * (set + 1)));
    });
  }
});

test('multiDeepSet computes or throws what is ours', () => {
  const layers = fc.array(fc.record({ weight: matrix }), { maxLength: 5 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anySet, layers), { maxLength: 3 }),
      fc.constantFrom(...pools),
      fc.constantFrom<'after' | 'before'>('after', 'before'),
      (given, pool, fuse) =>
        survives(() => {
          const sets = given.map(([set]) => set),
            phi = given.map(([, network]) => network);
          expect(ups.multiDeepSet(sets, { phi, pool, fuse }).shape[0]).toBe(sets[0].offsets.length - 1);
        }),
    ),
    { numRuns: 300 },
  );
});

test('softmax, segmentSoftmax and attentionPool compute or throw what is ours', () => {
  const layers = fc.array(fc.record({ weight: matrix }), { maxLength: 2 });
  fc.assert(
    fc.property(anySet, layers, layers, (set, gate, features) => {
      survives(() => expect(ups.softmax(set.values).shape).toEqual(set.values.shape));
      survives(() => expect(ups.segmentSoftmax(set).values.shape).toEqual(set.values.shape));
      survives(() => expect(ups.attentionPool(set, { gate, features }).shape[0]).toBe(set.offsets.length - 1));
    }),
    { numRuns: 300 },
  );
});

describe("PyTorch's results", () => {
  const golden = (name: string): Record<string, ups.Tensor> =>
    ups.safetensors.load(join(__dirname, '..', '..', 'test', 'golden', `${name}.safetensors`));

  /** Compares y and all gradients of a file. */
  function check(name: string, compute: (t: Record<string, ups.Tensor>) => ups.Tensor): void {
    const tensors = golden(name);
    const trained = Object.keys(tensors).filter((key) => `d${key}` in tensors && key !== 'y');
    const inputs = { ...tensors };
    for (const key of trained) inputs[key] = ups.tensor(tensors[key], { requiresGrad: true });
    const y = compute(inputs);
    expectClose(y, tensors['y']);
    y.backward(tensors['dy']);
    for (const key of trained) expectClose(inputs[key].grad!, tensors[`d${key}`]);
  }
  const network = (t: Record<string, ups.Tensor>, name: string): ups.Layer[] =>
    [0, 1].map((l) => ({ weight: t[`${name}Weight${l}`], bias: t[`${name}Bias${l}`], activation: 'tanh' }));

  test('deepSet', () => {
    check('deep-set', (t) =>
      ups.deepSet(
        { values: t['x0'], offsets: t['offsets0'] },
        { phi: network(t, 'phi0'), pool: 'mean', weights: t['weights'], rho: network(t, 'rho') },
      ),
    );
  });

  test.each(['after', 'before'] as const)('multiDeepSet, fused %s', (fuse) => {
    check(`multi-deep-set-${fuse}`, (t) =>
      ups.multiDeepSet(
        [0, 1, 2].map((s) => ({ values: t[`x${s}`], offsets: t[`offsets${s}`] })),
        { phi: [0, 1, 2].map((s) => network(t, `phi${s}`)), pool: 'mean', fuse, rho: network(t, 'rho') },
      ),
    );
  });
});

const peakOf = process.platform === 'linux' ? test : test.skip;

peakOf('deepSet needs memory for the events, not for the particles', () => {
  inProcess(({ ups, assert }) => {
    const { readFileSync } = require('node:fs') as typeof import('node:fs');
    const peak = (): number => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
    const events = 30_000,
      particles = 20 * events,
      width = 64;
    const layer = (outputs: number, inputs: number) =>
      ({ weight: ups.random.normal([outputs, inputs], { seed: 1 }), activation: 'relu' }) as const;
    const phi = [layer(width, 8), layer(width, width)],
      rho = [layer(1, width)];
    const values = ups.random.normal([particles, 8], { seed: 2 });
    const offsets = Int32Array.from({ length: events + 1 }, (_, event) => 20 * event);
    // Threads and code are there from now on.
    ups.deepSet({ values: ups.random.normal([10, 8], { seed: 3 }), offsets: [0, 10] }, { phi, pool: 'mean', rho });
    const before = peak();
    assert.equal(ups.deepSet({ values, offsets }, { phi, pool: 'mean', rho }).shape[0], events);
    const ofOneLayer = particles * width * 4;
    assert.ok(peak() - before < ofOneLayer / 4);
  });
});
