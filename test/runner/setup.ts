// Runs before every test file: what holds for all of them is said here, once.
import { relative } from 'node:path';

import type * as FastCheck from 'fast-check';
import * as ups from 'upsilon-kernels';

declare const upsilonProperties: { seed: number; runs: number };
const { seed, runs } = upsilonProperties;

// Required, not imported: `assert` is replaced below, and what is imported cannot be.
const fc = require('fast-check') as { -readonly [name in keyof typeof FastCheck]: (typeof FastCheck)[name] };

/** Adds to what fast-check says of a failure how to see it again. */
function report(details: FastCheck.RunDetails<unknown>): void {
  if (!details.failed) return;
  const { testPath = '', currentTestName = '' } = expect.getState();
  const file = relative(process.cwd(), testPath).replace(/\.js$/, '');
  const scale = runs === 1 ? '' : `UPSILON_TEST_RUNS=${runs} `;
  const command = `UPSILON_TEST_SEED=${seed} ${scale}npm test -- ${file} -t ${JSON.stringify(currentTestName)}`;
  const text = fc.defaultReportMessage(details) ?? 'a property failed';
  throw new Error(`${text}\n\nAgain: ${command}`, { cause: details.errorInstance });
}

fc.configureGlobal({ seed, reporter: report });

// A test that says how often its property is tried says so for one run of the suite; long runs try
// more.
const { assert } = fc;
const usualRuns = 100; // fast-check's own
fc.assert = ((property: FastCheck.IRawProperty<unknown>, parameters?: FastCheck.Parameters<unknown>) =>
  assert(property, { ...parameters, numRuns: (parameters?.numRuns ?? usualRuns) * runs })) as typeof assert;

// The addon lives as long as the process, so what a test sets there would meet the tests of other
// files.
afterEach(() => {
  ups.setThreads(-1);
  ups.setPrecision('fp32');
});
