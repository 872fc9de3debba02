// One line per operation.
export { distanceCorrelation, distanceCorrelations, distanceCovariance } from './ops/distanceCorrelation';
export { embedding } from './ops/embedding';
export { eventShapes, thrust } from './ops/eventShapes';
