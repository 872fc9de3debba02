// No input, however malformed, may crash the process or go unnoticed: every call either gives a result of the promised
// shape or throws one of the library's errors.
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';

import { numbers, thrown } from '../helpers';

const extent = fc.integer({ min: 0, max: 5 });
const shape = fc.array(extent, { maxLength: 4 });
const anyIndex = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: -2, max: 6 }) }, fc.integer());
const anyIndices = fc.array(anyIndex, { maxLength: 8 }).map((list) => Int32Array.from(list));
const value = fc.oneof(fc.float(), fc.constantFrom(NaN, Infinity, -Infinity, 0, -0));
const dtype = fc.constantFrom<ups.DType>('float32', 'float64', 'int32', 'int64', 'uint8');
const anyTensor = fc
  .record({ shape, dtype, value: fc.integer({ min: 0, max: 9 }), type: fc.boolean() })
  .map(({ shape: sizes, dtype: type, value: fill }) => {
    const made = ups.zeros(sizes, { dtype: type });
    if (type === 'int64') (made.data as BigInt64Array).fill(BigInt(fill));
    else (made.data as Float32Array).fill(fill);
    return made;
  });
/** Mostly float32 matrices, so that some calls go through. */
const matrix = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }))
      .map(([rows, columns]) => ups.zeros([rows, columns])),
  },
  anyTensor,
);
const vector = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 0, max: 3 }).map((length) => ups.zeros([length])),
  anyTensor,
);

/** Runs the call; whatever it throws must be ours. */
function survives(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof ups.UpsilonError)) throw error;
    expect(error.code).toMatch(/^ERR_UPSILON_(SHAPE|DTYPE|VALUE|DEVICE|OUT_OF_MEMORY)$/);
    expect(error.message.length).toBeGreaterThan(10);
  }
}

const runs = { numRuns: 300 };

test('linear', () => {
  fc.assert(
    fc.property(matrix, matrix, vector, (x, weight, bias) =>
      survives(() => {
        expect(ups.linear(x, weight, { bias }).shape).toEqual([...x.shape.slice(0, -1), weight.shape[0]]);
      }),
    ),
    runs,
  );
});

test('mlp', () => {
  fc.assert(
    fc.property(matrix, fc.array(fc.record({ weight: matrix, bias: vector }), { maxLength: 6 }), (x, layers) =>
      survives(() => ups.mlp(x, layers)),
    ),
    runs,
  );
});

test('embedding', () => {
  fc.assert(
    fc.property(anyIndices, matrix, (indices, table) =>
      survives(() => {
        const result = ups.embedding(indices, table);
        expect(indices.every((index) => index >= 0 && index < table.shape[0]!)).toBe(true);
        expect(result.shape).toEqual([indices.length, table.shape[1]]);
      }),
    ),
    runs,
  );
});

test('setPool', () => {
  fc.assert(
    fc.property(matrix, anyIndices, fc.constantFrom<ups.Pool>('sum', 'mean', 'max', 'min'), (values, offsets, pool) =>
      survives(() => {
        expect(ups.setPool({ values, offsets }, pool).shape).toEqual([offsets.length - 1, values.shape[1]]);
      }),
    ),
    runs,
  );
});

test('graphs', () => {
  fc.assert(
    fc.property(
      anyIndices,
      anyIndices,
      fc.integer({ min: -1, max: 6 }),
      matrix,
      matrix,
      (sources, targets, numNodes, x, weight) =>
        survives(() => {
          const graph = ups.graph({ sources, targets, numNodes });
          survives(() => ups.spmm(graph, x));
          const trained = weight.dtype.startsWith('float') ? ups.tensor(weight, { requiresGrad: true }) : weight;
          const result = ups.graphConv(graph, x, trained, { selfLoops: numNodes % 2 === 0 });
          if (result.requiresGrad) result.backward(ups.zeros(result.shape, { dtype: result.dtype }));
        }),
    ),
    runs,
  );
});

test('trees with cycles and mothers that are none', () => {
  fc.assert(
    fc.property(anyIndices, anyIndices, matrix, (mother, offsets, x) =>
      survives(() => {
        const weight = ups.zeros([2, x.shape[1] ?? 0]);
        const tree = ups.tree({ mother, offsets });
        expect(ups.treeConv(tree, x, { self: weight, parent: weight, daughters: weight }).shape).toEqual([
          mother.length,
          2,
        ]);
      }),
    ),
    runs,
  );
  const weight = ups.zeros([1, 1]),
    options = { self: weight, parent: weight, daughters: weight };
  expect(
    thrown(() => ups.treeConv(ups.tree({ mother: [1, 2, 0], offsets: [0, 3] }), [[1], [1], [1]], options)).message,
  ).toContain('cycle');
  expect(thrown(() => ups.treeConv(ups.tree({ mother: [0], offsets: [0, 1] }), [[1]], options)).message).toContain(
    'cycle',
  );
});

test('values pass through whatever they are', () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 9 }), (list) => {
      expect(ups.linear([list], [list.map(() => 1)]).shape).toEqual([1, 1]);
    }),
    runs,
  );
  expect(ups.linear([[NaN]], [[1]]).item()).toBeNaN();
  expect(ups.linear([[Infinity]], [[1]]).item()).toBe(Infinity);
});

test('arguments that are nothing of the kind', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (first, second) => {
      const graph = ups.graph({ sources: [0], targets: [0], numNodes: 1 });
      const calls: (() => unknown)[] = [
        () => ups.linear(first as never, second as never),
        () => ups.mlp(first as never, second as never),
        () => ups.embedding(first as never, second as never),
        () => ups.setPool(first as never, second as never),
        () => ups.graphConv(first as never, second as never, second as never),
        () => ups.graphConv(graph, first as never, second as never),
        () => ups.treeConv(first as never, second as never, second as never),
        () => ups.spmm(graph, first as never),
        () => ups.tensor(first as never),
        () => ups.tensor([1], { shape: first as never }),
        () => ups.tensor([1], { dtype: first as never }),
        () => ups.ragged(first as never),
        () => ups.graph(first as never),
        () => ups.tree(first as never),
        () => ups.random.uniform([2], { seed: first as never }),
        () => ups.random.uniform(first as never, { seed: 1 }),
      ];
      for (const call of calls) survives(call);
    }),
    { numRuns: 100 },
  );
});

test('options that are none', () => {
  const x = ups.tensor([[1]]);
  expect(thrown(() => ups.linear(x, x, { activation: 'swish' as never })).message).toBe(
    "linear: activation is 'swish' (expected none, relu, leakyRelu, elu, gelu, tanh, sigmoid)",
  );
  for (const seed of [-1, 1.5, 2 ** 60, 2n ** 64n, 'a' as never])
    expect(thrown(() => ups.random.uniform([1], { seed }))).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.tensor([[1], [1, 2]]))).toBeInstanceOf(ups.ShapeError);
  expect(thrown(() => ups.tensor([1.5], { dtype: 'int32' }))).toBeInstanceOf(ups.ValueError);
});

test('errors say what was found, wanted and where', () => {
  const graph = ups.graph({ sources: [0, 1], targets: [1, 0], numNodes: 2 });
  const x = ups.tensor(numbers(32), { dtype: 'float32', shape: [2, 16] });
  const error = thrown(() => ups.graphConv(graph, x, ups.zeros([64, 12])));
  expect(error).toMatchObject({
    code: 'ERR_UPSILON_SHAPE',
    operation: 'graphConv',
    argument: 'weight',
    name: 'ShapeError',
  });
  expect(error.message).toContain('graphConv: weight is [64, 12] but x is [2, 16]');
  expect(thrown(() => ups.graph({ sources: [5], targets: [0], numNodes: 2 }))).toBeInstanceOf(ups.ValueError);
});
