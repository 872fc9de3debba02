// The encoder layer: PyTorch's results and gradients (tools/golden), training, and what does not fit.
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
  const layer = TransformerEncoderLayer.initial({ width: 4, heads: 2, seed: 1 });
  const wrong: [() => unknown, object][] = [
    [() => TransformerEncoderLayer.initial(undefined as never), { name: 'ValueError', argument: 'options' }],
    [() => TransformerEncoderLayer.initial({ width: 4, heads: 3, seed: 1 }), { name: 'ShapeError', argument: 'heads' }],
    [() => TransformerEncoderLayer.initial({ width: 0, heads: 1, seed: 1 }), { name: 'ValueError', argument: 'width' }],
    [
      () => TransformerEncoderLayer.initial({ width: 4, heads: 1, seed: 1, dropout: 0.1 }),
      { name: 'ValueError', argument: 'dropout' },
    ],
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
