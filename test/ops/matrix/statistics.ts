// Scores and the variables that they must not know: curves, histograms, decorrelation, distances;
// and random numbers.
import { type Case, int32, list, reals, shares } from './case';

const scored = { scores: shares(9), labels: list('uint8', [0, 1, 1, 0, 1, 0, 0, 1, 0]), weights: shares(9) };
const binned = { bins: 3, range: [0, 1] };
const pairs = { x: reals(9), y: reals(9) };
const contents = { p: list('float64', [1, 2, 0, 4]), q: list('float64', [2, 1, 1, 3]) };

export const statistics: Case[] = [
  {
    operation: 'rocAuc',
    inputs: scored,
    call: (api, { scores, labels, weights }) => api.rocAuc(scores, labels, { weights }),
  },
  {
    operation: 'rocAuc',
    of: 'labels of another type',
    inputs: { scores: shares(4), labels: int32(0, 1, 1, 0) },
    call: (api, { scores, labels }) => api.rocAuc(scores, labels),
  },
  {
    operation: 'rocCurve',
    inputs: scored,
    call: (api, { scores, labels, weights }) => api.rocCurve(scores, labels, { weights }),
  },
  {
    operation: 'backgroundRejection',
    inputs: { ...scored, efficiencies: list('float64', [0.3, 0.8]) },
    call: (api, { scores, labels, weights, efficiencies }) =>
      api.backgroundRejection(scores, labels, efficiencies, { weights }),
  },
  {
    operation: 'backgroundRejection',
    of: 'one efficiency',
    inputs: scored,
    call: (api, { scores, labels }) => api.backgroundRejection(scores, labels, 0.5),
  },
  {
    operation: 'histogram',
    inputs: { x: shares(9), weights: shares(9) },
    call: (api, { x, weights }) => api.histogram(x, { ...binned, weights, spread: 'linear', squares: true }),
    gradients: ['x', 'weights'],
  },
  {
    operation: 'histogram',
    of: 'edges',
    inputs: { x: shares(9), edges: list('float64', [0, 0.2, 0.7, 1]) },
    call: (api, { x, edges }) => api.histogram(x, { edges }),
  },
  {
    operation: 'histogram2d',
    inputs: { x: shares(9), y: shares(9), weights: shares(9) },
    call: (api, { x, y, weights }) =>
      api.histogram2d(x, y, { x: binned, y: { edges: [0, 0.5, 1] }, weights, spread: 'linear' }),
    gradients: ['x', 'y', 'weights'],
  },
  ...(['jsDivergence', 'klDivergence'] as const).map((operation): Case => ({
    operation,
    inputs: contents,
    call: (api, { p, q }) => api[operation](p, q, { pseudocount: 0.5 }),
    gradients: ['p', 'q'],
  })),
  {
    operation: 'inverseJsd',
    inputs: { ...scored, mass: shares(9) },
    call: (api, { scores, labels, mass, weights }) =>
      api.inverseJsd(scores, labels, mass, { ...binned, efficiency: 0.5, weights }),
  },
  {
    operation: 'planingWeights',
    inputs: { ...scored, mass: shares(9), target: list('float64', [1, 3, 2]) },
    call: (api, { mass, labels, weights, target }) => api.planingWeights(mass, { ...binned, labels, weights, target }),
  },
  {
    operation: 'ddt',
    inputs: { ...scored, mass: shares(9) },
    call: (api, { scores, labels, mass, weights }) =>
      api.ddt(scores, mass, { ...binned, efficiency: 0.5, labels, weights }),
  },
  {
    operation: 'ddt',
    of: 'edges',
    inputs: { scores: shares(9), mass: shares(9), edges: list('float64', [0, 0.4, 1]) },
    call: (api, { scores, mass, edges }) => api.ddt(scores, mass, { edges, efficiency: 0.3 }),
  },
  ...(['distanceCorrelation', 'distanceCovariance'] as const).flatMap((operation): Case[] => [
    {
      operation,
      of: 'numbers',
      inputs: pairs,
      call: (api, { x, y }, out) => api[operation](x, y, out),
      out: 'result',
      gradients: ['x', 'y'],
    },
    {
      operation,
      of: 'points',
      inputs: { x: reals(6, 2), y: reals(6, 3) },
      call: (api, { x, y }, out) => api[operation](x, y, out),
      out: 'result',
      gradients: ['x', 'y'],
    },
    {
      operation,
      of: 'weights',
      inputs: { ...pairs, weights: shares(9) },
      call: (api, { x, y, weights }) => api[operation](x, y, { weights }),
      gradients: ['x', 'y', 'weights'],
    },
  ]),
  {
    operation: 'distanceCorrelations',
    inputs: { x: reals(2, 7), y: reals(7), offsets: int32(0, 3, 7) },
    call: (api, { x, y, offsets }, out) => api.distanceCorrelations(x, { values: y, offsets }, out),
    out: 'result',
    gradients: ['x', 'y'],
  },
  {
    operation: 'random.uniform',
    inputs: {},
    call: (api, _, out, device) => api.random.uniform([3, 5], { seed: 4, device, ...out }),
    out: 'result',
  },
  {
    operation: 'random.normal',
    inputs: {},
    call: (api, _, out, device) => api.random.normal([3, 5], { seed: 4, perStream: 5, device, ...out }),
    out: 'result',
  },
];
