// Results and gradients of PyTorch and PyTorch Geometric (tools/golden).
import { join } from 'node:path';

import * as ups from 'upsilon-kernels';

type Tensors = Record<string, ups.Tensor>;

function golden(name: string): Tensors {
  return ups.safetensors.load(join(__dirname, '..', '..', 'test', 'golden', `${name}.safetensors`));
}

function expectClose(found: ups.Tensor, expected: ups.Tensor, name: string): void {
  expect([name, ...found.shape]).toEqual([name, ...expected.shape]);
  const values = found.data as Float32Array;
  const scale = (expected.data as Float32Array).reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  (expected.data as Float32Array).forEach((value, i) => {
    if (!(Math.abs(values[i] - value) <= 1e-5 * scale))
      throw new Error(`${name}[${i}] is ${values[i]}, PyTorch has ${value}`);
  });
}

/**
 * Computes y from the golden inputs of these names, and their gradients; `mode` begins the names of
 * the results.
 */
function check(tensors: Tensors, names: string[], compute: (inputs: Tensors) => ups.Tensor, mode = ''): void {
  const inputs = Object.fromEntries(names.map((name) => [name, ups.tensor(tensors[name], { requiresGrad: true })]));
  const y = compute(inputs);
  expectClose(y, tensors[`${mode}y`], 'y');
  y.backward(tensors[`${mode}dy`]);
  for (const name of names) expectClose(inputs[name].grad!, tensors[`${mode}d${name}`], `d${name}`);
}

test.each([
  ['concat', { concat: true, selfLoops: true }],
  ['mean', { concat: false, selfLoops: true }],
  ['without-loops', { concat: true, selfLoops: false }],
])("graphAttentionConv is PyTorch Geometric's GATConv: %s", (name, options) => {
  const tensors = golden(`graph-attention-conv-${name}`);
  const graph = ups.graph({ sources: tensors['sources'], targets: tensors['targets'], numNodes: 9 });
  check(
    tensors,
    ['x', 'weight', 'attentionSource', 'attentionTarget', 'bias'],
    ({ x, weight, attentionSource, attentionTarget, bias }) =>
      ups.graphAttentionConv(graph, x, { weight, attentionSource, attentionTarget, bias, heads: 3, ...options }),
  );
});

test("graphAttentionConv is DGL's GATConv", () => {
  const tensors = golden('graph-attention-conv-dgl');
  const graph = ups.graph({ sources: tensors['sources'], targets: tensors['targets'], numNodes: 11 });
  check(
    tensors,
    ['x', 'weight', 'attentionSource', 'attentionTarget', 'bias'],
    ({ x, weight, attentionSource, attentionTarget, bias }) =>
      ups.graphAttentionConv(graph, x, { weight, attentionSource, attentionTarget, bias, heads: 3 }),
  );
});

test.each([
  ['last', [-1]],
  ['volume', [1, 2, 3]],
])("layerNorm is PyTorch's: %s", (name, axes) => {
  check(golden(`layer-norm-${name}`), ['x', 'weight', 'bias'], ({ x, weight, bias }) =>
    ups.layerNorm(x, { axes, weight, bias }),
  );
});

test.each(['rows', 'volume'])("batchNorm is PyTorch's: %s", (name) => {
  const tensors = golden(`batch-norm-${name}`);
  const [mean, variance] = [tensors['mean'], tensors['variance']].map((statistic) =>
    Float32Array.from(statistic.data as Float32Array),
  );
  for (const training of [false, true])
    check(
      tensors,
      ['x', 'weight', 'bias'],
      ({ x, weight, bias }) => ups.batchNorm(x, { mean, variance, weight, bias, training }),
      training ? 'training.' : '',
    );
  expectClose(ups.tensor(mean), tensors['training.mean'], 'mean');
  expectClose(ups.tensor(variance), tensors['training.variance'], 'variance');
});

test.each(['1d', '2d', '3d'])("instanceNorm is PyTorch's InstanceNorm%s", (rank) => {
  const tensors = golden(`instance-norm-${rank}`);
  check(tensors, ['x', 'weight', 'bias'], ({ x, weight, bias }) => ups.instanceNorm(x, { weight, bias }));
});

test("edge weights of graphConv have the gradients of PyTorch Geometric's GCNConv", () => {
  const tensors = golden('graph-conv-weights');
  check(tensors, ['x', 'weight', 'bias', 'weights'], ({ x, weight, bias, weights }) => {
    const graph = ups.graph({ sources: tensors['sources'], targets: tensors['targets'], numNodes: 7, weights });
    return ups.graphConv(graph, x, weight, { bias });
  });
});

test.each(['distance-correlation', 'distance-correlation-points'])(
  "DisCo's value and gradients, dcor's values: %s",
  (name) => {
    const tensors = golden(name);
    for (const power of [1, 2]) {
      const inputs = ['x', 'y', 'weights'].map((key) => ups.tensor(tensors[key], { requiresGrad: true }));
      const [x, y, weights] = inputs;
      const value = ups.distanceCorrelation(x, y, { weights, power });
      value.backward();
      expect(value.item()).toBeCloseTo(tensors[`value${power}`].item(), 6);
      ['x', 'y', 'weights'].forEach((key, i) => expectClose(inputs[i].grad!, tensors[`d${key}${power}`], `d${key}`));
    }
    const { x, y, dcor } = tensors;
    const options = [{}, { estimator: 'unbiased' as const }];
    const found = options.flatMap((o) => [ups.distanceCorrelation(x, y, o), ups.distanceCovariance(x, y, o)]);
    found.forEach((value, i) => expect(value.item()).toBeCloseTo(dcor.data[i] as number, 6));
  },
);
