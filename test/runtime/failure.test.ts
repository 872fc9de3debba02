// What the library says of a failure, in the words of whoever called: names are names, and all else
// is left alone.
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { thrown } from '../helpers';

const { failureOf, noteDeviceCall, register } = require('upsilon-kernels/internal/runtime/failure');
const { native } = require('upsilon-kernels/internal/runtime/native');

const emulated = 'emulated:0';
const present = ups.devices().some(({ name }) => name === emulated);
const onDevice = present ? test : test.skip;

const words: Record<string, string> = { x_values: 'sets[0].values', is: 'NOT', N: 'numNodes' };
const caller = register({
  operation: 'test_forward',
  publicName: 'testing',
  argument: (name: string) => words[name] ?? name,
});

test('names in a text are put into words, and nothing else', () => {
  const parts = ['', 'x_values', ' is x_values, N of ', 'N', " and 'x_values'"];
  expect(failureOf(3, 'test_forward', 'x_values', parts, caller)).toMatchObject({
    name: 'ValueError',
    code: 'ERR_UPSILON_VALUE',
    operation: 'testing',
    argument: 'sets[0].values',
    message: "testing: sets[0].values is x_values, N of numNodes and 'x_values'",
  });
});

test('a failure of another call than the present one is that call’s', () => {
  expect(failureOf(1, 'other_thing_backward', 'row_offsets', ['', 'row_offsets', ' is bad'], caller)).toMatchObject({
    name: 'ShapeError',
    operation: 'otherThing',
    argument: 'rowOffsets',
    message: 'otherThing: rowOffsets is bad',
  });
  noteDeviceCall(caller);
  expect(failureOf(1, 'test_forward', 'N', ['', 'N', ' is bad'], -1)).toMatchObject({
    operation: 'testing',
    argument: 'numNodes',
  });
});

test('every status has its class', () => {
  const names = [1, 2, 3, 4, 5, 6, 7].map((status) => failureOf(status, '', '', ['x'], -1));
  expect(names.map(({ code }) => code.slice('ERR_UPSILON_'.length))).toEqual([
    'SHAPE',
    'DTYPE',
    'VALUE',
    'DEVICE',
    'OUT_OF_MEMORY',
    'UNSUPPORTED',
    'INTERNAL',
  ]);
  expect(names.map(({ message, operation, argument }) => [message, operation, argument])).toEqual(
    names.map(() => ['x', '', '']),
  );
});

test('a file’s name is no argument', () => {
  const file = '/no/such_file/with_offsets row_offsets\u0001x\u0002.arrow';
  expect(thrown(() => ups.arrow.open(file)).message).toContain(file);
});

// Of functions that share an operation of the library, whichever was called last.
test('functions that share a kernel are named as they were called', async () => {
  const x = ups.zeros([2, 3, 4]);
  const wrong = Float32Array.of(1);
  const calls: [string, (api: any) => unknown][] = [
    ['batchNorm', (api) => api.batchNorm(x, { training: true, weight: wrong })],
    ['rocAuc', (api) => api.rocAuc([1, NaN], [0, 1])],
    ['rocCurve', (api) => api.rocCurve([1, NaN], [0, 1])],
    ['conv1d', (api) => api.conv1d(x, ups.zeros([1, 3, 2], { dtype: 'float64' }))],
    ['batchNorm', (api) => api.batchNorm(x, { training: true, weight: wrong })],
    ['rocAuc', (api) => api.rocAuc([1, NaN], [0, 1])],
    ['globalPool', (api) => api.globalPool(x, 'sum', { out: ups.zeros([2, 3], { dtype: 'float64' }) })],
    ['maxPool1d', (api) => api.maxPool1d(x, 2, { out: ups.zeros([2, 3, 2], { dtype: 'float64' }) })],
  ];
  const named = (operation: string) => ({ operation, message: expect.stringMatching(new RegExp(`^${operation}: `)) });
  for (const [operation, call] of calls) expect(thrown(() => call(ups))).toMatchObject(named(operation));
  // All at once: no call may be blamed for another.
  const refused = await Promise.allSettled(calls.map(([, call]) => Promise.resolve().then(() => call(promises))));
  expect(refused).toMatchObject(calls.map(([operation]) => ({ status: 'rejected', reason: named(operation) })));
});

onDevice('a fault found on a device is that of the function that was called', () => {
  const scores = ups.tensor([1, NaN], { device: emulated }),
    labels = ups.tensor(Uint8Array.of(0, 1), { device: emulated });
  for (const name of ['rocAuc', 'rocCurve', 'rocAuc'] as const) {
    ups[name](scores, labels);
    expect(thrown(() => ups.synchronize(emulated))).toMatchObject({
      operation: name,
      argument: 'scores',
      message: `${name}: scores has NaN (found on ${emulated})`,
    });
  }
  const sets = [
    {
      values: ups.zeros([2, 1], { device: emulated }),
      offsets: ups.tensor([0, 3], { dtype: 'int32', device: emulated }),
    },
  ];
  ups.multiDeepSet(sets, { phi: [[{ weight: ups.zeros([1, 1], { device: emulated }) }]], pool: 'sum' });
  expect(thrown(() => ups.synchronize(emulated))).toMatchObject({
    operation: 'multiDeepSet',
    argument: 'sets[0].offsets',
    message: `multiDeepSet: sets[0].offsets has offsets that decrease or are out of range (found on ${emulated})`,
  });
});

test('two names in one text', () => {
  const x = ups.zeros([4, 3]);
  expect(thrown(() => ups.softmax(x, { out: x })).message).toBe(
    'softmax: out shares memory with x (expected memory of its own)',
  );
  expect(thrown(() => ups.graph({ sources: [5], targets: [0], numNodes: 2 })).message).toBe(
    'graph: sources has 5 at position 0 (expected 0 <= index < numNodes = 2)',
  );
});

test('what the addon says of itself has no names', () => {
  expect(thrown(() => native.setThreads(0))).toMatchObject({ operation: 'setThreads', argument: 'threads' });
});
