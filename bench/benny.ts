// The same cases through benny, for whoever wants operations per second and its margins.
import benny from 'benny';

import type { BenchCase } from './bench';
import type { Settings } from './settings';

export async function runBenny(cases: readonly BenchCase[], settings: Settings): Promise<void> {
  for (const suite of new Set(cases.map((entry) => entry.suite))) {
    const added = cases
      .filter((entry) => entry.suite === suite && entry.prepare)
      .map((entry) => benny.add(entry.name, () => entry.prepare!(settings)));
    if (added.length > 0) await benny.suite(suite, ...added, benny.cycle(), benny.complete());
  }
}
