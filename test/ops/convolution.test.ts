// Convolutions beside PyTorch's (tools/golden/convolution.py), the adjoint identity, gradients and
// bad input.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { checkGradients, random, thrown } from '../helpers';

const file = join(__dirname, '..', '..', 'test', 'golden', 'convolution.safetensors');
// Bytes, not a mapped file: it lives as long as this module, and other tests of the process count
// what is mapped.
const tensors = ups.safetensors.load(readFileSync(file));

type Options = ups.ConvOptions & ups.ConvTransposeOptions;
type Name = 'conv1d' | 'conv2d' | 'conv3d' | 'convTranspose1d' | 'convTranspose2d' | 'convTranspose3d';
const cases = JSON.parse(ups.safetensors.metadata(file)['title']) as { function: Name; options: Options }[];

function call(name: Name, x: ups.TensorLike, weight: ups.TensorLike, options: Options): ups.Tensor {
  return (ups[name] as (...given: unknown[]) => ups.Tensor)(x, weight, options);
}

function expectClose(found: ups.Tensor, expected: ups.Tensor, name: string): void {
  expect([name, ...found.shape]).toEqual([name, ...expected.shape]);
  const values = found.data as Float32Array;
  const scale = (expected.data as Float32Array).reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  (expected.data as Float32Array).forEach((value, i) => {
    if (!(Math.abs(values[i] - value) <= 1e-5 * scale))
      throw new Error(`${name}[${i}] is ${values[i]} (expected ${value})`);
  });
}

test.each(cases.map(({ function: name, options }, number) => [number, name, options] as const))(
  "case %i, %s, is PyTorch's: %p",
  (number, name, options) => {
    const given = (key: string): ups.Tensor => ups.tensor(tensors[`${number}.${key}`], { requiresGrad: true });
    const [x, weight, bias] = ['x', 'weight', 'bias'].map(given) as [ups.Tensor, ups.Tensor, ups.Tensor];
    const y = call(name, x, weight, { ...options, bias });
    expectClose(y, tensors[`${number}.y`], 'y');
    y.backward(tensors[`${number}.dy`]);
    expectClose(x.grad!, tensors[`${number}.dx`], 'dx');
    expectClose(weight.grad!, tensors[`${number}.dweight`], 'dweight');
    expectClose(bias.grad!, tensors[`${number}.dbias`], 'dbias');
  },
);

function product(a: ups.Tensor, b: ups.Tensor): number {
  return (a.data as Float64Array).reduce((sum, value, i) => sum + value * Number(b.data[i]), 0);
}

const axis = fc.record({
  input: fc.integer({ min: 1, max: 5 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 3 }),
  before: fc.integer({ min: 0, max: 2 }),
  after: fc.integer({ min: 0, max: 2 }),
});
const geometry = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  groups: fc.integer({ min: 1, max: 3 }),
  channels: fc.integer({ min: 1, max: 2 }),
  outputs: fc.integer({ min: 1, max: 2 }),
  samples: fc.integer({ min: 0, max: 2 }),
  dtype: fc.constantFrom<ups.DType>('float32', 'float64'),
});

test('a transposed convolution is the adjoint of the convolution with the same weight', () => {
  fc.assert(
    fc.property(geometry, ({ axes, groups, channels, outputs, samples, dtype }) => {
      const rank = axes.length as 1 | 2 | 3;
      const each = (key: keyof (typeof axes)[0]): number[] => axes.map((one) => one[key]);
      const stride = each('stride'),
        dilation = each('dilation');
      const padding = axes.map(({ before, after }) => [before, after] as [number, number]);
      const weight = random([groups * outputs, channels, ...each('kernel')], 1, dtype);
      const x = random([samples, groups * channels, ...each('input')], 2, dtype);
      let y: ups.Tensor;
      try {
        y = call(`conv${rank}d`, x, weight, { stride, dilation, padding, groups });
      } catch (error) {
        expect(error).toMatchObject({ name: 'ShapeError', argument: 'x' }); // the kernel reaches beyond x
        return;
      }
      const other = random([...y.shape], 3, dtype);
      // What a stride passes over at the end of x may lie beyond what outputPadding can name.
      const least = axes.map(
        (one, a) => (y.shape[2 + a] - 1) * one.stride - one.before - one.after + one.dilation * (one.kernel - 1) + 1,
      );
      if (axes.some((one, a) => one.input - least[a] >= Math.max(one.stride, one.dilation) || least[a] < 1)) return;
      const back = call(`convTranspose${rank}d`, other, weight, {
        stride,
        dilation,
        padding,
        groups,
        outputSize: each('input'),
      });
      expect(back.shape).toEqual(x.shape);
      const [left, right] = [product(y, other), product(x, back)];
      expect(Math.abs(left - right)).toBeLessThan((dtype === 'float64' ? 1e-11 : 1e-3) * (1 + Math.abs(left)));
    }),
    { numRuns: 300 },
  );
});

test.each<[Name, number[], number[], Options]>([
  ['conv1d', [2, 2, 6], [4, 1, 3], { stride: 2, padding: [[1, 2]], groups: 2, activation: 'tanh' }],
  ['conv2d', [1, 2, 4, 3], [2, 2, 2, 3], { padding: 1, dilation: [2, 1], activation: 'gelu' }],
  ['conv3d', [1, 2, 3, 2, 3], [2, 2, 2, 2, 2], { stride: [1, 2, 1], padding: 1 }],
  ['convTranspose1d', [2, 4, 3], [4, 1, 3], { stride: 2, outputPadding: 1, groups: 2, activation: 'sigmoid' }],
  ['convTranspose2d', [1, 2, 2, 3], [2, 3, 3, 2], { stride: [2, 3], padding: [[0, 1], 1], activation: 'gelu' }],
  ['convTranspose3d', [1, 2, 2, 1, 2], [2, 2, 3, 2, 2], { stride: 2, padding: [1, 0, 0], outputSize: [4, 3, 5] }],
])('gradients of %s', (name, ofX, ofWeight, options) => {
  const x = random(ofX, 1),
    weight = random(ofWeight, 2);
  const outputs = name.startsWith('convT') ? ofWeight[1] * (options.groups ?? 1) : ofWeight[0];
  const bias = random([outputs], 3);
  checkGradients([x, weight, bias], () => call(name, x, weight, { ...options, bias }));
});

test('writes to out, takes lists, and promises the same', async () => {
  const x = random([2, 3, 4, 5], 1, 'float32'),
    weight = random([2, 3, 3, 3], 2, 'float32'),
    bias = [0.5, -1];
  const expected = ups.conv2d(x, weight, { bias, padding: 'same', activation: 'relu' });
  const out = ups.zeros(expected.shape);
  expect(ups.conv2d(x, weight, { bias, padding: 1, activation: 'relu', out }).data).toEqual(expected.data);
  expect(out.data).toEqual(expected.data);
  const promised = await promises.conv2d(x, weight, { bias, padding: [1, [1, 1]], activation: 'relu' });
  expect(promised.data).toEqual(expected.data);
  expect(Array.from(ups.conv1d([[[1, 2, 3]]], [[[1, 10]]]).data as Float32Array)).toEqual([21, 32]);
  expect(Array.from(ups.convTranspose1d([[[1, 2]]], [[[1, 10]]], { stride: 2 }).data as Float32Array)).toEqual([
    1, 10, 2, 20,
  ]);
});

test('says what does not fit', () => {
  const x = ups.zeros([1, 4, 6, 6]),
    weight = ups.zeros([2, 4, 3, 3]);
  const refused: [() => unknown, string, string][] = [
    [() => ups.conv2d(x, ups.zeros([2, 3, 3, 3])), 'ShapeError', 'weight'],
    [() => ups.conv2d(x, ups.zeros([2, 4, 3])), 'ShapeError', 'weight'],
    [() => ups.conv2d(ups.zeros([4, 6, 6]), weight), 'ShapeError', 'x'],
    [() => ups.conv2d(x, ups.zeros([2, 4, 7, 7])), 'ShapeError', 'x'],
    [() => ups.conv2d(x, weight, { groups: 3 }), 'ShapeError', 'groups'],
    [() => ups.conv2d(x, weight, { groups: 0 }), 'ValueError', 'groups'],
    [() => ups.conv2d(x, weight, { stride: 0 }), 'ValueError', 'stride'],
    [() => ups.conv2d(x, weight, { stride: [1, 2, 3] }), 'ValueError', 'stride'],
    [() => ups.conv2d(x, weight, { dilation: 0.5 }), 'ValueError', 'dilation'],
    [() => ups.conv2d(x, weight, { padding: -1 }), 'ValueError', 'padding'],
    [() => ups.conv2d(x, weight, { padding: [1] }), 'ValueError', 'padding'],
    [() => ups.conv2d(x, weight, { padding: [[1, 2, 3] as never, 1] }), 'ValueError', 'padding'],
    [() => ups.conv2d(x, weight, { padding: 'full' as never }), 'ValueError', 'padding'],
    [() => ups.conv2d(x, weight, { padding: 'same', stride: 2 }), 'ValueError', 'padding'],
    [() => ups.conv2d(x, weight, { bias: [1, 2, 3] }), 'ShapeError', 'bias'],
    [() => ups.conv2d(x, weight, { out: ups.zeros([1, 2, 6, 6]) }), 'ShapeError', 'out'],
    [() => ups.conv2d(x, weight, { activation: 'swish' as never }), 'ValueError', 'activation'],
    [() => ups.conv2d(x, weight, { pading: 1 } as never), 'ValueError', 'pading'],
    [() => ups.conv2d(x, ups.zeros([2, 4, 3, 3], { dtype: 'float64' })), 'DTypeError', 'weight'],
    [() => ups.convTranspose2d(x, ups.zeros([4, 2, 3, 3]), { outputPadding: 1 }), 'ValueError', 'outputPadding'],
    [() => ups.convTranspose2d(x, ups.zeros([4, 2, 3, 3]), { stride: 2, outputSize: 20 }), 'ShapeError', 'outputSize'],
    [
      () => ups.convTranspose2d(x, ups.zeros([4, 2, 3, 3]), { stride: 2, outputSize: 13, outputPadding: 1 }),
      'ValueError',
      'outputSize',
    ],
    [() => ups.convTranspose2d(x, ups.zeros([4, 2, 3, 3]), { padding: 9 }), 'ShapeError', 'x'],
  ];
  for (const [body, name, argument] of refused) expect(thrown(body)).toMatchObject({ name, argument });
});

test('errors of the kernel name the function that was called', async () => {
  const names = [1, 2, 3].flatMap((rank) => [`conv${rank}d`, `convTranspose${rank}d`]) as Name[];
  for (const operation of names) {
    const ones = new Array<number>(Number(operation.at(-2))).fill(1);
    const x = ups.zeros([1, 1, ...ones]),
      wide = ups.zeros([1, 1, ...ones], { dtype: 'float64' });
    const wrong = thrown(() => call(operation, x, wide, {}));
    expect(wrong).toMatchObject({ name: 'DTypeError', operation, argument: 'weight' });
    expect(wrong.message).toMatch(new RegExp(`^${operation}: weight is float64`));
    const unknown = thrown(() => call(operation, x, x, { activation: 'swish' as never }));
    expect(unknown).toMatchObject({ operation, argument: 'activation' });
    expect(unknown.message).toMatch(new RegExp(`^${operation}: activation is 'swish'`));
    const promised = promises[operation] as (...given: unknown[]) => Promise<ups.Tensor>;
    await expect(promised(x, wide)).rejects.toMatchObject({ operation, argument: 'weight' });
  }
});

test('gives in any geometry what the reference does in float64, and writes nothing around it', () => {
  const along = (most: number): fc.Arbitrary<{ input: number; kernel: number; stride: number; padding: number }> =>
    fc.record({
      input: fc.integer({ min: 1, max: most }),
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 3 }),
      padding: fc.integer({ min: 0, max: 2 }),
    });
  const shape = fc.record({
    axes: fc.tuple(along(3), along(7), along(40)),
    transposed: fc.boolean(),
    groups: fc.integer({ min: 1, max: 2 }),
    inputs: fc.integer({ min: 1, max: 3 }),
    outputs: fc.constantFrom(1, 2, 3, 5, 9, 17),
    samples: fc.integer({ min: 1, max: 2 }),
    activation: fc.constantFrom<ups.Activation>('none', 'relu'),
  });
  const guard = 64;
  fc.assert(
    fc.property(shape, ({ axes, transposed, groups, inputs, outputs, samples, activation }) => {
      const kernel = axes.map((axis) => axis.kernel);
      const x = random([samples, groups * inputs, ...axes.map(({ input }) => input)], 1);
      const weight = random(
        transposed ? [groups * inputs, outputs, ...kernel] : [groups * outputs, inputs, ...kernel],
        2,
      );
      const options = {
        stride: axes.map(({ stride }) => stride),
        padding: axes.map(({ padding }) => padding),
        groups,
        activation,
      };
      const run = transposed ? ups.convTranspose3d : ups.conv3d;
      let expected: ups.Tensor;
      try {
        expected = run(x, weight, options);
      } catch (error) {
        expect(error).toBeInstanceOf(ups.ShapeError); // the kernel is larger than what it looks at
        return;
      }
      const pairs = [samples, groups * outputs, 2];
      const [moments, found] = [0, 1].map(() => ups.zeros(pairs, { dtype: 'float64' }));
      run(x, weight, { ...options, moments });
      const around = new Float32Array(expected.size + 2 * guard).fill(7);
      const out = ups.tensor(around.subarray(guard, guard + expected.size), { shape: expected.shape });
      const single = (value: ups.Tensor): ups.Tensor => ups.tensor(value, { dtype: 'float32' });
      run(single(x), single(weight), { ...options, out, moments: found });
      expectClose(out, expected, 'y');
      expectClose(found, moments, 'moments');
      expect([...around.subarray(0, guard), ...around.subarray(guard + expected.size)].every((v) => v === 7)).toBe(
        true,
      );
      const gradients = (dtype: ups.DType): ups.Tensor[] => {
        const [ofX, ofWeight] = [x, weight].map((value) => ups.tensor(value, { dtype, requiresGrad: true }));
        run(ofX, ofWeight, { ...options, activation: 'none' }).backward(ups.tensor(expected, { dtype }));
        return [ofX.grad!, ofWeight.grad!];
      };
      const exact = gradients('float64');
      gradients('float32').forEach((gradient, i) => expectClose(gradient, exact[i], ['dx', 'dweight'][i]));
    }),
    { numRuns: 300 },
  );
});

test('survives whatever it is given', () => {
  const extents = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 5 });
  const number = fc.oneof(fc.integer({ min: -1, max: 3 }), fc.constantFrom(NaN, 1.5, 2 ** 31, Infinity), fc.integer());
  const options = fc.record(
    {
      stride: fc.oneof(number, fc.array(number, { maxLength: 3 })),
      padding: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 })),
      dilation: fc.oneof(fc.integer({ min: 0, max: 3 }), number),
      groups: fc.integer({ min: -1, max: 3 }),
      outputPadding: fc.integer({ min: -1, max: 2 }),
    },
    { requiredKeys: [] },
  );
  const names = fc.constantFrom<Name>('conv1d', 'conv2d', 'conv3d', 'convTranspose1d', 'convTranspose2d');
  fc.assert(
    fc.property(names, extents, extents, options, (name, ofX, ofWeight, given) => {
      if (!name.startsWith('convT')) delete given.outputPadding;
      try {
        const x = ups.tensor(ups.zeros(ofX), { requiresGrad: true });
        const result = call(name, x, ups.zeros(ofWeight), given);
        expect(result.shape.length).toBe(ofX.length);
        result.backward(ups.zeros(result.shape));
        expect(x.grad!.shape).toEqual(ofX);
      } catch (error) {
        if (!(error instanceof ups.UpsilonError)) throw error;
        expect(error.code).toMatch(/^ERR_UPSILON_(SHAPE|DTYPE|VALUE|OUT_OF_MEMORY)$/);
      }
    }),
    { numRuns: 400 },
  );
});
