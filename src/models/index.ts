export { BackgroundFilter, type BackgroundFilterOptions, type ScoreProgress } from './backgroundFilter';
export { BibAe, type BibAeInitialOptions, type BibAeOptions, type ReconstructOptions } from './bibAe';
export { BibAeDecoder, type BibAeDecoderInitialOptions, type BibAeDecoderOptions } from './bibAeDecoder';
export {
  BibAeEncoder,
  type BibAeEncoderInitialOptions,
  type BibAeEncoderOptions,
  type EncodeOptions,
  type Posterior,
} from './bibAeEncoder';
export {
  BibAePostProcessor,
  type BibAePostProcessorInitialOptions,
  type BibAePostProcessorOptions,
} from './bibAePostProcessor';
export type { DecayForest, ParticleColumn, Particles, Selection } from './decayForest';
export { ParticleNet, type ParticleNetInitialOptions, ParticleNetLite, type ParticleNetOptions } from './particleNet';
export { type GenerateOptions, ShowerGenerator, type ShowerInitialOptions, type ShowerNetworkOptions } from './showers';
export {
  TransformerEncoderLayer,
  type TransformerEncoderLayerForwardOptions,
  type TransformerEncoderLayerInitialOptions,
  type TransformerEncoderLayerOptions,
} from './transformerEncoderLayer';
export { WganGenerator, type WganGeneratorInitialOptions } from './wganGenerator';
