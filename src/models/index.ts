export { BackgroundFilter, type BackgroundFilterOptions } from './backgroundFilter';
export { type DecayForest, type ParticleColumn, type Particles, type Selection } from './decayForest';
