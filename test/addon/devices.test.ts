// The device path, on the emulated plug-in: the CUDA kernels' own sources, compiled for the CPU.
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { random, thrown } from '../helpers';

const emulated = 'emulated:0';
const present = ups.devices().some(({ name }) => name === emulated);
if (!present)
  console.log('skipped: the emulated plug-in is not beside the addon (npm run build:emulated makes it, with CMake)');
const onDevice = present ? test : test.skip;

test('a device that cannot be used says why', () => {
  const reason = ups.info().cudaUnavailableBecause;
  if (reason === undefined) return; // there is a GPU
  const error = thrown(() => ups.tensor([1], { device: 'cuda:0' }));
  expect(error).toBeInstanceOf(ups.DeviceError);
  expect(reason.length).toBeGreaterThan(10);
  expect(error.message).toContain(reason);
  expect(thrown(() => ups.zeros([2]).to('cuda'))).toBeInstanceOf(ups.DeviceError);
});

test('precision is one of three', () => {
  ups.setPrecision('tf32');
  ups.setPrecision('fp32');
  const error = thrown(() => ups.setPrecision('fp16' as never));
  expect(error).toMatchObject({ name: 'ValueError', operation: 'setPrecision', argument: 'precision' });
  expect(error.message).toContain("precision is 'fp16' (expected fp32, tf32, bf16)");
});

function close(actual: ups.Tensor | undefined, expected: ups.Tensor | undefined): void {
  expect(actual?.device).toBe(emulated);
  const found = actual!.to('cpu').data as Float32Array;
  const wanted = expected!.data as Float32Array;
  expect(actual!.shape).toEqual(expected!.shape);
  for (let i = 0; i < wanted.length; ++i) {
    expect(Math.abs(found[i] - wanted[i])).toBeLessThan(1e-5 * (1 + Math.abs(wanted[i])));
  }
}

/** Runs a computation on both devices, forward and backward, and compares. */
function agrees(shapes: number[][], compute: (inputs: ups.Tensor[], device: string) => ups.Tensor): void {
  const run = (device: string): { result: ups.Tensor; inputs: ups.Tensor[] } => {
    const inputs = shapes.map((shape, i) =>
      ups.tensor(random(shape, i + 1, 'float32'), { device, requiresGrad: true }),
    );
    const result = compute(inputs, device);
    result.backward(random([...result.shape], 99, 'float32'));
    return { result, inputs };
  };
  const there = run(emulated);
  const here = run('cpu');
  close(there.result, here.result);
  there.inputs.forEach((input, i) => close(input.grad, here.inputs[i].grad));
}

const mother = Int32Array.of(-1, 0, 0, 1, -1, -1, 0);
const offsets = Int32Array.of(0, 5, 7);

onDevice('linear', () => {
  agrees([[9, 5], [7, 5], [7]], ([x, weight, bias]) => ups.linear(x, weight, { bias: bias, activation: 'relu' }));
});

onDevice('mlp', () => {
  agrees([[9, 5], [7, 5], [7], [3, 7]], ([x, first, bias, second]) =>
    ups.mlp(x, [{ weight: first, bias: bias, activation: 'tanh' }, { weight: second }]),
  );
});

onDevice.each(['none', 'mean', 'symmetric'] as const)('treeConv %s', (normalization) => {
  agrees(
    [
      [7, 4],
      [3, 4],
      [3, 4],
      [3, 4],
    ],
    ([x, self, parent, daughters], device) => {
      const tree = ups.tree({ mother, offsets }).to(device);
      return ups.treeConv(tree, x, { self: self, parent: parent, daughters: daughters, normalization });
    },
  );
});

onDevice('graphConv and spmm', () => {
  agrees(
    [
      [5, 4],
      [3, 4],
    ],
    ([x, weight], device) => {
      const graph = ups.graph({ sources: [0, 1, 2, 2, 4], targets: [1, 2, 0, 2, 1], numNodes: 5 }).to(device);
      return ups.spmm(graph, ups.graphConv(graph, x, weight));
    },
  );
});

onDevice.each(['sum', 'mean', 'max', 'min'] as const)('setPool %s', (pool) => {
  agrees([[7, 4]], ([values], device) =>
    ups.setPool({ values: values, offsets: ups.tensor(offsets, { device }) }, pool),
  );
});

onDevice('embedding', () => {
  agrees([[6, 3]], ([table], device) => ups.embedding(ups.tensor(Int32Array.of(5, 0, 5), { device }), table));
});

onDevice('there and back keeps every type', () => {
  for (const dtype of ['float32', 'float64', 'int32', 'int64', 'uint8'] as const) {
    const here = ups.tensor([3, 1, 4, 1], { dtype });
    const there = here.to(emulated);
    expect(there).toMatchObject({ device: emulated, dtype, shape: [4] });
    expect(there.to(emulated)).toBe(there);
    expect(there.to('cpu').data).toEqual(here.data);
  }
  expect(thrown(() => ups.zeros([2], { device: emulated }).data)).toBeInstanceOf(ups.DeviceError);
  expect(ups.zeros([1], { device: emulated }).item()).toBe(0);
});

onDevice('random numbers are those of the CPU', () => {
  const here = ups.random.uniform([1000], { seed: 3 });
  expect(ups.random.uniform([1000], { seed: 3, device: emulated }).to('cpu').data).toEqual(here.data);
  const noise = { seed: 3, perStream: 100, mean: 1, deviation: 3 };
  expect(ups.random.normal([7, 100], { ...noise, device: emulated }).to('cpu').data).toEqual(
    ups.random.normal([7, 100], noise).data,
  );
});

onDevice('an optimiser steps on the device', () => {
  const weight = ups.tensor([[5]], { device: emulated, requiresGrad: true });
  const one = ups.tensor([[1]], { device: emulated });
  const steps = new ups.optim.Sgd([weight], { learningRate: 0.5 });
  for (let i = 0; i < 3; ++i) {
    steps.zeroGrad();
    const y = ups.linear(one, weight);
    y.backward(y.detach());
    steps.step();
  }
  expect(weight.item()).toBeCloseTo(0.625);
});

onDevice('tensors on different devices do not mix', () => {
  const here = ups.zeros([2, 2]);
  const there = here.to(emulated);
  expect(thrown(() => ups.linear(there, here))).toMatchObject({
    name: 'DeviceError',
    operation: 'linear',
    argument: 'weight',
    message: 'linear: weight is on cpu (expected emulated:0)',
  });
  expect(thrown(() => ups.linear(here, there))).toMatchObject({ name: 'DeviceError', argument: 'weight' });
  expect(thrown(() => ups.linear(here, here, { out: there }))).toMatchObject({ name: 'DeviceError', argument: 'out' });
  expect(thrown(() => ups.tensor([1], { device: 'emulated:7' }))).toBeInstanceOf(ups.DeviceError);
});

onDevice('a result that finds no memory on a device names the operation', () => {
  const x = ups.zeros([2 ** 44, 0]).to(emulated);
  const weight = ups.zeros([4, 0]).to(emulated);
  expect(thrown(() => ups.linear(x, weight))).toMatchObject({
    name: 'OutOfMemoryError',
    operation: 'linear',
    argument: 'out',
  });
  expect(thrown(() => ups.random.normal([2 ** 46], { seed: 1, device: emulated }))).toMatchObject({
    name: 'OutOfMemoryError',
    operation: 'random.normal',
    argument: 'shape',
  });
});

onDevice('a bad index is reported when the device is next waited for, once', () => {
  const table = random([4, 2], 1, 'float32').to(emulated);
  const bad = ups.tensor(Int32Array.of(1, 4), { device: emulated });
  const rows = ups.embedding(bad, table);
  expect(thrown(() => rows.to('cpu'))).toMatchObject({
    name: 'ValueError',
    operation: 'embedding',
    argument: 'indices',
  });
  expect(rows.to('cpu').shape).toEqual([2, 2]);
  ups.embedding(bad, table);
  expect(thrown(() => ups.synchronize(emulated))).toBeInstanceOf(ups.ValueError);
  ups.synchronize(emulated);
  const sets = ups.setPool({ values: table, offsets: ups.tensor(Int32Array.of(0, 3, 2), { device: emulated }) }, 'sum');
  expect(thrown(() => sets.reshape([4]).to('cpu'))).toMatchObject({ operation: 'setPool', argument: 'offsets' });
});

onDevice('promises: to the device, on it, and back', async () => {
  const x = random([5, 3], 1, 'float32');
  const weight = random([4, 3], 2, 'float32');
  const there = await promises.to(x, emulated);
  const y = await promises.linear(there, await promises.to(weight, emulated));
  expect(y.device).toBe(emulated);
  close(y, ups.linear(x, weight));
  expect((await promises.to(y, 'cpu')).data.length).toBe(20);
  const tree = await promises.to(ups.tree({ mother, offsets }), emulated);
  expect(tree.device).toBe(emulated);
  const bad = promises.embedding(ups.tensor(Int32Array.of(9), { device: emulated }), there);
  await expect(bad).rejects.toBeInstanceOf(ups.ValueError);
  await expect(promises.to(x, 'cuda:9999')).rejects.toBeInstanceOf(ups.DeviceError);
  await expect(promises.to(1 as never, 'cpu')).rejects.toBeInstanceOf(ups.DTypeError);
});
