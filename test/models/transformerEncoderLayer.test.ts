// The encoder layer: PyTorch's results and gradients (tools/golden), training, and what does not
// fit.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as ups from 'upsilon-kernels';

import { random, thrown } from '../helpers';

const { TransformerEncoderLayer } = ups.models;
const golden = (name: string): string => join(__dirname, '..', '..', 'test', 'golden', `${name}.safetensors`);

function expectClose(found: ups.Tensor, expected: ups.Tensor, name: string): void {
  expect([name, ...found.shape]).toEqual([name, ...expected.shape]);
  const data = Array.from(expected.data as Float32Array);
  const scale = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  data.forEach((value, i) => {
    if (!(Math.abs(Number(found.data[i]) - value) <= 2e-5 * scale))
      throw new Error(`${name}[${i}] is ${found.data[i]}, PyTorch has ${value}`);
  });
}

test.each([
  ['post', { normFirst: false, activation: 'relu' as const }],
  ['pre', { normFirst: true, activation: 'gelu' as const }],
])("is PyTorch's: %s-norm", (name, options) => {
  const tensors = ups.safetensors.load(golden(`transformer-encoder-${name}`));
  const layer = TransformerEncoderLayer.load(golden(`transformer-encoder-${name}`), { heads: 3, ...options });
  for (const parameter of Object.values(layer.parameters)) parameter.requiresGrad = true;
  const x = ups.tensor(tensors['x'], { requiresGrad: true });
  const { values, offsets } = layer.forward({ values: x, offsets: tensors['offsets'] });
  expect(Array.from(offsets.data as Int32Array)).toEqual([0, 4, 5, 5, 11]);
  expectClose(values, tensors['y'], 'y');
  values.backward(tensors['dy']);
  expectClose(x.grad!, tensors['dx'], 'dx');
  for (const [key, parameter] of Object.entries(layer.parameters))
    expectClose(parameter.grad!, tensors[`d${key}`], key);
});

test.each([
  ['post', { normFirst: false, activation: 'relu' as const }],
  ['pre', { normFirst: true, activation: 'gelu' as const }],
])("drops where PyTorch's drops: %s-norm", (name, options) => {
  const file = golden(`transformer-encoder-dropout-${name}`);
  const tensors = ups.safetensors.load(file);
  const layer = TransformerEncoderLayer.load(file, { heads: 2, dropout: 0.3, ...options });
  for (const parameter of Object.values(layer.parameters)) parameter.requiresGrad = true;
  const x = ups.tensor(tensors['x'], { requiresGrad: true });
  const step = { training: true, seed: 11, stream: 2 };
  const { values } = layer.forward({ values: x, offsets: tensors['offsets'] }, step);
  expectClose(values, tensors['y'], 'y');
  values.backward(tensors['dy']);
  expectClose(x.grad!, tensors['dx'], 'dx');
  for (const [key, parameter] of Object.entries(layer.parameters))
    expectClose(parameter.grad!, tensors[`d${key}`], key);
});

test('drops in training only, by seed and stream', () => {
  const options = { width: 8, heads: 2, seed: 3 };
  const layer = TransformerEncoderLayer.initial({ ...options, dropout: 0.2 }),
    plain = TransformerEncoderLayer.initial(options);
  const x = { values: random([6, 8], 1, 'float32'), offsets: [0, 2, 6] };
  const data = (step?: ups.models.TransformerEncoderLayerForwardOptions, of = layer): number[] => [
    ...(of.forward(x, step).values.data as Float32Array),
  ];
  expect(data()).toEqual(data({}, plain));
  expect(data({ seed: 1 })).toEqual(data({}, plain));
  expect(data({ training: true }, plain)).toEqual(data({}, plain));
  const dropped = data({ training: true, seed: 1 });
  expect(dropped).toEqual(data({ training: true, seed: 1n, stream: 0 }));
  const others = [data(), data({ training: true, seed: 2 }), data({ training: true, seed: 1, stream: 2n ** 62n - 1n })];
  for (const other of others) expect(other).not.toEqual(dropped);
});

test('the page names every option there is', () => {
  const page = readFileSync(join(__dirname, '..', '..', 'docs', 'attention-and-matching.md'), 'utf8');
  const [, attention, encoder] = page.split(/^## /m);
  expect([attention.split('\n')[0], encoder.split('\n')[0]]).toEqual(['Attention', 'The encoder layer']);
  // The message about an unknown option lists the known ones.
  const known = (call: () => unknown): string[] => /expected one of (.*)\)/.exec(thrown(call).message)![1].split(', ');
  const layer = TransformerEncoderLayer.initial({ width: 2, heads: 1, seed: 1 });
  const x = { values: ups.zeros([1, 2]), offsets: [0, 1] },
    unknown = { unknown: 1 } as never;
  const ofAttention = known(() => ups.attention(x, x, x, unknown));
  expect(ofAttention).toContain('dropout');
  for (const option of ofAttention) if (option !== 'out') expect(attention).toMatch(new RegExp(`\\b${option}\\b`));
  for (const call of [
    () => TransformerEncoderLayer.initial(unknown),
    () => TransformerEncoderLayer.load({}, unknown),
    () => layer.forward(x, unknown),
  ])
    for (const option of known(call)) expect(encoder).toMatch(new RegExp(`\\b${option}\\b`));
});

test('learns', () => {
  const layer = TransformerEncoderLayer.initial({ width: 8, heads: 2, feedForward: 16, seed: 3, normFirst: true });
  expect(layer.parameterCount).toBe(3 * 64 + 24 + 64 + 8 + 2 * 128 + 16 + 8 + 4 * 8);
  const x = { values: random([12, 8], 1, 'float32'), offsets: [0, 5, 5, 12] },
    wanted = random([12, 8], 2, 'float32');
  const adam = new ups.optim.Adam(Object.values(layer.parameters), { learningRate: 0.02 });
  const losses: number[] = [];
  for (let step = 0; step < 60; ++step) {
    adam.zeroGrad();
    const y = layer.forward(x).values;
    const difference = (y.data as Float32Array).map((value, i) => value - Number(wanted.data[i]));
    losses.push(difference.reduce((total, d) => total + d * d, 0));
    y.backward(ups.tensor(difference, { shape: [12, 8] }));
    adam.step();
  }
  expect(losses.at(-1)).toBeLessThan(0.1 * losses[0]);
});

const emulated = ups.devices().some(({ name }) => name === 'emulated:0');
(emulated ? test : test.skip)('on a device its parameters are its own', () => {
  const options = { width: 4, heads: 2, seed: 1 };
  const here = TransformerEncoderLayer.initial(options),
    there = TransformerEncoderLayer.initial({ ...options, device: 'emulated:0' });
  const x = ups.ragged({ values: random([5, 4], 1, 'float32'), offsets: Int32Array.of(0, 2, 5) }),
    dy = random([5, 4], 2, 'float32');
  here.forward(x).values.backward(dy);
  there.forward(x.to('emulated:0')).values.backward(dy.to('emulated:0'));
  for (const [key, parameter] of Object.entries(there.parameters))
    expectClose(parameter.grad!.to('cpu'), here.parameters[key].grad!, key);
});

test('weights in a stack of layers, bias and causal', () => {
  const { parameters } = TransformerEncoderLayer.initial({ width: 4, heads: 1, seed: 1 });
  const stacked = Object.fromEntries(Object.entries(parameters).map(([key, value]) => [`layers.1.${key}`, value]));
  const layer = TransformerEncoderLayer.load(stacked, { heads: 1, prefix: 'layers.1.' });
  const x = { values: random([3, 4], 1, 'float32'), offsets: [0, 3] };
  const causal = layer.forward(x, { causal: true }).values.data;
  const masked = layer.forward(x, { bias: [0, -Infinity, -Infinity, 0, 0, -Infinity, 0, 0, 0] }).values.data;
  expect(Array.from(causal as Float32Array)).toEqual(Array.from(masked as Float32Array));
});

test('hands a bias of pairs on to attention', () => {
  const layer = TransformerEncoderLayer.initial({ width: 4, heads: 2, seed: 3 });
  const events = { values: random([3, 4], 4, 'float32'), offsets: [0, 3] };
  const momenta = ups.tensor([
    [1, 0, 2, 2.3],
    [0, 1, 0, 1.1],
    [1, 1, -1, 1.8],
  ]);
  const layers = [{ weight: random([2, 4], 5, 'float32') }];
  const pairs = ups.mlp(ups.pairFeatures({ values: momenta, offsets: [0, 3] }).values, layers).data;
  const bias = [0, 1].flatMap((head) => Array.from({ length: 9 }, (_, pair) => Number(pairs[2 * pair + head])));
  const stored = layer.forward(events, { bias }).values.data,
    made = layer.forward(events, { pairBias: { momenta, layers } }).values.data;
  stored.forEach((value, i) => expect(made[i]).toBeCloseTo(Number(value), 5));
});

test('what does not fit is refused', () => {
  const layer = TransformerEncoderLayer.initial({ width: 4, heads: 2, seed: 1 }),
    dropping = TransformerEncoderLayer.initial({ width: 4, heads: 2, seed: 1, dropout: 0.1 });
  const x = { values: ups.zeros([3, 4]), offsets: [0, 3] };
  const wrong: [() => unknown, object][] = [
    [() => TransformerEncoderLayer.initial(undefined as never), { name: 'ValueError', argument: 'options' }],
    [() => TransformerEncoderLayer.initial({ width: 4, heads: 3, seed: 1 }), { name: 'ShapeError', argument: 'heads' }],
    [() => TransformerEncoderLayer.initial({ width: 0, heads: 1, seed: 1 }), { name: 'ValueError', argument: 'width' }],
    ...[1, 1 - 1e-12, -0.1, NaN, Infinity, '0.1' as never].map((dropout): [() => unknown, object] => [
      () => TransformerEncoderLayer.initial({ width: 4, heads: 1, seed: 1, dropout }),
      { name: 'ValueError', argument: 'dropout' },
    ]),
    [() => dropping.forward(x, { training: true }), { name: 'ValueError', argument: 'seed' }],
    [() => dropping.forward(x, { training: 1 as never }), { name: 'ValueError', argument: 'training' }],
    ...[-1, 0.5, NaN, 2n ** 62n, 'a' as never].map((stream): [() => unknown, object] => [
      () => dropping.forward(x, { stream }),
      { name: 'ValueError', argument: 'stream' },
    ]),
    [() => TransformerEncoderLayer.load({}, { heads: 1 }), { name: 'ValueError', argument: 'file' }],
    [
      () => TransformerEncoderLayer.load(layer.parameters, { head: 1 } as never),
      { name: 'ValueError', argument: 'head' },
    ],
    [
      () => TransformerEncoderLayer.load({ ...layer.parameters, 'linear2.bias': ups.zeros([3]) }, { heads: 1 }),
      { name: 'ShapeError', argument: 'linear2.bias' },
    ],
    [() => layer.forward({ values: ups.zeros([3, 5]), offsets: [0, 3] }), { name: 'ShapeError', argument: 'x' }],
  ];
  for (const [call, expected] of wrong)
    expect(thrown(call)).toMatchObject({ operation: 'TransformerEncoderLayer', ...expected });
});
