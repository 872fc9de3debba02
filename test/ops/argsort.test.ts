// The order against JavaScript's own stable sort. That every variant gives the same one is the
// conformance test's business.
import { Field, Float32, List, makeBuilder } from 'apache-arrow';
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import { argsort as promised } from 'upsilon-kernels/promises';

import { thrown } from '../helpers';

const key = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.float({ noNaN: true }),
  fc.constantFrom(0, -0, Infinity, -Infinity),
);

function expected(keys: ArrayLike<number>, begin: number, end: number, descending = false): number[] {
  const order = Array.from({ length: end - begin }, (_, i) => begin + i);
  const less = (a: number, b: number): number => Number(a > b) - Number(a < b);
  return order.sort((a, b) => (descending ? less(keys[b], keys[a]) : less(keys[a], keys[b])));
}

test('is a stable sort, up and down, of all key types', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 80 }), fc.boolean(), (list, descending) => {
      for (const keys of [Float32Array.from(list), Float64Array.from(list), Int32Array.from(list)])
        expect([...ups.argsort(keys, { descending }).data]).toEqual(expected(keys, 0, keys.length, descending));
    }),
  );
});

test('sorts every event for itself; what is in none stays where it is', () => {
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 60 }), fc.array(fc.nat(), { maxLength: 6 }), (list, cuts) => {
      const values = Float64Array.from(list);
      const offsets = Int32Array.from(cuts, (cut) => cut % (list.length + 1)).sort();
      fc.pre(offsets.length > 0);
      const sorted = ups.argsort({ values, offsets });
      const order = list.map((_, i) => i);
      offsets.slice(1).forEach((end, event) => {
        order.splice(offsets[event], end - offsets[event], ...expected(values, offsets[event], end));
      });
      expect([...sorted.values.data]).toEqual(order);
      expect(sorted.length).toBe(offsets.length - 1);
    }),
  );
});

test('an Arrow list of events', () => {
  const builder = makeBuilder({ type: new List(Field.new('item', new Float32())), nullValues: [] });
  for (const event of [[3, 1, 2], [], [5, 4]]) builder.append(event as never);
  const { values, offsets } = ups.argsort(ups.ragged(builder.finish().toVector()));
  expect([...values.data]).toEqual([1, 2, 0, 4, 3]);
  expect([...offsets.data]).toEqual([0, 3, 3, 5]);
});

test('a large sort, written into memory of the caller and off the main thread', async () => {
  const keys = ups.random.normal([200_000], { seed: 8 });
  const out = new Int32Array(200_000);
  ups.argsort(keys, { out });
  const data = keys.data as Float32Array;
  for (let i = 1; i < out.length; ++i) if (!(data[out[i - 1]] <= data[out[i]])) throw new Error(`${i} is out of order`);
  expect((await promised(keys)).data).toEqual(out);
});

test('bad input gives typed errors', () => {
  const refused: [() => unknown, string][] = [
    [() => ups.argsort([1, NaN]), 'argsort: keys has NaN at position 1 (expected numbers)'],
    [() => ups.argsort([[1], [2]]), 'argsort: keys is [2, 1] (expected [N])'],
    [() => ups.argsort({ values: [1, 2], offsets: [0, 3] }), 'argsort: offsets ends with 3 (expected at most N = 2)'],
    [() => ups.argsort(Uint8Array.of(1)), 'keys'],
    [() => ups.argsort([1], { descending: 1 as never }), 'descending'],
    [() => ups.argsort([1], { stable: true } as never), "unknown option 'stable'"],
    [() => ups.argsort([1], { out: new Float32Array(1) }), 'out'],
  ];
  for (const [call, text] of refused) {
    const error = thrown(call);
    expect(error).toBeInstanceOf(ups.UpsilonError);
    expect(error.message).toContain(text);
  }
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (keys, options) => {
      try {
        ups.argsort(keys as never, options as never);
      } catch (error) {
        if (!(error instanceof ups.UpsilonError)) throw error;
      }
    }),
  );
});
