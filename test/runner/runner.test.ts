// That tests can fail: what carries all others is not taken on trust.
import * as fc from 'fast-check';

import { thrown } from '../helpers';
import { inProcess } from './process';
import { shuffled } from './shuffled';

declare const upsilonProperties: { seed: number; runs: number };

test('what fails in a process of its own fails here', () => {
  expect(thrown(() => inProcess(({ assert }) => assert.equal(1, 2))).message).toContain('1 !== 2');
  expect(thrown(() => inProcess(() => Promise.reject(new Error('later')))).message).toContain('Error: later');
  const outside = 1;
  expect(thrown(() => inProcess(({ assert }) => assert.equal(outside, 1))).message).toContain('outside is not defined');
});

test('a process of its own is given its argument, and nothing of others', () => {
  inProcess(
    ({ ups, assert }, { list }) => {
      assert.deepEqual(list, [1, 'two']);
      assert.deepEqual(ups.counters(), { blocks: 0, blockBytes: 0, arrowExports: 0, arrowImports: 0 });
    },
    { list: [1, 'two'] },
  );
});

test('properties have the seed of the run, are tried as often as it says, and tell how to see a failure again', () => {
  const { seed, runs } = upsilonProperties;
  expect(fc.readConfigureGlobal().seed).toBe(seed);
  for (const [parameters, expected] of [
    [{ numRuns: 7 }, 7],
    [undefined, 100],
  ] as const) {
    let tries = 0;
    fc.assert(
      fc.property(fc.nat(), () => void ++tries),
      parameters,
    );
    expect(tries).toBe(expected * runs);
  }
  const { message } = thrown(() => fc.assert(fc.property(fc.nat(), () => false)));
  expect(message).toContain(`UPSILON_TEST_SEED=${seed}`);
  expect(message).toContain('npm test -- dist-test/runner/runner.test -t "properties have the seed of the run');
});

test('an order is one of all, and the same for the same seed', () => {
  const list = Array.from({ length: 50 }, (_, i) => i);
  for (const seed of [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]) {
    const order = shuffled(list, seed);
    expect(order).not.toEqual(list);
    expect([...order].sort((a, b) => a - b)).toEqual(list);
    expect(shuffled(list, seed)).toEqual(order);
    expect(shuffled(list, seed ^ 5)).not.toEqual(order);
  }
});
