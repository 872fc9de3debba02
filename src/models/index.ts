export { BackgroundFilter, type BackgroundFilterOptions, type ScoreProgress } from './backgroundFilter';
export { type DecayForest, type ParticleColumn, type Particles, type Selection } from './decayForest';
export {
  TransformerEncoderLayer,
  type TransformerEncoderLayerInitialOptions,
  type TransformerEncoderLayerOptions,
} from './transformerEncoderLayer';
