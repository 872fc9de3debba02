// One line per operation.
export { deepSet } from './ops/deepSet';
export { argsort } from './ops/argsort';
export { distanceCorrelation, distanceCorrelations, distanceCovariance } from './ops/distanceCorrelation';
export { edgeConv } from './ops/edgeConv';
export { embedding } from './ops/embedding';
export { eventShapes, thrust } from './ops/eventShapes';
export { graphAttentionConv } from './ops/graphAttentionConv';
export { graphConv } from './ops/graphConv';
export { gravNet } from './ops/gravNet';
export { knnGraph } from './ops/knnGraph';
export { layerNorm } from './ops/layerNorm';
export { linear } from './ops/linear';
export { mlp } from './ops/mlp';
export { condense, objectCondensation } from './ops/objectCondensation';
export { setPool } from './ops/setPool';
export { spmm } from './ops/spmm';
export { treeConv } from './ops/treeConv';
export * as random from './random';
