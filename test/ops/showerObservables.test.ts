// Observables of showers, against sums in plain loops, and what must not matter.
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { numbers, thrown } from '../helpers';

const [B, Z, Y, X] = [3, 5, 7, 19];

/** Mostly empty cells, as showers are. */
function showers(seed: number): Float32Array {
  return Float32Array.from(numbers(B * Z * Y * X, seed), (value) => (value > 0.8 ? 30 * (value - 0.8) : 0));
}

test('sums over cells', () => {
  const cells = showers(1);
  const found = ups.showerObservables(ups.tensor(cells, { shape: [B, Z, Y, X] }), {
    threshold: 0.5,
    rings: 9,
    bins: 4,
  });
  for (let b = 0; b < B; ++b) {
    let energy = 0,
      hits = 0;
    const moments = [0, 0, 0];
    const layers = new Array<number>(Z).fill(0),
      spectrum = [0, 0, 0, 0],
      rings = new Array<number>(9).fill(0);
    const each = (body: (value: number, at: number[]) => void): void => {
      for (let i = 0; i < Z * Y * X; ++i) {
        const value = cells[b * Z * Y * X + i];
        if (value >= 0.5) body(value, [Math.floor(i / (Y * X)), Math.floor(i / X) % Y, i % X]);
      }
    };
    each((value, at) => {
      energy += value;
      ++hits;
      layers[at[0]] += value;
      at.forEach((place, d) => (moments[d] += place * value));
      if (value >= 0.1 && value < 1000) ++spectrum[Math.floor(Math.log10(value / 0.1))];
    });
    const centre = moments.map((moment) => moment / energy);
    each((value, [, y, x]) => {
      const ring = Math.floor(Math.hypot(y - centre[1], x - centre[2]));
      if (ring < 9) rings[ring] += value;
    });
    expect(found.energy.data[b]).toBeCloseTo(energy, 4);
    expect(found.hits.data[b]).toBe(hits);
    expect((found.spectrum.toArray() as number[][])[b]).toEqual(spectrum);
    const close = (tensor: ups.Tensor, wanted: number[]): void =>
      (tensor.toArray() as number[][])[b].forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 4));
    close(found.longitudinal, layers);
    close(found.centre, centre);
    close(found.radial, rings);
  }
  expect(found.edges.data).toHaveLength(5);
  expect(found.edges.data[2]).toBeCloseTo(10, 12);
});

test('rings lie round the axis that is given', () => {
  const cells = new Float32Array(9 * 9);
  cells[4 * 9 + 6] = 3;
  const shower = ups.tensor(cells, { shape: [1, 1, 9, 9] });
  expect(ups.showerObservables(shower, { axis: [[4, 4]], rings: 4 }).radial.toArray()).toEqual([[0, 0, 3, 0]]);
  expect(ups.showerObservables(shower, { axis: [[4, 4]], rings: 4, ringWidth: 2 }).radial.toArray()).toEqual([
    [0, 3, 0, 0],
  ]);
  const own = ups.showerObservables(shower);
  expect(own.centre.toArray()).toEqual([[0, 4, 6]]);
  expect(own.radial.toArray()).toEqual([[3, 0, 0, 0, 0]]);
});

test('a shower alone and in a batch, on any number of threads, off the thread, in float64', async () => {
  const all = ups.tensor(showers(2), { shape: [B, Z, Y, X] });
  const together = ups.showerObservables(all);
  const size = Z * Y * X;
  for (let b = 0; b < B; ++b) {
    const alone = ups.showerObservables(
      ups.tensor((all.data as Float32Array).subarray(b * size, (b + 1) * size), { shape: [1, Z, Y, X] }),
    );
    for (const key of ['energy', 'hits', 'longitudinal', 'radial', 'centre', 'spectrum'] as const)
      expect([...alone[key].data]).toEqual([
        ...together[key].data.slice(b * alone[key].size, (b + 1) * alone[key].size),
      ]);
  }
  const later = await promises.showerObservables(all);
  expect(later.radial.data).toEqual(together.radial.data);
  const wide = ups.showerObservables(ups.tensor(all, { dtype: 'float64' }));
  expect(wide.energy.dtype).toBe('float64');
  expect(wide.spectrum.data).toEqual(together.spectrum.data);
  wide.radial.data.forEach((value, i) => expect(together.radial.data[i]).toBe(Math.fround(value as number)));
});

test('nothing, and what is wrong', () => {
  const empty = ups.showerObservables(ups.zeros([2, 4, 6, 8]));
  expect(empty.centre.toArray()).toEqual([[1.5, 2.5, 3.5], [1.5, 2.5, 3.5]]); // prettier-ignore
  expect([...empty.energy.data, ...empty.hits.data, ...empty.spectrum.data].every((value) => value === 0)).toBe(true);
  expect(ups.showerObservables(ups.zeros([0, 4, 6, 8])).radial.shape).toEqual([0, 4]);
  const cells = ups.zeros([1, 2, 3, 4]);
  expect(thrown(() => ups.showerObservables(ups.zeros([2, 3, 4]))).message).toBe(
    'showerObservables: showers is [2, 3, 4] (expected [B, Z, Y, X])',
  );
  expect(thrown(() => ups.showerObservables(cells, { bins: 257 })).message).toMatch(
    /bins is 257 \(expected 1 to 256\)/,
  );
  expect(thrown(() => ups.showerObservables(cells, { highest: 0.05 })).message).toMatch(
    /highest is 0.05 but lowest is 0.1/,
  );
  expect(thrown(() => ups.showerObservables(cells, { ringWidth: 0 })).message).toMatch(/ringWidth is 0/);
  expect(thrown(() => ups.showerObservables(cells, { axis: [[1, NaN]] })).message).toMatch(/axis/);
  expect(thrown(() => ups.showerObservables(cells, { treshold: 1 } as never)).message).toMatch(/treshold/);
});
