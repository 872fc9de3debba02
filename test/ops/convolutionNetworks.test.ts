// Whole networks of convolutions beside PyTorch's (tools/golden/convolution_networks.py):
// ResNeXt-50 on jet images, and a tower of one-dimensional convolutions.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as ups from 'upsilon-kernels';

const golden = ups.safetensors.load(
  readFileSync(join(__dirname, '..', '..', 'test', 'golden', 'convolution-networks.safetensors')),
);

type Shapes = Record<string, number[]>;
type Tensors = Record<string, ups.Tensor>;

const norm = (name: string, channels: number): Shapes =>
  Object.fromEntries(['weight', 'bias', 'running_mean', 'running_var'].map((part) => [`${name}.${part}`, [channels]]));

/**
 * Every tensor from a stream of its own, in the order of the names, as the golden script draws
 * them.
 */
function draw(shapes: Shapes, seed: number, dtype: ups.DType): Tensors {
  const entries = Object.entries(shapes).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    entries.map(([name, shape], stream) => {
      const drawn = ups.random.uniform(shape, { seed, stream });
      const data = drawn.data as Float32Array;
      const scale = Math.sqrt(6 / shape.slice(1).reduce((product, extent) => product * extent, 1));
      const scales = /running_var$|weight$/.test(name);
      const [slope, offset] = shape.length > 1 ? [2 * scale, -scale] : [1, scales ? 0.5 : -0.5];
      for (let i = 0; i < data.length; ++i) data[i] = slope * data[i] + offset;
      return [name, ups.tensor(drawn, { dtype, requiresGrad: !name.includes('running') })];
    }),
  );
}

const trained = (tensors: Tensors): number =>
  Object.values(tensors).reduce((sum, { size, requiresGrad }) => sum + (requiresGrad ? size : 0), 0);

interface Mode {
  training: boolean;
}
/** Normalisation by PyTorch's names, with what a block has behind it. */
function normalised(
  p: Tensors,
  name: string,
  x: ups.Tensor,
  mode: Mode,
  behind: { activation?: ups.Activation; residual?: ups.Tensor },
): ups.Tensor {
  const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (part) => p[`${name}.${part}`],
  );
  return ups.batchNorm(x, { weight, bias, mean, variance, ...mode, ...behind });
}

const stages = [3, 4, 6, 3].map((blocks, stage) => ({ name: `layer${stage + 1}`, blocks, width: 128 << stage, stage }));

function shapesOfResNeXt(): Shapes {
  const shapes: Shapes = { 'conv1.weight': [64, 1, 7, 7], ...norm('bn1', 64) };
  let channels = 64;
  for (const { name, blocks, width } of stages)
    for (let b = 0; b < blocks; ++b) {
      const outputs = 2 * width,
        block = `${name}.${b}`;
      Object.assign(shapes, {
        [`${block}.conv1.weight`]: [width, channels, 1, 1],
        [`${block}.conv2.weight`]: [width, width / 32, 3, 3],
        [`${block}.conv3.weight`]: [outputs, width, 1, 1],
        ...norm(`${block}.bn1`, width),
        ...norm(`${block}.bn2`, width),
        ...norm(`${block}.bn3`, outputs),
      });
      if (channels !== outputs)
        Object.assign(shapes, {
          [`${block}.downsample.0.weight`]: [outputs, channels, 1, 1],
          ...norm(`${block}.downsample.1`, outputs),
        });
      channels = outputs;
    }
  return { ...shapes, 'fc.weight': [2, channels], 'fc.bias': [2] };
}

/** `[B, 1, 40, 40]` to `[B, 2048]`. */
function featuresOf(p: Tensors, x: ups.Tensor, mode: Mode): ups.Tensor {
  const relu = { activation: 'relu' } as const;
  let h = normalised(p, 'bn1', ups.conv2d(x, p['conv1.weight'], { stride: 2, padding: 3 }), mode, relu);
  h = ups.maxPool2d(h, 3, { stride: 2, padding: 1 });
  for (const { name, blocks, stage } of stages)
    for (let b = 0; b < blocks; ++b) {
      const block = `${name}.${b}`,
        stride = stage > 0 && b === 0 ? 2 : 1;
      const weight = (layer: string): ups.Tensor => p[`${block}.${layer}.weight`];
      const shortcut =
        b > 0 ? h : normalised(p, `${block}.downsample.1`, ups.conv2d(h, weight('downsample.0'), { stride }), mode, {});
      h = normalised(p, `${block}.bn1`, ups.conv2d(h, weight('conv1')), mode, relu);
      h = ups.conv2d(h, weight('conv2'), { stride, padding: 1, groups: 32 });
      h = normalised(p, `${block}.bn2`, h, mode, relu);
      h = normalised(p, `${block}.bn3`, ups.conv2d(h, weight('conv3')), mode, { ...relu, residual: shortcut });
    }
  return ups.globalPool(h, 'mean');
}

function resNeXt(p: Tensors, x: ups.Tensor, mode: Mode): ups.Tensor {
  return ups.linear(featuresOf(p, x, mode), p['fc.weight'], { bias: p['fc.bias'] });
}

const kernels = [3, 4, 5, 6, 7, 8, 9];
const towerShapes: Shapes = {
  ...Object.assign({}, ...kernels.map((k) => ({ [`conv${k}.weight`]: [64, 29, k], ...norm(`bn${k}`, 64) }))),
  'fc1.weight': [128, 448],
  'fc1.bias': [128],
  'fc2.weight': [32, 128],
  'fc2.bias': [32],
  'fc3.weight': [1, 32],
  'fc3.bias': [1],
};

/** `[B, 29, 100]` to `[B, 1]`. */
function tower(p: Tensors, x: ups.Tensor, mode: Mode): ups.Tensor {
  const pooled = kernels.map((k) => {
    const h = ups.conv1d(x, p[`conv${k}.weight`], { padding: 'same' });
    return ups.globalPool(normalised(p, `bn${k}`, h, mode, { activation: 'leakyRelu' }), 'mean');
  });
  const layer = (l: number): { weight: ups.Tensor; bias: ups.Tensor } => ({
    weight: p[`fc${l}.weight`],
    bias: p[`fc${l}.bias`],
  });
  const activation = 'leakyRelu';
  return ups.mlp(ups.concat(pooled), [{ ...layer(1), activation }, { ...layer(2), activation }, layer(3)]);
}

const networks = {
  ResNeXt50: {
    shapes: shapesOfResNeXt(),
    seed: 51,
    parameters: 22977730,
    run: resNeXt,
    direction: [1, -0.5, 0.25, 2],
    input: (dtype: ups.DType) => numbers([2, 1, 40, 40], 50, dtype, (u) => Math.max(0, 8 * u - 6)),
  },
  Tower: {
    shapes: towerShapes,
    seed: 53,
    parameters: 140481,
    run: tower,
    direction: [1, -0.5, 2],
    input: (dtype: ups.DType) => numbers([3, 29, 100], 52, dtype, (u) => 2 * u - 1),
  },
};

function numbers(shape: number[], seed: number, dtype: ups.DType, of: (uniform: number) => number): ups.Tensor {
  const drawn = ups.random.uniform(shape, { seed, stream: 0 });
  (drawn.data as Float32Array).forEach((u, i) => (drawn.data[i] = of(u)));
  return ups.tensor(drawn, { dtype });
}

/** Norm of the difference relative to the norm of what is expected. */
function error(found: ups.Tensor, expected: ups.Tensor): number {
  const step = expected.size === found.size ? 1 : found.size < 10000 ? 7 : 997;
  expect(expected.size).toBe(Math.ceil(found.size / step));
  const norm = (of: (value: number, i: number) => number): number =>
    Math.sqrt((expected.data as Float32Array).reduce((sum, value, i) => sum + of(value, i) ** 2, 0));
  return norm((value, i) => Number(found.data[i * step]) - value) / norm((value) => value);
}

describe.each(['ResNeXt50', 'Tower'] as const)('%s', (title) => {
  const { shapes, seed, parameters, run, direction, input } = networks[title];

  test('inference in float32 is that of PyTorch', () => {
    const p = draw(shapes, seed, 'float32');
    expect(trained(p)).toBe(parameters);
    ups.noGrad(() => {
      const x = input('float32');
      expect(error(run(p, x, { training: false }), golden[`${title}.inference`])).toBeLessThan(1e-5);
      if (title === 'ResNeXt50')
        expect(error(featuresOf(p, x, { training: false }), golden['ResNeXt50.features'])).toBeLessThan(1e-5);
    });
  });

  // Both types: kernels are those of float32, but statistics over few numbers (eight in the last
  // stage of ResNeXt-50) and kinks of the activation multiply its rounding. PyTorch's gradients in
  // float32 are off by up to 0.02 there.
  test.each([
    ['float64', 1e-6, 1e-6],
    ['float32', 2e-4, title === 'Tower' ? 1e-4 : 0.05],
  ] as const)('a step of training in %s is that of PyTorch', (dtype, ofResult, ofGradient) => {
    const p = draw(shapes, seed, dtype),
      x = input(dtype);
    x.requiresGrad = true;
    const y = run(p, x, { training: true });
    expect(error(y, golden[`${title}.training`])).toBeLessThan(ofResult);
    y.backward(ups.tensor(ups.tensor(direction, { dtype }), { shape: y.shape }));
    expect(error(x.grad!, golden[`${title}.dx`])).toBeLessThan(ofGradient);
    const names = Object.keys(shapes).filter((name) => Object.hasOwn(golden, `${title}.d${name}`));
    expect(names.length).toBeGreaterThan(7);
    for (const name of names) {
      const found = error(p[name].grad!, golden[`${title}.d${name}`]);
      if (!(found < ofGradient)) throw new Error(`gradient of ${name} differs by ${found}`);
    }
    const statistics = Object.keys(shapes).filter((name) => Object.hasOwn(golden, `${title}.${name}`));
    expect(statistics).toHaveLength(title === 'ResNeXt50' ? 1 : 0);
    for (const name of statistics) expect(error(p[name], golden[`${title}.${name}`])).toBeLessThan(ofResult);
  });
});
