// What takes too long for every change: `npm run test:long`. What it finds becomes a case of the
// tests that always run.
//   node scripts/test-long.cjs [--only <step>]... [--list] [--runs <n>] [--repetitions <n>]
'use strict';
const { spawnSync } = require('node:child_process');
const { randomInt } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { configure } = require('./machine.cjs');

const root = path.join(__dirname, '..');
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(0)} s`;

/** Runs a command; what it says is shown when it fails. True when it passes. */
function passes(command, args, env = {}) {
  const said = { cwd: root, env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 2 ** 30 };
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, said);
  if (status === 0) return true;
  process.stdout.write(`${stdout ?? ''}${stderr ?? ''}`);
  console.log(`${path.basename(command)} ended with ${error?.message ?? signal ?? `code ${status}`}`);
  return false;
}

function jest(args, env) {
  return passes(process.execPath, ['--expose-gc', path.join('node_modules', 'jest', 'bin', 'jest.js'), ...args], env);
}

/** The test files that have properties, as Jest's patterns. */
function filesWithProperties() {
  return fs
    .readdirSync(path.join(root, 'test'), { recursive: true })
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => /from 'fast-check'/.test(fs.readFileSync(path.join(root, 'test', file), 'utf8')))
    .map((file) => `dist-test/${file.replaceAll(path.sep, '/').replace(/\.ts$/, '\\.js$')}`);
}

/**
 * A folder with the native tests, configured and built; `sanitizers` as UPSILON_SANITIZE takes
 * them.
 */
function builds(folder, sanitizers) {
  const options = ['-DUPSILON_BUILD_TESTS=ON', '-DUPSILON_LONG_TESTS=ON', '-DUPSILON_EMULATED=ON'];
  options.push('-DUPSILON_BUILD_ADDON=OFF', '-DUPSILON_BUILD_SHARED=OFF', `-DUPSILON_SANITIZE=${sanitizers}`);
  return (
    configure(folder, options) && passes('cmake', ['--build', folder, '--parallel', String(os.availableParallelism())])
  );
}

const conformance = (folder) => path.join(folder, 'Release', 'upsilon_conformance');
const ctest = (folder) => passes('ctest', ['--test-dir', folder, '--parallel', '2', '--output-on-failure']);

/** Every step is done whatever became of the others. */
const steps = [
  {
    name: 'properties',
    what: 'property tests with a random seed and --runs times as many tries',
    run({ runs }) {
      const seed = randomInt(2 ** 31);
      console.log(`UPSILON_TEST_SEED=${seed} UPSILON_TEST_RUNS=${runs}`);
      return jest(filesWithProperties(), { UPSILON_TEST_SEED: String(seed), UPSILON_TEST_RUNS: String(runs) });
    },
  },
  {
    name: 'order',
    what: 'all tests --repetitions times in one process, files and tests in random order',
    run({ repetitions }) {
      let passed = 0;
      for (let number = 1; number <= repetitions; ++number) {
        const begin = performance.now();
        const seed = randomInt(2 ** 31);
        const good = jest(['--runInBand', '--randomize', `--seed=${seed}`]);
        passed += good ? 1 : 0;
        console.log(
          `${number} of ${repetitions}: --randomize --seed=${seed} ${good ? 'passed' : 'FAILED'} in ${seconds(begin)}`,
        );
      }
      console.log(`${passed} of ${repetitions} passed`);
      return passed === repetitions;
    },
  },
  {
    name: 'native',
    what: 'all native tests with all cases, 20 schedules of the emulated device',
    run: () => builds('build-long', '') && ctest('build-long'),
  },
  {
    name: 'memory',
    what: 'the same under AddressSanitizer and UndefinedBehaviorSanitizer',
    run: () => builds('build-long-asan', 'address,undefined') && ctest('build-long-asan'),
  },
  {
    name: 'races',
    what: 'conformance on the CPU and on the emulated device under ThreadSanitizer',
    run() {
      if (!builds('build-long-tsan', 'thread')) return false;
      const program = conformance('build-long-tsan');
      const env = { TSAN_OPTIONS: 'halt_on_error=1' };
      const onDevice = ['--quick', '--device', 'emulated:0', '--schedules', '2'];
      return passes(program, ['--quick'], env) && passes(program, onDevice, env);
    },
  },
  {
    name: 'barriers',
    what: 'every barrier of the CUDA kernels is missed when it does not happen',
    run: () =>
      builds('build-long', '') &&
      builds('build-long-tsan', 'thread') &&
      passes('test/conformance/barriers.sh', [conformance('build-long'), conformance('build-long-tsan')]),
  },
];

function fail(text) {
  console.error(`test-long: ${text}`);
  process.exit(2);
}

function optionsOf(args) {
  try {
    return parseArgs({
      args,
      options: {
        only: { type: 'string', multiple: true, default: [] },
        list: { type: 'boolean', default: false },
        runs: { type: 'string', default: '10' },
        repetitions: { type: 'string', default: '20' },
      },
    }).values;
  } catch (error) {
    return fail(error.message);
  }
}

function count(text, option) {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0
    ? number
    : fail(`--${option} is ${text} (expected a positive integer)`);
}

function main() {
  const { only, list, runs, repetitions } = optionsOf(process.argv.slice(2));
  if (list) {
    for (const { name, what } of steps) console.log(`${name.padEnd(12)}${what}`);
    return;
  }
  const settings = { runs: count(runs, 'runs'), repetitions: count(repetitions, 'repetitions') };
  const names = steps.map(({ name }) => name);
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0) fail(`unknown step ${unknown.join(', ')} (expected ${names.join(', ')})`);

  const failed = [];
  for (const step of steps.filter(({ name }) => only.length === 0 || only.includes(name))) {
    console.log(`\n==== ${step.name}: ${step.what} ====`);
    const begin = performance.now();
    const good = step.run(settings);
    if (!good) failed.push(step.name);
    console.log(`==== ${step.name}: ${good ? 'passed' : 'FAILED'} in ${seconds(begin)} ====`);
  }
  if (failed.length > 0) {
    console.error(`FAILED: ${failed.join(', ')}`);
    process.exitCode = 1;
  }
}

main();
