// The one list of suites. Operations need no line here: operations.bench.ts finds them.
import type { BenchCase, Picture } from '../bench';
import { suite as assignment } from './assignment.bench';
import { suite as attention } from './attention.bench';
import { suite as calls } from './calls.bench';
import { picture as discoPicture, suite as disco } from './disco.bench';
import { suite as event } from './event.bench';
import { suite as memory } from './memory.bench';
import { suite as neighbours } from './neighbours.bench';
import { suite as operations } from './operations.bench';
import { suite as promises } from './promises.bench';
import { suite as sets } from './sets.bench';
import { suite as showers } from './showers.bench';
import { suite as trees } from './trees.bench';

export function allSuites(): BenchCase[] {
  return [
    assignment,
    attention,
    calls,
    disco,
    event,
    memory,
    neighbours,
    promises,
    sets,
    showers,
    trees,
    operations,
  ].flatMap((suite) => suite());
}

export const pictures: readonly Picture[] = [discoPicture];
