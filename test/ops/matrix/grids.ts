// Convolutions, pooling and normalisation.
import { type Case, reals, shares } from './case';

const ranks = [1, 2, 3] as const;
const axes = (rank: number, extent: number) => new Array<number>(rank).fill(extent);

export const grids: Case[] = [
  ...ranks.map((rank): Case => ({
    operation: `conv${rank}d`,
    inputs: { x: reals(2, 2, ...axes(rank, 4)), weight: reals(3, 2, ...axes(rank, 3)), bias: reals(3) },
    call: (api, { x, weight, bias }, out) =>
      api[`conv${rank}d`](x, weight, { bias, padding: 1, activation: 'leakyRelu', ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'bias'],
  })),
  ...ranks.map((rank): Case => ({
    operation: `convTranspose${rank}d`,
    inputs: { x: reals(1, 2, ...axes(rank, 3)), weight: reals(2, 2, ...axes(rank, 3)), bias: reals(2) },
    call: (api, { x, weight, bias }, out) =>
      api[`convTranspose${rank}d`](x, weight, { bias, stride: 2, padding: 1, ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'bias'],
  })),
  ...ranks.flatMap((rank) =>
    (['avg', 'max'] as const).map((pool): Case => ({
      operation: `${pool}Pool${rank}d`,
      inputs: { x: reals(2, 2, ...axes(rank, 4)) },
      call: (api, { x }, out) => api[`${pool}Pool${rank}d`](x, 3, { stride: 2, padding: 1, ...out }),
      out: 'result',
      gradients: ['x'],
    })),
  ),
  ...(['sum', 'mean', 'max', 'min'] as const).map((pool): Case => ({
    operation: 'globalPool',
    of: pool,
    inputs: { x: reals(2, 3, 2, 2) },
    call: (api, { x }, out) => api.globalPool(x, pool, out),
    out: 'result',
    gradients: ['x'],
  })),
  {
    operation: 'layerNorm',
    of: 'last axis',
    inputs: { x: reals(4, 5), weight: reals(5), bias: reals(5) },
    call: (api, { x, weight, bias }, out) => api.layerNorm(x, { axes: [-1], weight, bias, ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'bias'],
  },
  {
    operation: 'layerNorm',
    of: 'two axes',
    inputs: { x: reals(2, 3, 4), weight: reals(3, 4) },
    call: (api, { x, weight }, out) => api.layerNorm(x, { axes: [1, 2], weight, activation: 'relu', ...out }),
    out: 'result',
    gradients: ['x', 'weight'],
  },
  {
    operation: 'batchNorm',
    of: 'given statistics',
    inputs: { x: reals(4, 3, 2), mean: reals(3), variance: shares(3), weight: reals(3), residual: reals(4, 3, 2) },
    call: (api, { x, mean, variance, weight, residual }, out) =>
      api.batchNorm(x, { mean, variance, weight, residual, activation: 'relu', ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'residual'],
  },
  {
    operation: 'batchNorm',
    of: 'training',
    inputs: { x: reals(4, 3, 2), weight: reals(3), bias: reals(3) },
    call: (api, { x, weight, bias }, out) => api.batchNorm(x, { weight, bias, training: true, ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'bias'],
    tolerance: 1e-4,
  },
  {
    operation: 'instanceNorm',
    inputs: { x: reals(2, 3, 4), weight: reals(3), bias: reals(3) },
    call: (api, { x, weight, bias }, out) => api.instanceNorm(x, { weight, bias, ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'bias'],
    tolerance: 1e-4,
  },
  {
    operation: 'showerObservables',
    inputs: { showers: shares(2, 3, 4, 4) },
    call: (api, { showers }) => api.showerObservables(showers, { bins: 5 }),
  },
];
