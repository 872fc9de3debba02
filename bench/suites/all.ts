// The one list of suites. Operations need no line here: operations.bench.ts finds them.
import type { BenchCase } from '../bench';
import { suite as operations } from './operations.bench';
import { suite as trees } from './trees.bench';

export function allSuites(): BenchCase[] {
  return [operations, trees].flatMap((suite) => suite());
}
