// One line per operation.
export { embedding } from './ops/embedding';
export { graphAttentionConv } from './ops/graphAttentionConv';
export { graphConv } from './ops/graphConv';
export { layerNorm } from './ops/layerNorm';
export { linear } from './ops/linear';
export { mlp } from './ops/mlp';
export { setPool } from './ops/setPool';
export { spmm } from './ops/spmm';
export { treeConv } from './ops/treeConv';
export * as random from './random';
