import * as ups from 'upsilon-kernels';

import { type Case, int32, type Inputs, offsets, reals, shares } from './case';

const edges = { sources: int32(0, 1, 2, 2, 4, 3), targets: int32(1, 2, 0, 2, 1, 1) };
const forest = { mother: int32(-1, 0, 0, 1, -1, -1, 0), boundaries: int32(0, 5, 7) };

function graphOf({ sources, targets, edgeWeights }: Inputs): ups.Graph {
  return ups.graph({ sources, targets, numNodes: 5, weights: edgeWeights });
}
function treeOf({ mother, boundaries }: Inputs): ups.Graph {
  return ups.tree({ mother, offsets: boundaries });
}
const points = ({ x, offsets }: Inputs) => ({ values: x, offsets });

const normed = { mean: reals(3), variance: shares(3), scale: reals(3), shift: reals(3) };
const norm = ({ mean, variance, scale, shift }: Inputs) => ({ mean, variance, weight: scale, bias: shift });

export const graphs: Case[] = [
  {
    operation: 'graph',
    inputs: { ...edges, edgeWeights: reals(6) },
    call: (_, inputs) => graphOf(inputs),
    promised: false,
  },
  { operation: 'tree', inputs: forest, call: (_, inputs) => treeOf(inputs), promised: false },
  {
    operation: 'spmm',
    inputs: { ...edges, edgeWeights: reals(6), x: reals(5, 4) },
    call: (api, inputs, out) => api.spmm(graphOf(inputs), inputs['x'], out),
    out: 'result',
    gradients: ['x', 'edgeWeights'],
  },
  {
    operation: 'graphConv',
    inputs: { ...edges, edgeWeights: shares(6), x: reals(5, 4), weight: reals(3, 4), bias: reals(3) },
    call: (api, { x, weight, bias, ...inputs }, out) =>
      api.graphConv(graphOf(inputs), x, weight, { bias, activation: 'relu', ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'bias'],
  },
  {
    operation: 'treeConv',
    inputs: { ...forest, x: reals(7, 4), self: reals(3, 4), parent: reals(3, 4), daughters: reals(3, 4) },
    call: (api, { x, self, parent, daughters, ...inputs }, out) =>
      api.treeConv(treeOf(inputs), x, { self, parent, daughters, normalization: 'symmetric', ...out }),
    out: 'result',
    gradients: ['x', 'self', 'parent', 'daughters'],
  },
  {
    operation: 'graphAttentionConv',
    inputs: { ...edges, x: reals(5, 4), weight: reals(6, 4), toSource: reals(2, 3), toTarget: reals(2, 3) },
    call: (api, { x, weight, toSource, toTarget, ...inputs }, out) =>
      api.graphAttentionConv(graphOf(inputs), x, {
        weight,
        attentionSource: toSource,
        attentionTarget: toTarget,
        ...out,
      }),
    out: 'result',
    gradients: ['x', 'weight', 'toSource', 'toTarget'],
  },
  {
    operation: 'knnGraph',
    inputs: { x: reals(7, 2), offsets },
    call: (api, inputs) => api.knnGraph(points(inputs), 2),
  },
  ...(['mean', 'max'] as const).map((reduce): Case => ({
    operation: 'edgeConv',
    of: reduce,
    inputs: { ...edges, x: reals(5, 4), weight: reals(3, 8), bias: reals(3) },
    call: (api, { x, weight, bias, ...inputs }, out) =>
      api.edgeConv(graphOf(inputs), x, { layers: [{ weight, bias, activation: 'elu' }], reduce, ...out }),
    out: 'result',
    gradients: ['x', 'weight', 'bias'],
  })),
  {
    operation: 'edgeConvBlock',
    of: 'inference',
    inputs: { ...edges, ...normed, x: reals(5, 3), weight: reals(3, 6) },
    call: (api, { x, weight, ...inputs }) =>
      api.edgeConvBlock(graphOf(inputs), x, { layers: [{ weight, norm: norm(inputs) }] }),
    gradients: ['x', 'weight'],
  },
  {
    operation: 'edgeConvBlock',
    of: 'training, shortcut',
    inputs: { ...edges, x: reals(5, 4), weight: reals(3, 8), way: reals(3, 4), scale: reals(3), shift: reals(3) },
    call: (api, { x, weight, way, scale, shift, ...inputs }) =>
      api.edgeConvBlock(graphOf(inputs), x, {
        layers: [{ weight, norm: { weight: scale, bias: shift } }],
        shortcut: { weight: way, norm: {} },
        training: true,
      }),
    gradients: ['x', 'weight', 'way', 'scale', 'shift'],
    tolerance: 1e-4,
  },
  ...(['pyg', 'hgcal'] as const).map((convention): Case => ({
    operation: 'gravNet',
    of: convention,
    inputs: {
      x: reals(7, 4),
      offsets,
      space: reals(2, 4),
      features: reals(3, 4),
      self: reals(2, 4),
      aggregate: reals(2, 6),
      one: reals(2),
      other: reals(2),
    },
    call: (api, { space, features, self, aggregate, one, other, ...inputs }) =>
      api.gravNet(points(inputs), {
        space: { weight: space },
        features: { weight: features },
        outputSelf: { weight: self, bias: one },
        outputAggregate: { weight: aggregate, bias: other },
        k: 2,
        convention,
      }),
    gradients: ['x', 'space', 'features', 'self', 'aggregate', 'one', 'other'],
    tolerance: 1e-4,
  })),
  {
    operation: 'lcaToTree',
    inputs: {
      lca: { shape: [2, 3, 3], dtype: 'int32', values: [0, 1, 2, 1, 0, 2, 2, 2, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0] },
    },
    call: (api, { lca }) => api.lcaToTree(lca),
  },
  {
    operation: 'treeToLca',
    inputs: forest,
    call: (api, { mother, boundaries }) => api.treeToLca({ values: mother, offsets: boundaries }),
  },
];
