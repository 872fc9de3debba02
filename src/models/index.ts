export { BackgroundFilter, type BackgroundFilterOptions, type ScoreProgress } from './backgroundFilter';
export { type DecayForest, type ParticleColumn, type Particles, type Selection } from './decayForest';
export { ParticleNet, type ParticleNetInitialOptions, ParticleNetLite, type ParticleNetOptions } from './particleNet';
export {
  TransformerEncoderLayer,
  type TransformerEncoderLayerInitialOptions,
  type TransformerEncoderLayerOptions,
} from './transformerEncoderLayer';
