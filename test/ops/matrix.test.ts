// Every exported operation, with its memory and its device anywhere: called at once and promised,
// on tensors of their own and on views, into new memory and into given. All of it gives what the
// first column gives.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { numbers } from '../helpers';
import type { Case, Source } from './matrix/case';
import { compare, gradientOf, type Part, partsOf, tensorsOf } from './matrix/compare';
import { events } from './matrix/events';
import { graphs } from './matrix/graphs';
import { grids } from './matrix/grids';
import { inArray, inBlock, outputsFor, own, type Place, placeAll } from './matrix/place';
import { sets } from './matrix/sets';
import { statistics } from './matrix/statistics';

const emulated = 'emulated:0';
const present = ups.devices().some(({ name }) => name === emulated);
if (!present) console.log('skipped: the emulated plug-in is not beside the addon (a build with CMake makes it)');

const cases: Case[] = [...sets, ...graphs, ...grids, ...statistics, ...events];
const titled = cases.map((one): [string, Case] => [one.of ? `${one.operation} (${one.of})` : one.operation, one]);

/** Exported functions that compute nothing from tensors. */
const notOperations = [
  ['tensor', 'zeros', 'ragged', 'recordBatch', 'noGrad'],
  ['counters', 'devices', 'info', 'lastVariant', 'setPrecision', 'setThreads', 'synchronize'],
].flat();

function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}

test('every exported operation has its row', () => {
  const exported = Object.entries(ups).flatMap(([name, value]): string[] => {
    if (name === 'random') return Object.keys(ups.random).map((member) => `random.${member}`);
    return typeof value === 'function' && !isClass(value) ? [name] : [];
  });
  const rows = new Set(cases.map(({ operation }) => operation));
  expect(exported.filter((name) => !rows.has(name) && !notOperations.includes(name))).toEqual([]);
  expect([...rows, ...notOperations].filter((name) => !exported.includes(name))).toEqual([]);
  const unpromised = cases.filter(({ promised }) => promised === false).map(({ operation }) => operation);
  expect([...rows].filter((name) => !(name.split('.')[0] in promises))).toEqual(unpromised);
});

test('what README marks for devices is computed there', () => {
  const readme = readFileSync(join(__dirname, '..', '..', 'README.md'), 'utf8');
  const marked = readme
    .split('\n')
    .filter((line) => /^\| `\w/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => cells.length === 8 && cells[5] === '✓')
    .flatMap((cells) => [...cells[1].matchAll(/`([\w.]+)`/g)].map((match) => match[1]));
  expect(marked.length).toBeGreaterThan(40);
  const computed = cases.filter(({ onDevice }) => onDevice === undefined).map(({ operation }) => operation);
  const functions = marked.filter((name) => typeof (ups as any)[name] === 'function');
  expect(functions.filter((name) => !computed.includes(name))).toEqual([]);
});

const gradientSeed = 99;

/** Result and gradients of a call, as plain numbers. */
function run(one: Case, place: Place, device: string, gradients: readonly string[] = []): Part[] {
  const { tensors, placed } = placeAll(one.inputs, place, device, gradients);
  const result = one.call(ups, tensors, {}, device);
  const parts = partsOf(result);
  if (gradients.length === 0) return parts;
  const [, traced] = tensorsOf(result).find(([, tensor]) => tensor.requiresGrad)!;
  traced.backward(ups.tensor(numbers(traced.size, gradientSeed), { dtype: traced.dtype, shape: traced.shape }));
  const found = gradients.map((name) => {
    const { tensor, whole, begin } = placed[name];
    expect(whole.grad).toBeDefined();
    return gradientOf(name, whole.grad, begin, tensor.size);
  });
  return [...parts, ...found];
}

function shapesOf(one: Case, expected: readonly Part[]): Record<string, Omit<Source, 'values'>> | undefined {
  if (one.out !== 'result') return one.out;
  return { out: { shape: [...expected[0].shape], dtype: expected[0].dtype } };
}

/** At once and promised, into new and into given memory. */
async function everyWay(one: Case, place: Place, device: string, expected: Part[], tolerance: number): Promise<void> {
  const apis = one.promised === false ? [ups] : [ups, promises];
  const shapes = shapesOf(one, expected);
  for (const api of apis) {
    compare(partsOf(await one.call(api, placeAll(one.inputs, place, device).tensors, {}, device)), expected, tolerance);
    if (!shapes) continue;
    const { out, untouched } = outputsFor(shapes, place, device);
    const result = await one.call(api, placeAll(one.inputs, place, device).tensors, out, device);
    compare(partsOf(result), expected, tolerance);
    // What is there afterwards is the result, not what was there before.
    for (const [name, memory] of Object.entries(out)) {
      const holding = one.out === 'result' ? expected[0] : expected.find(({ path }) => path === `.${name}`);
      if (holding) compare(partsOf(memory), [{ ...holding, path: '' }], tolerance);
    }
    expect(untouched()).toBe(true);
  }
}

const onDevice = present ? test : test.skip;

describe.each(titled)('%s', (_, one) => {
  const expected = run(one, own, 'cpu');
  const { gradients = [], tolerance = 1e-5 } = one;
  const refusesDevices = (wanted: readonly string[]): void =>
    expect(() => run(one, own, emulated, wanted)).toThrow(expect.objectContaining({ code: one.onDevice }));

  test('on the CPU', async () => {
    for (const place of [own, inArray, inBlock]) await everyWay(one, place, 'cpu', expected, 0);
  });

  onDevice('on a device', async () => {
    if (one.onDevice) return refusesDevices([]);
    for (const place of [own, inArray]) await everyWay(one, place, emulated, expected, tolerance);
  });

  if (gradients.length === 0) return;

  test('gradients through views', () => {
    const wanted = run(one, own, 'cpu', gradients);
    for (const place of [inArray, inBlock]) compare(run(one, place, 'cpu', gradients), wanted, 0);
  });

  onDevice('gradients on a device', () => {
    if (one.onDevice) return refusesDevices(gradients);
    const wanted = run(one, own, 'cpu', gradients);
    for (const place of [own, inArray]) compare(run(one, place, emulated, gradients), wanted, tolerance);
  });
});
