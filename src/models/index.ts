export { BackgroundFilter, type BackgroundFilterOptions, type ScoreProgress } from './backgroundFilter';
export { BibAeDecoder, type BibAeDecoderInitialOptions, type BibAeDecoderOptions } from './bibAeDecoder';
export {
  BibAePostProcessor,
  type BibAePostProcessorInitialOptions,
  type BibAePostProcessorOptions,
} from './bibAePostProcessor';
export { type DecayForest, type ParticleColumn, type Particles, type Selection } from './decayForest';
export { ParticleNet, type ParticleNetInitialOptions, ParticleNetLite, type ParticleNetOptions } from './particleNet';
export { type GenerateOptions, ShowerGenerator, type ShowerInitialOptions, type ShowerNetworkOptions } from './showers';
export {
  TransformerEncoderLayer,
  type TransformerEncoderLayerForwardOptions,
  type TransformerEncoderLayerInitialOptions,
  type TransformerEncoderLayerOptions,
} from './transformerEncoderLayer';
export { WganGenerator, type WganGeneratorInitialOptions } from './wganGenerator';
