// Gradients of the references against central differences, in float64.
import * as ups from 'upsilon-kernels';

import { checkGradients, random } from '../helpers';

const edges = () =>
  ups.graph({
    sources: [0, 1, 2, 2, 4, 0],
    targets: [1, 2, 0, 2, 1, 1],
    numNodes: 5,
    weights: ups.tensor(Float64Array.of(0.5, 1, 2, 1.5, 1, 0.25)),
  });
const forest = () => ups.tree({ mother: [-1, 0, 0, 1, -1, -1, 0], offsets: [0, 5, 7] });

const activations: ups.Activation[] = ['none', 'relu', 'leakyRelu', 'elu', 'gelu', 'tanh', 'sigmoid', 'leakyRelu0.2'];

test.each(activations)('linear with %s', (activation) => {
  const x = random([3, 4], 1),
    weight = random([2, 4], 2),
    bias = random([2], 3);
  checkGradients([x, weight, bias], () => ups.linear(x, weight, { bias, activation }));
});

test('linear with leading dimensions, without bias', () => {
  const x = random([2, 2, 3], 1),
    weight = random([4, 3], 2);
  checkGradients([x, weight], () => ups.linear(x, weight));
});

test.each([1, 3, 4, 6])('mlp of %i layers', (depth) => {
  const x = random([3, 2], 1);
  const layers = Array.from({ length: depth }, (_, i) => ({
    weight: random([2, 2], 10 + i),
    bias: random([2], 20 + i),
    activation: 'tanh' as const,
  }));
  checkGradients([x, ...layers.flatMap(({ weight, bias }) => [weight, bias])], () => ups.mlp(x, layers));
});

test('embedding with further features', () => {
  const table = random([3, 2], 1),
    append = random([4, 2], 2);
  checkGradients([table, append], () => ups.embedding([0, 2, 0, 1], table, { append }));
});

test.each(['sum', 'mean', 'max', 'min'] as const)('setPool %s', (pool) => {
  const x = random([6, 2], 1);
  checkGradients([x], () => ups.setPool({ values: x, offsets: [0, 3, 3, 6] }, pool));
});

test.each(['sum', 'mean', 'max', 'min'] as const)('deepSet %s', (pool) => {
  const x = random([7, 3], 1),
    particles = ups.tensor(Float64Array.from(random([7], 9).data as Float64Array, (weight) => 1.5 + weight));
  const layer = (outputs: number, inputs: number, seed: number) => ({
    weight: random([outputs, inputs], seed),
    bias: random([outputs], seed + 1),
    activation: 'tanh' as const,
  });
  const phi = [layer(4, 3, 10), layer(2, 4, 20)],
    rho = [layer(2, 2, 30)];
  const parameters = [x, ...[...phi, ...rho].flatMap(({ weight, bias }) => [weight, bias])];
  const set = { values: x, offsets: [0, 3, 3, 7] };
  checkGradients(parameters, () => ups.deepSet(set, { phi, pool, rho }));
  if (pool === 'sum' || pool === 'mean')
    checkGradients([...parameters, particles], () => ups.deepSet(set, { phi, pool, rho, weights: particles }));
});

test('deepSet of more layers than a kernel takes', () => {
  const x = random([5, 2], 1);
  const phi = Array.from({ length: 6 }, (_, i) => ({ weight: random([2, 2], 10 + i), activation: 'tanh' as const }));
  checkGradients([x, ...phi.map(({ weight }) => weight)], () =>
    ups.deepSet({ values: x, offsets: [0, 2, 5] }, { phi, pool: 'mean' }),
  );
});

test.each(['symmetric', 'row', 'none'] as const)('graphConv %s', (normalization) => {
  const x = random([5, 3], 1),
    weight = random([2, 3], 2),
    bias = random([2], 3),
    graph = edges();
  for (const selfLoops of [true, false]) {
    checkGradients([x, weight, bias], () =>
      ups.graphConv(graph, x, weight, { bias, activation: 'tanh', normalization, selfLoops }),
    );
  }
});

test.each(activations)('layerNorm with %s', (activation) => {
  const x = random([3, 2, 4], 1),
    weight = random([2, 4], 2),
    bias = random([2, 4], 3);
  checkGradients([x, weight, bias], () => ups.layerNorm(x, { axes: [-2, -1], weight, bias, activation }));
});

test.each([true, false])('graphAttentionConv, concat %s', (concat) => {
  const x = random([5, 3], 1),
    weight = random([4, 3], 2),
    attentionSource = random([2, 2], 3),
    attentionTarget = random([2, 2], 4),
    bias = random([concat ? 4 : 2], 5),
    graph = edges();
  for (const selfLoops of [true, false]) {
    checkGradients([x, weight, attentionSource, attentionTarget, bias], () =>
      ups.graphAttentionConv(graph, x, {
        weight,
        attentionSource,
        attentionTarget,
        bias,
        concat,
        selfLoops,
        activation: 'tanh',
      }),
    );
  }
});

test.each(['none', 'mean', 'symmetric'] as const)('treeConv %s', (normalization) => {
  const x = random([7, 3], 1),
    self = random([2, 3], 2),
    parent = random([2, 3], 3),
    daughters = random([2, 3], 4),
    bias = random([2], 5),
    tree = forest();
  checkGradients([x, self, parent, daughters, bias], () =>
    ups.treeConv(tree, x, { self, parent, daughters, bias, activation: 'tanh', normalization }),
  );
});

test.each(['symmetric', 'row', 'none'] as const)(
  'edge weights of graphConv %s, in the order they were given',
  (normalization) => {
    const x = random([5, 3], 1),
      weight = random([2, 3], 2),
      weights = ups.tensor(Float64Array.of(0.5, 1, 2, 1.5, 1, 0.25), { requiresGrad: true });
    for (const selfLoops of [true, false]) {
      checkGradients([x, weight, weights], () => {
        const graph = ups.graph({ sources: [0, 1, 2, 2, 4, 0], targets: [1, 2, 0, 2, 1, 1], numNodes: 5, weights });
        return ups.graphConv(graph, x, weight, { activation: 'tanh', normalization, selfLoops });
      });
    }
  },
);

test('edge weights of spmm', () => {
  const x = random([3, 2], 1),
    weights = random([4], 2);
  checkGradients([x, weights], () =>
    ups.spmm(ups.graph({ sources: [2, 0, 1, 0], targets: [1, 2, 0, 2], numNodes: 3, weights }), x),
  );
});

test('spmm', () => {
  const x = random([5, 3], 1),
    graph = edges();
  checkGradients([x], () => ups.spmm(graph, x));
});

test('a tensor that is used several times, and reshaped', () => {
  const x = random([2, 2], 1),
    weight = random([2, 2], 2);
  checkGradients([x, weight], () =>
    ups.linear(ups.linear(x, weight, { activation: 'tanh' }).reshape([4, 1]).reshape([2, 2]), weight),
  );
});

test('gradients accumulate, and noGrad and detach cut the tape', () => {
  const weight = ups.tensor([[2]], { requiresGrad: true }),
    x = ups.tensor([[3]]);
  ups.linear(x, weight).backward();
  ups.linear(x, weight).backward();
  expect(weight.grad!.item()).toBe(6);
  expect(ups.noGrad(() => ups.linear(x, weight)).requiresGrad).toBe(false);
  expect(ups.linear(x, weight.detach()).requiresGrad).toBe(false);
  expect(() => ups.linear(x, x).backward()).toThrow(ups.ValueError);
  expect(() => ups.linear([[1], [2]], weight).backward()).toThrow(ups.ShapeError);
});

test.each([() => ups.optim.Adam, () => ups.optim.Sgd])('an optimiser finds the minimum', (optimizer) => {
  const weight = ups.tensor([[5]], { requiresGrad: true });
  const steps = new (optimizer())([weight], { learningRate: 0.1 });
  for (let i = 0; i < 300; ++i) {
    steps.zeroGrad();
    const y = ups.linear([[1]], weight, { bias: [-2] });
    y.backward(y.detach());
    steps.step();
  }
  expect(weight.item()).toBeCloseTo(2, 2);
});
