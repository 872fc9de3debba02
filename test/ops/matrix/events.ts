// Matching, clusters and the shapes of events.
import { type Case, int32, type Inputs, list, momenta, reals, shares } from './case';

const boundaries = int32(0, 2, 5);
const hits = { beta: shares(6), x: reals(6, 2), places: int32(0, 3, 6) };
const predictions = ({ prediction, rows }: Inputs) => ({ values: prediction, offsets: rows });
const targets = ({ target, columns }: Inputs) => ({ values: target, offsets: columns });
const sets = { prediction: reals(5, 3), rows: boundaries, target: reals(4, 3), columns: int32(0, 2, 4) };

export const events: Case[] = [
  {
    operation: 'linearSumAssignment',
    of: 'one problem',
    inputs: { cost: reals(3, 4) },
    call: (api, { cost }, out) => api.linearSumAssignment(cost, { duals: true, ...(out['rows'] && { out }) }),
    out: {
      rows: { shape: [3], dtype: 'int32' },
      columns: { shape: [3], dtype: 'int32' },
      cost: { shape: [], dtype: 'float64' },
      status: { shape: [], dtype: 'int32' },
      u: { shape: [3], dtype: 'float64' },
      v: { shape: [4], dtype: 'float64' },
    },
  },
  {
    operation: 'linearSumAssignment',
    of: 'batch',
    inputs: { cost: reals(2, 3, 3) },
    call: (api, { cost }) => api.linearSumAssignment(cost, { maximize: true }),
  },
  {
    operation: 'linearSumAssignment',
    of: 'ragged',
    inputs: { values: reals(11), rows: int32(2, 1, 0), columns: int32(4, 3, 2) },
    call: (api, { values, rows, columns }) => api.linearSumAssignment({ values, rows, columns }),
  },
  {
    operation: 'pairCost',
    inputs: sets,
    call: (api, inputs) => api.pairCost(predictions(inputs), targets(inputs), { kind: 'absoluteError' }),
    gradients: ['prediction', 'target'],
  },
  {
    operation: 'matchedLoss',
    inputs: { cost: reals(2, 3, 2), pairLoss: reals(2, 3, 2), unmatched: reals(6) },
    call: (api, { cost, pairLoss, unmatched }, out) => api.matchedLoss(cost, pairLoss, { unmatched, ...out }),
    out: 'result',
    gradients: ['pairLoss', 'unmatched'],
  },
  {
    operation: 'hungarianLoss',
    inputs: { ...sets, noObject: reals(3) },
    call: (api, { noObject, ...inputs }, out) =>
      api.hungarianLoss(predictions(inputs), targets(inputs), { noObject, noObjectWeight: 0.5, ...out }),
    out: 'result',
    gradients: ['prediction', 'target'],
  },
  {
    operation: 'objectCondensation',
    inputs: { ...hits, ids: int32(1, 0, 1, 1, 2, 2) },
    call: (api, { beta, x, places, ids }, out) =>
      api.objectCondensation(beta, { values: x, offsets: places }, ids, out),
    out: 'result',
    gradients: ['beta', 'x'],
  },
  {
    operation: 'condense',
    inputs: hits,
    call: (api, { beta, x, places }) => api.condense(beta, { values: x, offsets: places }, { tBeta: 0.2 }),
  },
  {
    operation: 'eventShapes',
    inputs: {
      p4: momenta(6),
      offsets: int32(0, 3, 6),
      charge: list('float32', [1, -1, 0, 1, -1, 1]),
      role: list('uint8', [0, 1, 2, 3, 0, 1]),
      energy: list('float32', [5.2, 5.3]),
    },
    call: (api, { p4, offsets, charge, role, energy }, out) =>
      api.eventShapes({ p4: { values: p4, offsets }, charge, role, energy }, out),
    out: { out: { shape: [30, 2], dtype: 'float32' } },
    tolerance: 1e-4,
  },
  {
    operation: 'thrust',
    inputs: { p: reals(6, 3), offsets: int32(0, 3, 6) },
    call: (api, { p, offsets }, out) => api.thrust({ values: p, offsets }, out),
    out: 'result',
    tolerance: 1e-4,
  },
];
