import { type Case, int32, type Inputs, list, momenta, offsets, reals, shares } from './case';

const pairOffsets = int32(0, 2, 5);
const keyOffsets = int32(0, 3, 6);
const attentionInputs = { q: reals(5, 4), k: reals(6, 4), v: reals(6, 6), qo: pairOffsets, ko: keyOffsets };
const queries = ({ q, qo }: Inputs) => ({ values: q, offsets: qo });
const keys = ({ k, ko }: Inputs) => ({ values: k, offsets: ko });
const values = ({ v, ko }: Inputs) => ({ values: v, offsets: ko });
const events = ({ x, offsets }: Inputs) => ({ values: x, offsets });

export const sets: Case[] = [
  {
    operation: 'linear',
    inputs: { x: reals(5, 4), weight: reals(3, 4), bias: reals(3) },
    call: (api, { x, weight, bias }, out) => api.linear(x, weight, { bias, activation: 'tanh', ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'bias'],
  },
  {
    operation: 'linear',
    of: 'float64',
    inputs: { x: { ...reals(5, 4), dtype: 'float64' }, weight: { ...reals(3, 4), dtype: 'float64' } },
    call: (api, { x, weight }, out) => api.linear(x, weight, out),
    out: 'result',
    gradients: ['x', 'weight'],
    onDevice: 'ERR_UPSILON_UNSUPPORTED',
  },
  {
    operation: 'mlp',
    inputs: { x: reals(5, 4), first: reals(6, 4), bias: reals(6), second: reals(3, 6) },
    call: (api, { x, first, bias, second }, out) =>
      api.mlp(x, [{ weight: first, bias, activation: 'elu' }, { weight: second }], out),
    out: 'result',
    gradients: ['x', 'first', 'bias', 'second'],
  },
  {
    operation: 'embedding',
    inputs: { indices: int32(4, 0, 4, 2), table: reals(5, 3), append: reals(4, 2) },
    call: (api, { indices, table, append }, out) => api.embedding(indices, table, { append, ...out }),
    out: 'result',
    gradients: ['table', 'append'],
  },
  ...(['sum', 'mean', 'max', 'min'] as const).map((pool): Case => {
    const weighted = pool === 'sum' || pool === 'mean';
    return {
      operation: 'setPool',
      of: pool,
      inputs: { x: reals(7, 3), offsets, ...(weighted && { weights: shares(7) }) },
      call: (api, inputs, out) => api.setPool(events(inputs), pool, { weights: inputs['weights'], ...out }),
      out: 'result',
      gradients: weighted ? ['x', 'weights'] : ['x'],
    };
  }),
  {
    operation: 'deepSet',
    inputs: { x: reals(7, 3), offsets, phi: reals(5, 3), bias: reals(5), rho: reals(2, 5) },
    call: (api, { phi, bias, rho, ...inputs }, out) =>
      api.deepSet(events(inputs), {
        phi: [{ weight: phi, bias, activation: 'relu' }],
        pool: 'mean',
        rho: [{ weight: rho }],
        ...out,
      }),
    out: 'result',
    gradients: ['x', 'phi', 'bias', 'rho'],
  },
  {
    operation: 'multiDeepSet',
    inputs: {
      x: reals(7, 3),
      offsets,
      y: reals(4, 2),
      others: int32(0, 2, 4, 4),
      first: reals(5, 3),
      second: reals(4, 2),
    },
    call: (api, { y, others, first, second, ...inputs }, out) =>
      api.multiDeepSet([events(inputs), { values: y, offsets: others }], {
        phi: [[{ weight: first, activation: 'relu' }], [{ weight: second, activation: 'tanh' }]],
        pool: 'sum',
        ...out,
      }),
    out: 'result',
    gradients: ['x', 'y', 'first', 'second'],
  },
  {
    operation: 'attentionPool',
    inputs: { x: reals(7, 4), offsets, gate: reals(1, 4), features: reals(3, 4) },
    call: (api, { gate, features, ...inputs }, out) =>
      api.attentionPool(events(inputs), { gate: [{ weight: gate }], features: [{ weight: features }], ...out }),
    out: 'result',
    gradients: ['x', 'gate', 'features'],
  },
  {
    operation: 'attention',
    of: 'bias',
    inputs: { ...attentionInputs, bias: reals(30) },
    call: (api, inputs, out) =>
      api.attention(queries(inputs), keys(inputs), values(inputs), { heads: 2, bias: inputs['bias'], ...out }),
    out: 'result',
    gradients: ['q', 'k', 'v', 'bias'],
  },
  {
    operation: 'attention',
    of: 'causal, dropout',
    inputs: attentionInputs,
    call: (api, inputs, out) =>
      api.attention(queries(inputs), keys(inputs), values(inputs), {
        heads: 2,
        causal: true,
        dropout: 0.25,
        seed: 3,
        ...out,
      }),
    out: 'result',
    gradients: ['q', 'k', 'v'],
  },
  {
    operation: 'attention',
    of: 'pairBias',
    inputs: {
      q: reals(5, 4),
      k: reals(5, 4),
      v: reals(5, 4),
      qo: pairOffsets,
      p: momenta(5),
      first: reals(3, 4),
      second: reals(2, 3),
    },
    call: (api, { p, first, second, qo, ...inputs }, out) =>
      api.attention(...[inputs['q'], inputs['k'], inputs['v']].map((rows) => ({ values: rows, offsets: qo })), {
        heads: 2,
        pairBias: { momenta: p, layers: [{ weight: first, activation: 'gelu' }, { weight: second }] },
        ...out,
      }),
    out: 'result',
    gradients: ['q', 'k', 'v', 'first', 'second'],
    tolerance: 1e-4,
  },
  {
    operation: 'pairFeatures',
    inputs: { p: momenta(5), qo: pairOffsets },
    call: (api, { p, qo }, out) => api.pairFeatures({ values: p, offsets: qo }, out),
    out: 'result',
    gradients: ['p'],
    tolerance: 1e-4,
  },
  {
    operation: 'softmax',
    inputs: { x: reals(3, 5) },
    call: (api, { x }, out) => api.softmax(x, out),
    out: 'result',
    gradients: ['x'],
  },
  {
    operation: 'segmentSoftmax',
    inputs: { x: reals(7, 2, 2), offsets },
    call: (api, inputs, out) => api.segmentSoftmax(events(inputs), out),
    out: 'result',
    gradients: ['x'],
  },
  {
    operation: 'concat',
    inputs: { a: reals(3, 2), b: reals(3, 4) },
    call: (api, { a, b }, out) => api.concat([a, b, a], out),
    out: 'result',
    gradients: ['a', 'b'],
  },
  {
    operation: 'dropout',
    inputs: { x: reals(4, 5) },
    call: (api, { x }, out) => api.dropout(x, { p: 0.5, seed: 7, ...out }),
    out: 'result',
    gradients: ['x'],
  },
  {
    operation: 'argsort',
    inputs: { keys: list('float32', [3, -1, 0, 3, Infinity, -0]) },
    call: (api, { keys: numbers }, out) => api.argsort(numbers, { descending: true, ...out }),
    out: 'result',
  },
  {
    operation: 'argsort',
    of: 'integers of events',
    inputs: { x: int32(2, 1, 1, 5, -5, 0, 5), offsets },
    call: (api, inputs, out) => api.argsort(events(inputs), out),
    out: 'result',
  },
];
