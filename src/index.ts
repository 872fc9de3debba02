/**
 * Machine learning kernels for particle physics on zero-copy Arrow tensors.
 * @packageDocumentation
 */
export * from './operations';
export * as arrow from './arrow';
export * as safetensors from './safetensors';
export { recordBatch } from './arrow';
export { noGrad } from './autograd/tape';
export { type Edges, graph } from './graph/edges';
export { Graph } from './graph/graph';
export { tree } from './graph/tree';
export type { Activation } from './ops/activation';
export type { ArgsortOptions } from './ops/argsort';
export type { AttentionOptions } from './ops/attention';
export type { AttentionPoolOptions } from './ops/attentionPool';
export type { BatchNormOptions } from './ops/batchNorm';
export type { ConvOptions } from './ops/conv';
export type { ConvTransposeOptions } from './ops/convTranspose';
export type { Padding, PerAxis } from './ops/convolution';
export type { Ddt, DdtOptions } from './ops/ddt';
export type { DeepSetOptions } from './ops/deepSet';
export type { DistanceCorrelationOptions, DistanceOptions } from './ops/distanceCorrelation';
export type { DivergenceOptions } from './ops/divergence';
export type { DropoutOptions } from './ops/dropout';
export type { EdgeConvOptions } from './ops/edgeConv';
export type { EdgeConvBlockOptions, Norm, NormalisedLayer } from './ops/edgeConvBlock';
export { type EventShape, type EventShapeInputs, eventShapeNames, type EventShapeOptions } from './ops/eventShapes';
export type { GraphAttentionConvOptions } from './ops/graphAttentionConv';
export type { GraphConvOptions } from './ops/graphConv';
export type { GravNetOptions } from './ops/gravNet';
export type { Binning, Histogram, Histogram2d, Histogram2dOptions, HistogramOptions } from './ops/histogram';
export type { HungarianLossOptions, MatchedLossOptions, PairCostKind, PairCostOptions } from './ops/hungarianLoss';
export type { InstanceNormOptions } from './ops/instanceNorm';
export type { InverseJsdOptions, Sculpting } from './ops/inverseJsd';
export type { KnnGraphOptions } from './ops/knnGraph';
export type { LayerNormOptions } from './ops/layerNorm';
export type { LcaMatrices, LcaTrees, TreeToLcaOptions } from './ops/lcaToTree';
export type {
  Assignment,
  AssignmentOptions,
  AssignmentOutputs,
  RaggedAssignment,
  RaggedCosts,
} from './ops/linearSumAssignment';
export type { Layer } from './ops/mlp';
export type { MultiDeepSetOptions } from './ops/multiDeepSet';
export type {
  Clusters,
  CondensationConvention,
  CondenseOptions,
  ObjectCondensationOptions,
} from './ops/objectCondensation';
export type { PairBias } from './ops/pairBias';
export type { PairFeaturesOptions } from './ops/pairFeatures';
export type { PlaningOptions } from './ops/planingWeights';
export type { NormalOptions, RandomOptions, UniformOptions } from './ops/random';
export type { RocCurve, RocOptions, WorkingPoints } from './ops/roc';
export type { Pool } from './ops/setPool';
export type { ShowerObservables, ShowerObservablesOptions } from './ops/showerObservables';
export type { TreeConvOptions } from './ops/treeConv';
export type { AvgPoolOptions, GlobalPoolOptions, MaxPoolOptions } from './ops/windowPool';
export type { DType, TypedArray } from './runtime/dtype';
export {
  DeviceError,
  DTypeError,
  type ErrorCode,
  OutOfMemoryError,
  ShapeError,
  UpsilonError,
  ValueError,
} from './runtime/errors';
export {
  counters,
  devices,
  info,
  lastVariant,
  type Precision,
  setPrecision,
  setThreads,
  synchronize,
} from './runtime/machine';
export { tensor, type TensorOptions, zeros } from './tensor/create';
export type { NestedArray } from './tensor/lists';
export { Ragged, ragged, type RaggedLike, type RaggedLists } from './tensor/ragged';
export { Tensor, type TensorLike } from './tensor/tensor';
export * as models from './models';
export * as optim from './optim';
