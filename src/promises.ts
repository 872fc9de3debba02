/**
 * The operations of the package, each returning a promise and running off the main thread, as
 * `fs/promises` to `fs`. Calls of one JavaScript thread run one after the other, in order, on one
 * thread of libuv's pool; a call may use the `out` of an earlier one without waiting for it. They
 * use all cores but one (of a single core, that one), so that timers and requests are served
 * meanwhile, unless `setThreads` has said how many.
 *
 * Any JavaScript may run meanwhile. Memory of the engine (typed arrays that were made with `new`,
 * Arrow tables that were received or decoded) can be transferred, shrunk or collected at any time
 * and cannot be held in place, so inputs in such memory are copied when the call is made: what
 * happens to them afterwards does not matter. A result goes into an `out` in such memory when the
 * promise is settled; if the array has been detached or shrunk, the promise is rejected with a
 * ValueError. Memory of the library is not copied but kept: tensors of 16 KB and more that
 * operations, `zeros` and `random` have made, files that `arrow.open` and `safetensors.load` have
 * mapped, tensors on devices, and views on any of them; so is a SharedArrayBuffer. Their contents
 * must not be changed until the promise is settled.
 */
import { Graph } from './graph/graph';
import { promised } from './operation/promised';
import { shown } from './runtime/check';
import { DTypeError } from './runtime/errors';
import { Ragged } from './tensor/ragged';
import { Tensor } from './tensor/tensor';
import * as operations from './operations';

export const {
  argsort,
  attention,
  attentionPool,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  backgroundRejection,
  batchNorm,
  concat,
  condense,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  ddt,
  deepSet,
  distanceCorrelation,
  distanceCorrelations,
  distanceCovariance,
  dropout,
  edgeConv,
  edgeConvBlock,
  embedding,
  eventShapes,
  globalPool,
  graphAttentionConv,
  graphConv,
  gravNet,
  histogram,
  histogram2d,
  hungarianLoss,
  instanceNorm,
  inverseJsd,
  jsDivergence,
  klDivergence,
  knnGraph,
  layerNorm,
  lcaToTree,
  linear,
  linearSumAssignment,
  matchedLoss,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  mlp,
  multiDeepSet,
  objectCondensation,
  pairCost,
  pairFeatures,
  planingWeights,
  random,
  rocAuc,
  rocCurve,
  segmentSoftmax,
  setPool,
  showerObservables,
  softmax,
  spmm,
  thrust,
  treeConv,
  treeToLca,
} = promised(operations);

/**
 * A tensor, ragged list or graph on another device: `value.to(device)`, copied off the main thread.
 * @throws DeviceError when the device cannot be used
 */
export const to = promised({
  to(value: Tensor | Ragged | Graph, device: string): Tensor | Ragged | Graph {
    if (value instanceof Tensor || value instanceof Ragged || value instanceof Graph) return value.to(device);
    throw new DTypeError('to', 'value', `value is ${shown(value)} (expected a tensor, ragged list or graph)`);
  },
}).to as <T extends Tensor | Ragged | Graph>(value: T, device: string) => Promise<T>;
