// No input, however malformed, may crash the process or go unnoticed: every call either gives a
// result of the promised shape or throws one of the library's errors.
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

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
        expect(indices.every((index) => index >= 0 && index < table.shape[0])).toBe(true);
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

test('thrust and event shapes', () => {
  fc.assert(
    fc.property(matrix, vector, vector, vector, anyIndices, (values, charge, role, energy, offsets) =>
      survives(() => {
        survives(() => expect(ups.thrust({ values, offsets }).shape).toEqual([offsets.length - 1, 3]));
        const columns = ups.eventShapes({ p4: { values, offsets }, charge, role, energy } as ups.EventShapeInputs);
        expect(columns.R2.shape).toEqual([offsets.length - 1]);
      }),
    ),
    runs,
  );
  // Momenta of any size, where the shapes are right.
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value, value, value), { maxLength: 6 }), anyIndices, (rows, offsets) =>
      survives(() => {
        const values = ups.tensor(Float32Array.from(rows.flat()), { shape: [rows.length, 4] });
        const role = Uint8Array.from(rows, (_, i) => 85 * i);
        const energy = new Float32Array(Math.max(offsets.length - 1, 0)).fill(5);
        const columns = ups.eventShapes({ p4: { values, offsets }, charge: rows.map(() => 1), role, energy });
        expect(rows.flat().every(Number.isFinite)).toBe(true);
        expect(columns.thrustBm.data.every((thrust) => thrust >= 0 && thrust < 1.001)).toBe(true);
      }),
    ),
    runs,
  );
});

test('showerObservables', () => {
  const options = fc.record(
    {
      threshold: value,
      ringWidth: value,
      lowest: value,
      highest: value,
      rings: extent,
      bins: extent,
      axis: fc.constantFrom(undefined, [[1, 2]]),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 24, maxLength: 24 }), options, (cells, settings) =>
      survives(() => {
        const shower = ups.tensor(Float32Array.from(cells), { shape: [1, 2, 3, 4] });
        const found = ups.showerObservables(shower, settings);
        expect(found.hits.data[0]).toBeLessThanOrEqual(24);
        expect(found.edges.data).toHaveLength(found.spectrum.shape[1] + 1);
      }),
    ),
    runs,
  );
});

test('object condensation', () => {
  const thresholds = fc.record({ tBeta: value, tD: value });
  fc.assert(
    fc.property(vector, matrix, anyIndices, anyIndices, thresholds, (beta, values, ids, offsets, options) =>
      survives(() => {
        survives(() => ups.condense(beta!, { values, offsets }, options));
        const loss = ups.objectCondensation(beta!, { values, offsets }, ids);
        expect(loss.shape).toEqual([4]);
      }),
    ),
    runs,
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value, value, anyIndex), { maxLength: 6 }), thresholds, (hits, options) =>
      survives(() => {
        const x = ups.tensor(Float32Array.from(hits.flatMap(([, a, b]) => [a, b])), { shape: [hits.length, 2] });
        const beta = ups.tensor(
          Float32Array.from(hits, ([b]) => b),
          { requiresGrad: true },
        );
        const ragged = { values: x, offsets: [0, hits.length] };
        const { clusters, counts } = ups.condense(beta, ragged, options);
        expect(clusters.data.every((cluster) => cluster >= -1 && cluster < counts.data[0])).toBe(true);
        const ids = Int32Array.from(hits, ([, , , id]) => id);
        ups.objectCondensation(beta, ragged, ids).backward([1, 1, 1, 1]);
        expect(beta.grad!.shape).toEqual([hits.length]);
      }),
    ),
    runs,
  );
});

test('deepSet', () => {
  const layers = fc.array(fc.record({ weight: matrix, bias: vector }), { maxLength: 6 });
  const pools = fc.constantFrom<ups.Pool>('sum', 'mean', 'max', 'min');
  fc.assert(
    fc.property(matrix, anyIndices, layers, layers, vector, pools, (values, offsets, phi, rho, weights, pool) =>
      survives(() => {
        expect(ups.deepSet({ values, offsets }, { phi, rho, pool, weights }).shape[0]).toBe(offsets.length - 1);
      }),
    ),
    runs,
  );
  const x = { values: [[1]], offsets: [0, 1] },
    layer = { weight: [[1]] };
  const refused: [() => unknown, string][] = [
    [() => ups.deepSet(x, { phi: [], pool: 'sum' }), 'phi'],
    [() => ups.deepSet(x, { phi: [layer], pool: 'max', weights: [1] }), 'weights'],
    [() => ups.deepSet(x, { phi: [layer], pool: 'median' as never }), 'pool'],
    [() => ups.deepSet(x, { phi: [layer], pool: 'sum', rho: [{ weigth: 1 } as never] }), 'weigth'],
    [() => ups.deepSet({ values: [[1]], offsets: [0, 2] }, { phi: [layer], pool: 'sum' }), 'offsets'],
  ];
  for (const [call, argument] of refused)
    expect(thrown(call)).toMatchObject({ name: 'ValueError', operation: 'deepSet', argument });
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

test('graphAttentionConv', () => {
  const graph = ups.graph({ sources: [0, 1, 1], targets: [1, 0, 1], numNodes: 2 });
  fc.assert(
    fc.property(
      matrix,
      matrix,
      matrix,
      matrix,
      vector,
      fc.record({
        heads: fc.oneof(fc.constant(undefined), fc.integer({ min: -1, max: 4 })),
        concat: fc.boolean(),
        selfLoops: fc.boolean(),
        negativeSlope: fc.oneof(fc.float(), fc.constant(0.2)),
      }),
      (x, weight, attentionSource, attentionTarget, bias, options) =>
        survives(() => {
          const trained = weight.dtype.startsWith('float') ? ups.tensor(weight, { requiresGrad: true }) : weight;
          const all = { ...options, weight: trained, attentionSource, attentionTarget, bias };
          const result = ups.graphAttentionConv(graph, x, all);
          const [heads, features] = attentionSource.shape;
          expect(result.shape).toEqual([2, options.concat ? heads * features : features]);
          if (result.requiresGrad) result.backward(ups.zeros(result.shape, { dtype: result.dtype }));
        }),
    ),
    runs,
  );
  const attention = { attentionSource: ups.zeros([2, 3]), attentionTarget: ups.zeros([2, 3]) };
  const message = (call: () => unknown): string => thrown(call).message;
  expect(
    message(() => ups.graphAttentionConv(graph, ups.zeros([2, 4]), { weight: ups.zeros([5, 4]), ...attention })),
  ).toBe('graphAttentionConv: weight is [5, 4] but 6 are wanted in dimension 0 (expected weight [H*F, Fin])');
  expect(
    message(() =>
      ups.graphAttentionConv(graph, ups.zeros([2, 4]), { weight: ups.zeros([6, 4]), ...attention, heads: 3 }),
    ),
  ).toBe('graphAttentionConv: attentionSource is [2, 3] but heads is 3 (expected attentionSource [H, F])');
});

test('layerNorm', () => {
  const axes = fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 3 });
  fc.assert(
    fc.property(anyTensor, vector, vector, axes, fc.float(), (x, weight, bias, last, eps) =>
      survives(() => {
        const trained = x.dtype.startsWith('float') ? ups.tensor(x, { requiresGrad: true }) : x;
        const result = ups.layerNorm(trained, { axes: last, weight, bias, eps });
        expect(result.shape).toEqual(x.shape);
        if (result.requiresGrad) result.backward(ups.zeros(result.shape, { dtype: result.dtype }));
      }),
    ),
    runs,
  );
  const message = (call: () => unknown): string => thrown(call).message;
  expect(message(() => ups.layerNorm(ups.zeros([2, 3]), { axes: [0] }))).toBe(
    'layerNorm: axes is [0] (expected the last axes of x, which is [2, 3])',
  );
  expect(message(() => ups.layerNorm(ups.zeros([2, 3]), { axes: [-1], weight: [1, 2] }))).toBe(
    'layerNorm: weight is [2] but x is [2, 3], where F is 3 (expected weight [F])',
  );
  expect(message(() => ups.layerNorm(ups.zeros([2, 1, 3]), { axes: [-1, -2], bias: [1, 2, 3] }))).toBe(
    'layerNorm: bias is [3] but x is [2, 1, 3] (expected bias [1, 3])',
  );
  expect(message(() => ups.layerNorm(ups.zeros([2, 3]), { axes: [0, 1], out: ups.zeros([3, 2]) }))).toBe(
    'layerNorm: out is [3, 2] (expected [2, 3], as x)',
  );
});

test('trees with cycles and invalid mothers', () => {
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
        () => ups.deepSet(first as never, second as never),
        () => ups.graphConv(first as never, second as never, second as never),
        () => ups.graphConv(graph, first as never, second as never),
        () => ups.graphAttentionConv(first as never, second as never, second as never),
        () => ups.graphAttentionConv(graph, first as never, second as never),
        () => ups.layerNorm(first as never, second as never),
        () => ups.layerNorm([[1]], { axes: first as never, weight: second as never }),
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

test('invalid options', () => {
  const x = ups.tensor([[1]]);
  expect(thrown(() => ups.linear(x, x, { activation: 'swish' as never })).message).toBe(
    "linear: activation is 'swish' (expected none, relu, leakyRelu, elu, gelu, tanh, sigmoid, leakyRelu0.2)",
  );
  for (const seed of [-1, 1.5, 2 ** 60, 2n ** 64n, 'a' as never])
    expect(thrown(() => ups.random.uniform([1], { seed }))).toBeInstanceOf(ups.ValueError);
  const ofRandom = (call: () => unknown, operation: string, argument: string, text: string): void => {
    expect(thrown(call)).toMatchObject({ name: 'ValueError', operation, argument, message: `${operation}: ${text}` });
  };
  const { uniform, normal } = ups.random;
  for (const [options, argument, text] of [
    [{ perStream: -1 }, 'perStream', 'perStream is -1 (expected at least 0)'],
    [{ perStream: 1.5 }, 'perStream', 'perStream is 1.5 (expected an integer below 2^53, or a bigint)'],
    [{ perStream: 2n ** 63n }, 'perStream', `perStream is ${2n ** 63n}n (expected an integer of 64 bits)`],
    [{ low: NaN }, 'low', 'low is NaN (expected a finite number)'],
    [{ low: null as never }, 'low', 'low is null (expected a number)'],
    [{ high: 1e39 }, 'high', 'high is Infinity (expected a finite number)'],
    [{ high: '1' as never }, 'high', "high is '1' (expected a number)"],
    [{ high: -1 }, 'high', 'high is -1 but low is 0 (expected at least low)'],
    [{ low: 2 }, 'high', 'high is 1 but low is 2 (expected at least low)'],
    [
      { mean: 1 } as never,
      'mean',
      "unknown option 'mean' (expected one of seed, stream, perStream, low, high, dtype, device, out)",
    ],
  ] as const)
    ofRandom(() => uniform([1], { seed: 1, ...(options as object) }), 'random.uniform', argument, text);
  expect(thrown(() => uniform([1], { seed: 1, low: -3e38, high: 3e38 })).message).toContain('a finite distance');
  for (const [options, argument, text] of [
    [{ perStream: -5 }, 'perStream', 'perStream is -5 (expected at least 0)'],
    [{ mean: Infinity }, 'mean', 'mean is Infinity (expected a finite number)'],
    [{ deviation: -1 }, 'deviation', 'deviation is -1 (expected at least 0)'],
    [{ deviation: 1n as never }, 'deviation', 'deviation is 1n (expected a number)'],
  ] as const)
    ofRandom(() => normal([1], { seed: 1, ...(options as object) }), 'random.normal', argument, text);
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

// Not only typed errors: exactly the input that means something is computed, and the result is
// right.

/** Offsets near what is valid: mostly increasing, sometimes not. */
const nearlyOffsets = fc
  .array(fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 3 }) }, fc.integer({ min: -2, max: 9 })), {
    maxLength: 6,
  })
  .chain((steps) =>
    fc.integer({ min: -1, max: 1 }).map((first) => {
      let at = first === 0 ? 0 : Math.max(first, -1);
      return Int32Array.from([at, ...steps.map((step) => (at += step))]);
    }),
  );

function splits(offsets: Int32Array, rows: number): boolean {
  if (offsets.length === 0 || offsets[0] < 0 || offsets[offsets.length - 1] > rows) return false;
  return offsets.every((offset, i) => i === 0 || offset >= offsets[i - 1]);
}

test('setPool computes what has valid offsets, and nothing else', () => {
  fc.assert(
    fc.property(nearlyOffsets, fc.integer({ min: 0, max: 10 }), (offsets, rows) => {
      const x = Float32Array.from({ length: rows }, (_, i) => i + 1);
      const call = (): ups.Tensor => ups.setPool({ values: ups.tensor(x, { shape: [rows, 1] }), offsets }, 'sum');
      if (splits(offsets, rows)) {
        const sums = Array.from({ length: offsets.length - 1 }, (_, b) =>
          x.slice(offsets[b], offsets[b + 1]).reduce((sum, number) => sum + number, 0),
        );
        expect([...call().data]).toEqual(sums);
      } else {
        expect(thrown(call)).toMatchObject({ operation: 'setPool', argument: 'offsets' });
      }
    }),
    runs,
  );
});

test('embedding looks up valid indices, and nothing else', () => {
  fc.assert(
    fc.property(anyIndices, fc.integer({ min: 0, max: 6 }), (indices, rows) => {
      const table = Float32Array.from({ length: rows }, (_, i) => 10 * i);
      const call = (): ups.Tensor => ups.embedding(indices, ups.tensor(table, { shape: [rows, 1] }));
      if (indices.every((index) => index >= 0 && index < rows)) {
        expect([...call().data]).toEqual(Array.from(indices, (index) => table[index]));
      } else {
        expect(thrown(call)).toMatchObject({ name: 'ValueError', operation: 'embedding', argument: 'indices' });
      }
    }),
    runs,
  );
});

test('graph() takes edges between its nodes, and nothing else', () => {
  const edges = fc.array(fc.tuple(fc.integer({ min: -1, max: 5 }), fc.integer({ min: -1, max: 5 })), { maxLength: 8 });
  fc.assert(
    fc.property(edges, fc.integer({ min: 0, max: 5 }), (list, numNodes) => {
      const sources = Int32Array.from(list, ([source]) => source);
      const targets = Int32Array.from(list, ([, target]) => target);
      const outside = (index: number): boolean => index < 0 || index >= numNodes;
      if (sources.some(outside) || targets.some(outside)) {
        const error = thrown(() => ups.graph({ sources, targets, numNodes }));
        expect(error).toMatchObject({ name: 'ValueError', operation: 'graph' });
        expect(error.argument).toBe(sources.some(outside) ? 'sources' : 'targets');
        return;
      }
      const x = Float32Array.from({ length: numNodes }, (_, i) => i + 1);
      const sums = new Array<number>(numNodes).fill(0);
      for (const [source, target] of list) sums[target] += x[source];
      const graph = ups.graph({ sources, targets, numNodes });
      expect([...ups.spmm(graph, ups.tensor(x, { shape: [numNodes, 1] })).data]).toEqual(sums);
    }),
    runs,
  );
});

test('tree() takes forests, and nothing else', () => {
  const mothers = fc.array(fc.integer({ min: -2, max: 4 }), { maxLength: 8 }).map((list) => Int32Array.from(list));
  fc.assert(
    fc.property(mothers, nearlyOffsets, (mother, offsets) => {
      const reachesRoot = (event: number, node: number): boolean => {
        const size = offsets[event + 1] - offsets[event];
        for (let steps = 0; steps <= size; ++steps) {
          if (node === -1) return true;
          if (node < -1 || node >= size) return false;
          node = mother[offsets[event] + node]!;
        }
        return false;
      };
      const isForest =
        splits(offsets, mother.length) &&
        Array.from({ length: offsets.length - 1 }, (_, event) =>
          Array.from({ length: offsets[event + 1] - offsets[event] }, (__, node) => reachesRoot(event, node)),
        ).every((event) => event.every(Boolean));
      const call = (): ups.Graph => ups.tree({ mother, offsets });
      if (isForest) expect(call().numNodes).toBe(mother.length);
      else expect(thrown(call)).toMatchObject({ name: 'ValueError', operation: 'tree' });
    }),
    { numRuns: 600 },
  );
});

test('memory that changes after it was checked is checked again', () => {
  const mother = Int32Array.of(-1, 0, 0);
  const tree = ups.tree({ mother, offsets: [0, 3] });
  mother[0] = 2;
  const weight = [[1]];
  const call = (): unknown => ups.treeConv(tree, [[1], [1], [1]], { self: weight, parent: weight, daughters: weight });
  expect(thrown(call)).toMatchObject({ name: 'ValueError', operation: 'treeConv', argument: 'mother' });
});

type Resizable = ArrayBuffer & { resize(bytes: number): void };
const resizable = (bytes: number): Resizable =>
  new (ArrayBuffer as unknown as new (bytes: number, options: object) => Resizable)(bytes, { maxByteLength: 64 });
const disturbance = fc.constantFrom<(buffer: Resizable) => void>(
  () => undefined,
  (buffer) => void structuredClone(buffer, { transfer: [buffer] }),
  (buffer) => buffer.resize(0),
  (buffer) => buffer.resize(5),
  (buffer) => buffer.resize(64),
);

test('arguments whose memory was detached or resized', async () => {
  const which = fc.array(disturbance, { minLength: 4, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(which, fc.boolean(), fc.boolean(), async (disturb, later, tracking) => {
      const make = (shape: number[], ...list: number[]): { tensor: ups.Tensor; buffer: Resizable } => {
        const buffer = resizable(4 * list.length);
        const array = tracking ? new Float32Array(buffer) : new Float32Array(buffer, 0, list.length);
        array.set(list);
        return { tensor: ups.tensor(array, { shape }), buffer };
      };
      const parts = [make([1, 2], 1, 2), make([2, 2], 1, 2, 3, 4), make([2], 10, 20), make([1, 2], 0, 0)];
      const [x, weight, bias, out] = parts.map(({ tensor }) => tensor);
      if (!later) parts.forEach(({ buffer }, i) => disturb[i](buffer));
      const options = { bias: bias, out: out };
      const call = later ? promises.linear(x, weight, options) : undefined;
      if (later) parts.forEach(({ buffer }, i) => disturb[i](buffer));
      try {
        const result = await (call ?? ups.linear(x, weight, options));
        expect([...result.data.slice(0, 2)]).toEqual([15, 31]);
      } catch (error) {
        if (!(error instanceof ups.UpsilonError)) throw error;
        expect(error).toMatchObject({ name: 'ValueError', operation: 'linear' });
      }
    }),
    { numRuns: 400 },
  );
});

test('unknown options and invalid values', () => {
  const x = ups.tensor([[1]]);
  const graph = ups.graph({ sources: [0], targets: [0], numNodes: 1 });
  const tree = ups.tree({ mother: [-1], offsets: [0, 1] });
  const weights = { self: x, parent: x, daughters: x };
  const calls: Record<string, (options: never) => unknown> = {
    linear: (options) => ups.linear(x, x, options),
    mlp: (options) => ups.mlp(x, [{ weight: x }], options),
    embedding: (options) => ups.embedding([0], x, options),
    setPool: (options) => ups.setPool({ values: x, offsets: [0, 1] }, 'sum', options),
    graphConv: (options) => ups.graphConv(graph, x, x, options),
    treeConv: (options) => ups.treeConv(tree, x, { ...weights, ...(options as object) }),
    spmm: (options) => ups.spmm(graph, x, options),
    tensor: (options) => ups.tensor([1], options),
    zeros: (options) => ups.zeros([1], options),
    ragged: (options) => ups.ragged({ values: x, offsets: [0, 1] }, options),
    'random.uniform': (options) => ups.random.uniform([1], { seed: 1, ...(options as object) }),
  };
  for (const [operation, call] of Object.entries(calls)) {
    call({} as never);
    const error = thrown(() => call({ activaton: 'relu' } as never));
    expect(error).toMatchObject({ name: 'ValueError', operation, argument: 'activaton' });
    expect(error.message).toMatch(/unknown option 'activaton' \(expected one of .*\)/);
  }
  for (const wrong of [1, null, 'relu', [], true]) {
    const error = thrown(() => ups.linear(x, x, wrong as never));
    expect(error).toMatchObject({ name: 'ValueError', operation: 'linear', argument: 'options' });
    expect(error.message).toContain('bias, activation, out');
  }
  const message = (call: () => unknown): string => thrown(call).message;
  expect(message(() => ups.graphConv(graph, x, x, { selfLoops: 'no' as never }))).toBe(
    "graphConv: selfLoops is 'no' (expected true or false)",
  );
  expect(message(() => ups.graphConv(graph, x, x, { normalization: 'both' as never }))).toBe(
    "graphConv: normalization is 'both' (expected symmetric, row, none)",
  );
  expect(message(() => ups.setPool({ values: x, offsets: [0, 1] }, 'median' as never))).toBe(
    "setPool: pool is 'median' (expected sum, mean, max, min)",
  );
  expect(message(() => ups.linear(x, x, { bias: 'none' as never }))).toContain("linear: bias is 'none'");
  expect(message(() => ups.mlp(x, [{ weight: x, activate: 'relu' } as never]))).toContain("unknown option 'activate'");
  expect(message(() => new ups.optim.Adam([], { lr: 0.1 } as never))).toContain(
    "unknown option 'lr' (expected one of learningRate",
  );
});

test('getters in options cannot disturb a call', () => {
  const x = ups.tensor([[2]]);
  const options = {
    get activation(): ups.Activation {
      ups.linear([[1, 2, 3]], [[1, 1, 1]], { activation: 'sigmoid' });
      return 'relu';
    },
  };
  expect(ups.linear(x, [[3]], options).item()).toBe(6);
});

test('numbers are neither wrapped nor cut off', () => {
  expect(thrown(() => ups.tensor([256], { dtype: 'uint8' }))).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.tensor([-1], { dtype: 'uint8' }))).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.tensor([2n ** 63n], { dtype: 'int64' }))).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.tensor(Float64Array.of(1.5), { dtype: 'int32' }))).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.tensor(Float64Array.of(NaN), { dtype: 'int64' }))).toBeInstanceOf(ups.ValueError);
  expect(ups.tensor(Float64Array.of(3), { dtype: 'int64' }).data[0]).toBe(3n);
  expect(ups.tensor(Uint16Array.of(7) as never, { dtype: 'int32' }).data[0]).toBe(7);
});

test('objects that look like columns, tensors and graphs', () => {
  const lookalikes: unknown[] = [
    { data: [], type: { typeId: 3 } },
    { data: [1, 2], type: { typeId: 12 } },
    { data: [null], type: { typeId: 16 }, nullCount: 0 },
    { [Symbol.for('upsilon-kernels.tensor')]: true },
    { [Symbol.for('upsilon-kernels.tensor')]: true, device: 'cpu', shape: [9], data: Float32Array.of(1) },
    { [Symbol.for('upsilon-kernels.graph')]: true },
    { [Symbol.for('upsilon-kernels.graph')]: true, numNodes: 5, rowOffsets: [0, 9], sources: [1] },
  ];
  for (const value of lookalikes) {
    for (const call of [
      () => ups.tensor(value as never),
      () => ups.ragged(value as never),
      () => ups.graph(value as never),
      () => ups.tree(value as never),
      () => ups.linear(value as never, [[1]]),
      () => ups.spmm(value as never, [[1]]),
      () => ups.setPool({ values: value as never, offsets: [0, 1] }, 'sum'),
    ]) {
      expect(thrown(call)).toBeInstanceOf(ups.UpsilonError);
    }
  }
});

test('everything empty', () => {
  const nothing = ups.graph({ sources: [], targets: [], numNodes: 0 });
  expect(ups.linear(ups.zeros([0, 3]), ups.zeros([2, 3])).shape).toEqual([0, 2]);
  expect(ups.linear(ups.zeros([2, 0]), ups.zeros([3, 0]), { bias: [1, 2, 3] }).toArray()).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
  expect(ups.linear(ups.zeros([2, 3]), ups.zeros([0, 3])).shape).toEqual([2, 0]);
  expect(ups.setPool({ values: ups.zeros([0, 3]), offsets: [0] }, 'max').shape).toEqual([0, 3]);
  expect(ups.setPool({ values: ups.zeros([0, 1]), offsets: [0, 0, 0] }, 'min').toArray()).toEqual([[0], [0]]);
  expect(ups.graphConv(nothing, ups.zeros([0, 2]), ups.zeros([3, 2])).shape).toEqual([0, 3]);
  expect(ups.spmm(nothing, ups.zeros([0, 2])).shape).toEqual([0, 2]);
  const tree = ups.tree({ mother: [], offsets: [0] });
  const weight = ups.zeros([2, 2]);
  const weights = { self: weight, parent: weight, daughters: weight };
  expect(ups.treeConv(tree, ups.zeros([0, 2]), weights).shape).toEqual([0, 2]);
  expect(ups.embedding([], ups.zeros([0, 4])).shape).toEqual([0, 4]);
  expect(ups.random.normal([0], { seed: 1 }).shape).toEqual([0]);
  expect(thrown(() => ups.tree({ mother: [], offsets: [] }))).toMatchObject({ argument: 'offsets' });
});

test('invalid files, tables and columns', () => {
  const wrong: [() => unknown, object][] = [
    [() => ups.arrow.open(3 as never), { name: 'ValueError', operation: 'arrow.open', argument: 'file' }],
    [() => ups.arrow.open('/nowhere/x'), { name: 'ValueError', operation: 'arrow.open', argument: 'file' }],
    [() => ups.safetensors.load(1e12 as never), { name: 'ValueError', operation: 'safetensors', argument: 'file' }],
    [() => ups.safetensors.save('/nowhere/x', { a: [1] }), { name: 'ValueError', operation: 'safetensors' }],
    [() => ups.safetensors.save('x', null as never), { name: 'ValueError', argument: 'tensors' }],
    [() => ups.recordBatch({ a: 1 as never }), { name: 'DTypeError', operation: 'recordBatch', argument: 'a' }],
    [() => ups.recordBatch(null as never), { name: 'ValueError', argument: 'columns' }],
    [() => ups.arrow.tensors({} as never), { name: 'DTypeError', operation: 'arrow.tensors' }],
    [() => ups.ragged({ values: [[1]], offsets: [0, 5] }).toArrow(), { name: 'ValueError', argument: 'offsets' }],
    [() => ups.noGrad(3 as never), { name: 'ValueError', operation: 'noGrad' }],
    [() => ups.tensor([1]).to({} as never), { name: 'DeviceError', argument: 'device' }],
    [() => ups.random.uniform([1], undefined as never), { name: 'ValueError', argument: 'seed' }],
    [() => new ups.optim.Sgd(3 as never), { name: 'ValueError', argument: 'parameters' }],
  ];
  for (const [call, expected] of wrong) expect(thrown(call)).toMatchObject(expected);
});
