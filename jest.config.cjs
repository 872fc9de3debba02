'use strict';
const { randomInt } = require('node:crypto');
const { availableParallelism } = require('node:os');

/** Any number would do; this one stays, so that two runs test the same. */
const fixedSeed = 20_261_130;

/** The number that an environment variable holds; what is no number ends the run. */
function numberIn(name, otherwise, least) {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least && number < 2 ** 31) return number;
  throw new Error(`${name} is '${text}' (expected an integer from ${least} to ${2 ** 31 - 1})`);
}

const random = process.env.UPSILON_TEST_SEED === 'random';
const seed = random ? randomInt(2 ** 31) : numberIn('UPSILON_TEST_SEED', fixedSeed, -(2 ** 31));
/** Every property is tried so many times as often as its test says. */
const runs = numberIn('UPSILON_TEST_RUNS', 1, 1);
if (random) process.stderr.write(`UPSILON_TEST_SEED=${seed}\n`);

// Tests are compiled by tsc and run against dist/, so they see what is shipped.
module.exports = {
  roots: ['<rootDir>/dist-test'],
  transform: {},
  // Jest's own choice, one fewer than there are cores, leaves half of two cores idle.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // A limit for what hangs, not for what is slow on a busy machine.
  testTimeout: 300_000 * runs,
  testSequencer: '<rootDir>/dist-test/runner/sequencer.js',
  setupFilesAfterEnv: ['<rootDir>/dist-test/runner/setup.js'],
  globals: { upsilonProperties: { seed, runs } },
  moduleNameMapper: {
    '^upsilon-kernels$': '<rootDir>/dist/index.js',
    '^upsilon-kernels/promises$': '<rootDir>/dist/promises.js',
    '^upsilon-kernels/internal/(.*)$': '<rootDir>/dist/$1.js',
  },
};
