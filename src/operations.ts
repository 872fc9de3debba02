// One line per operation.
export { embedding } from './ops/embedding';
export { eventShapes, thrust } from './ops/eventShapes';
export { graphConv } from './ops/graphConv';
export { linear } from './ops/linear';
export { mlp } from './ops/mlp';
export { condense, objectCondensation } from './ops/objectCondensation';
export { setPool } from './ops/setPool';
export { spmm } from './ops/spmm';
export { treeConv } from './ops/treeConv';
export * as random from './random';
