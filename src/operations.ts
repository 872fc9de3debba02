// One line per operation.
export { deepSet } from './ops/deepSet';
export { embedding } from './ops/embedding';
export { graphConv } from './ops/graphConv';
export { linear } from './ops/linear';
export { mlp } from './ops/mlp';
export { setPool } from './ops/setPool';
export { spmm } from './ops/spmm';
export { treeConv } from './ops/treeConv';
export * as random from './random';
