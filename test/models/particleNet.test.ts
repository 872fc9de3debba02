// ParticleNet against PyTorch (tools/golden/particle_net.py), and what must not change its outputs.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';

import { checkGradients, random, thrown } from '../helpers';

const golden = ups.safetensors.load(join(__dirname, '..', '..', 'test', 'golden', 'particle-net.safetensors'));
const { coordinates, features, offsets } = golden as Record<'coordinates' | 'features' | 'offsets', ups.Tensor>;
const networks = { ParticleNet: ups.models.ParticleNet, ParticleNetLite: ups.models.ParticleNetLite };

/** Every tensor from a stream of its own, as the golden script draws them. */
function draw(net: ups.models.ParticleNet): void {
  Object.entries(net.state)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .forEach(([name, { data, shape }], stream) => {
      const positive = name.endsWith('running_var') || (shape.length === 1 && name.endsWith('weight'));
      const bound = Math.sqrt(shape[1] ?? 4);
      const drawn = ups.random.uniform([data.length], { seed: 5, stream }).data as Float32Array;
      drawn.forEach((u, i) => (data[i] = positive ? u + 0.5 : (2 * u - 1) / bound));
    });
}

function expectClose(found: ups.Tensor, expected: ups.Tensor, tolerance: number): void {
  const scale = Math.max(...[...expected.data].map((value) => Math.abs(Number(value))));
  expect(found.size).toBe(expected.size);
  expected.data.forEach((value: number | bigint, i: number) =>
    expect(Math.abs(Number(found.data[i]) - Number(value))).toBeLessThanOrEqual(tolerance * scale),
  );
}

const clouds = { values: coordinates, offsets },
  events = { values: features, offsets };

test.each([
  ['ParticleNet', 366160],
  ['ParticleNetLite', 26416],
] as const)('%s is what PyTorch computes, with %i parameters', (name, parameters) => {
  const net = networks[name].initial({ seed: 1 });
  expect(net.parameterCount).toBe(parameters);
  draw(net);
  expectClose(net.forward(clouds, events), golden[`${name}.outputs`], 1e-5);

  // The same layer by layer, as it is where gradients are wanted.
  for (const parameter of Object.values(net.parameters)) parameter.requiresGrad = true;
  expectClose(net.forward(clouds, events), golden[`${name}.outputs`], 1e-5);
});

test.each(['ParticleNet', 'ParticleNetLite'] as const)('%s in training', (name) => {
  const net = networks[name].initial({ seed: 1 });
  draw(net);
  for (const parameter of Object.values(net.parameters)) parameter.requiresGrad = true;
  const outputs = net.forward(clouds, events, { training: true, dropout: 0 });
  expectClose(outputs, golden[`${name}.training.outputs`], 1e-4);
  outputs.backward([
    [1, -0.5],
    [1, -0.5],
    [1, -0.5],
    [1, -0.5],
  ]);
  let compared = 0;
  for (const key of Object.keys(golden)) {
    const of = key.replace(`${name}.training.`, '');
    if (of in net.statistics) expectClose(net.statistics[of], golden[key], 1e-5);
    else if (of.slice(1) in net.parameters) expectClose(net.parameters[of.slice(1)].grad!, golden[key], 1e-4);
    else continue;
    ++compared;
  }
  expect(compared).toBe(6);
  expect(net.forward(clouds, events, { training: true, seed: 1 }).toArray()).not.toEqual(outputs.toArray());
});

test('the order of the particles does not matter, nor which events are scored together', () => {
  const net = ups.models.ParticleNetLite.initial({ seed: 2 });
  const all = net.forward(clouds, events);
  const reversed = (tensor: ups.Tensor): ups.Tensor => {
    const [rows, width] = tensor.shape;
    const bounds = offsets.data as Int32Array;
    const data = new Float32Array(rows * width);
    for (let event = 0; event + 1 < bounds.length; ++event)
      for (let i = bounds[event]; i < bounds[event + 1]; ++i) {
        const from = bounds[event] + bounds[event + 1] - 1 - i;
        data.set((tensor.data as Float32Array).subarray(from * width, (from + 1) * width), i * width);
      }
    return ups.tensor(data, { shape: [rows, width] });
  };
  expectClose(
    net.forward({ values: reversed(coordinates), offsets }, { values: reversed(features), offsets }),
    all,
    1e-5,
  );
  const bounds = offsets.data as Int32Array;
  for (let event = 0; event + 1 < bounds.length; ++event) {
    const own = bounds.slice(event, event + 2);
    const alone = net.forward({ values: coordinates, offsets: own }, { values: features, offsets: own });
    expect([...alone.data]).toEqual([...all.data.subarray(2 * event, 2 * event + 2)]);
  }
});

test('weights come and go under the names of PyTorch', () => {
  const folder = mkdtempSync(join(tmpdir(), 'upsilon-'));
  const file = join(folder, 'net.safetensors');
  const net = ups.models.ParticleNetLite.initial({ seed: 2, inputs: 7, classes: 3 });
  ups.safetensors.save(file, net.state);
  const again = ups.models.ParticleNetLite.load(file);
  expect(again.forward(clouds, events).toArray()).toEqual(net.forward(clouds, events).toArray());
  expect(net.parameters['edge_convs.0.convs.0.weight'].shape).toEqual([32, 14, 1, 1]);
  expect(net.parameters['edge_convs.1.sc.weight'].shape).toEqual([64, 32, 1]);
  expect(thrown(() => ups.models.ParticleNet.load(file))).toMatchObject({ name: 'ShapeError' });
  rmSync(folder, { recursive: true });
});

test('training lowers a loss', () => {
  const net = ups.models.ParticleNetLite.initial({ seed: 3 });
  const parameters = Object.values(net.parameters);
  for (const parameter of parameters) parameter.requiresGrad = true;
  const steps = new ups.optim.Adam(parameters, { learningRate: 0.003 });
  const target = [1, -1, 0.5, 0, -1, 2, 0, 1];
  const losses = Array.from({ length: 25 }, (_, step) => {
    steps.zeroGrad();
    const outputs = net.forward(clouds, events, { training: true, seed: step });
    const error = Float32Array.from(outputs.data as Float32Array, (value, i) => value - target[i]);
    outputs.backward(ups.tensor(error, { shape: [4, 2] }));
    steps.step();
    return error.reduce((sum, value) => sum + value * value, 0);
  });
  expect(losses[losses.length - 1]).toBeLessThan(losses[0] / 3);
});

test('gradients of the block, masked and not, with and without a shortcut', () => {
  const x = random([7, 3], 1),
    graph = ups.knnGraph({ values: x, offsets: [0, 4, 7] }, 2);
  const norm = (width: number, seed: number): ups.Tensor[] => [random([width], seed), random([width], seed + 1)];
  const sizes = [
    [3, 6],
    [3, 3],
  ];
  const layers = sizes.map(([out, inputs], l) => {
    const [weight, bias] = norm(out, 20 + 10 * l);
    return { weight: random([out, inputs], 3 + l), norm: { weight, bias } };
  });
  const [weight, bias] = norm(3, 50);
  const shortcut = { weight: random([3, 3], 9), norm: { weight, bias } };
  const parameters = [...layers, shortcut].flatMap((layer) => [layer.weight, layer.norm.weight, layer.norm.bias]);
  for (const mask of [undefined, Uint8Array.of(1, 1, 0, 1, 1, 1, 1)]) {
    checkGradients(
      [x, ...parameters],
      () => ups.edgeConvBlock(graph, x, { layers, shortcut, training: true, mask }),
      1e-6,
      1e-5,
    );
    checkGradients(
      [x, ...parameters.slice(0, 6)],
      () => ups.edgeConvBlock(graph, x, { layers, training: true, mask }),
      1e-6,
      1e-5,
    );
  }
});

test('refuses what does not fit', () => {
  const net = ups.models.ParticleNetLite.initial({ seed: 1, inputs: 4 });
  expect(thrown(() => net.forward(clouds, events))).toMatchObject({ name: 'ShapeError', argument: 'features' });
  const four = { values: ups.zeros([45, 4]), offsets };
  expect(thrown(() => net.forward({ values: ups.zeros([44, 2]), offsets }, four))).toMatchObject({
    argument: 'coordinates',
  });
  expect(thrown(() => net.forward(clouds, four, { training: true }))).toMatchObject({ argument: 'seed' });
  expect(thrown(() => ups.models.ParticleNet.initial(undefined as never))).toMatchObject({ argument: 'seed' });
  expect(thrown(() => ups.models.ParticleNet.initial({ seed: 1, inputs: 0 }))).toMatchObject({ argument: 'inputs' });
  expect(thrown(() => ups.models.ParticleNet.load(new Uint8Array(3)))).toBeInstanceOf(ups.ValueError);
  const graph = ups.graph({ sources: [0], targets: [1], numNodes: 2 });
  const x = ups.zeros([2, 3]);
  const layer = { weight: ups.zeros([3, 6]), norm: {} };
  for (const options of [
    undefined,
    {},
    { layers: [] },
    { layers: [undefined] },
    { layers: [{ weight: x }] },
    { layers: [{ weight: x, norm: {} }] },
    { layers: [layer] },
    { layers: [layer], training: true, mask: [1] },
  ])
    expect(thrown(() => ups.edgeConvBlock(graph, x, options as never))).toBeInstanceOf(ups.UpsilonError);
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (layers, norm, more) => {
      try {
        const options = { layers: [{ ...layer, norm }, layers], shortcut: more };
        ups.edgeConvBlock(graph, x, options as never);
        ups.edgeConvBlock(graph, x, more as never);
      } catch (error) {
        expect(error).toBeInstanceOf(ups.UpsilonError);
      }
    }),
  );
});
