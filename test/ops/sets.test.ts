// Operations over sets of particles.
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, random, thrown } from '../helpers';

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

describe('multiDeepSet', () => {
  const offsets = [Int32Array.of(0, 20, 20, 100, 101, 300), Int32Array.of(0, 3, 7, 7, 60, 61), Int32Array.of(0, 1, 2, 3, 4, 5)];
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
    expectClose(
      ups.multiDeepSet(sets, { phi, pool, fuse: 'before', rho }),
      ups.mlp(ups.setPool(union, pool), rho),
    );
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
    const rows = ups.multiDeepSet(Array<typeof one>(8).fill(one), { phi: Array<typeof deep>(8).fill(deep), pool: 'mean' });
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
      [() => ups.multiDeepSet([x], { phi: [[good]], pool: 'max', weights: [[1]] }), 'ValueError', 'weights'],
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
