// The thirty variables, against values by hand, an independent computation of the definitions, and
// what must not matter.
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { numbers, thrown } from '../helpers';

type Vector = readonly [number, number, number];
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const length = (a: Vector): number => Math.sqrt(dot(a, a));

function momenta(count: number, seed: number): Vector[] {
  const values = numbers(3 * count, seed).map(Math.fround);
  return Array.from({ length: count }, (_, i) => [values[3 * i], values[3 * i + 1], values[3 * i + 2]]);
}
function thrustOf(p: readonly Vector[]): Vector {
  const values = ups.tensor(Float32Array.from(p.flat()), { shape: [p.length, 3] });
  return Array.from(ups.thrust({ values, offsets: [0, p.length] }).data as Float32Array) as never;
}
/** Over all choices of signs. */
function largestThrust(p: readonly Vector[]): number {
  let best = 0;
  for (let signs = 0; signs < 2 ** (p.length - 1); ++signs) {
    const sum = [0, 1, 2].map((c) => p.reduce((total, v, i) => total + ((signs >> i) & 1 ? -v[c] : v[c]), 0));
    best = Math.max(best, length(sum as never));
  }
  return best / p.reduce((total, v) => total + length(v), 0);
}

test('thrust is the largest over all choices of signs, for up to 12 particles', () => {
  let missed = 0;
  for (let seed = 1; seed <= 120; ++seed) {
    const p = momenta(1 + (seed % 12), seed);
    const found = length(thrustOf(p)),
      best = largestThrust(p);
    expect(found).toBeLessThanOrEqual(best + 1e-6);
    if (found < best - 1e-6) ++missed;
  }
  // The search goes uphill from every momentum: it may end on a lower hill, but hardly ever does.
  expect(missed).toBeLessThanOrEqual(2);
});

test('thrust by hand', () => {
  expect(thrustOf([[0, 0, 2]])).toEqual([0, 0, 1]);
  expect(thrustOf([])).toEqual([0, 0, 0]);
  expect(thrustOf([[0, 0, 0]])).toEqual([0, 0, 0]);
  expect(length(thrustOf([[1, 0, 0], [-1, 0, 0], [0, 0, 0]]))).toBeCloseTo(1, 6); // prettier-ignore
  const third = (2 * Math.PI) / 3;
  const mercedes = [0, 1, 2].map((i): Vector => [Math.cos(i * third), Math.sin(i * third), 0]);
  expect(length(thrustOf(mercedes))).toBeCloseTo(2 / 3, 6);
});

interface Particle {
  p: Vector;
  energy: number;
  charge: number;
  role: number;
}
function event(seed: number, count: number): Particle[] {
  return momenta(count, seed).map((p, i) => ({
    p,
    energy: Math.fround(Math.sqrt(0.02 + dot(p, p))),
    charge: ((i * 7 + seed) % 3) - 1,
    role: (i * 5 + seed) % 4,
  }));
}
function inputsOf(events: Particle[][], energy: number[]): ups.EventShapeInputs {
  const all = events.flat();
  const offsets = events.reduce((so, one) => [...so, so[so.length - 1] + one.length], [0]);
  return {
    p4: { values: ups.tensor(Float64Array.from(all.flatMap(({ p, energy: e }) => [...p, e])), { shape: [all.length, 4] }), offsets: Int32Array.from(offsets) }, // prettier-ignore
    charge: Float64Array.from(all, ({ charge }) => charge),
    role: Uint8Array.from(all, ({ role }) => role),
    energy: Float64Array.from(energy),
  };
}
const asFloat32 = ({ p4, charge, role, energy }: ups.EventShapeInputs): ups.EventShapeInputs => {
  const { values, offsets } = p4 as { values: ups.Tensor; offsets: Int32Array };
  const narrow = (source: unknown): Float32Array => Float32Array.from(source as Float64Array);
  return { p4: { values: ups.tensor(narrow(values.data), { shape: [...values.shape] }), offsets }, charge: narrow(charge), role, energy: narrow(energy) }; // prettier-ignore
};

/** The definitions of docs/event-shapes.md once more, over pairs and by angles. */
function definition(particles: Particle[], energyOfB: number, signalBit: number, rootS: number): number[] {
  const rest = particles.filter(({ role }) => role === 0);
  const ofB = particles.filter(({ role }) => role & 1);
  const signal = particles.filter(({ role }) => role & signalBit);
  const final = [...ofB, ...rest];
  const cosine = (a: Vector, b: Vector): number => dot(a, b) / length(a) / length(b);
  const legendre = [
    (): number => 1,
    (z: number): number => z,
    (z: number): number => (3 * z * z - 1) / 2,
    (z: number): number => (5 * z ** 3 - 3 * z) / 2,
    (z: number): number => (35 * z ** 4 - 30 * z * z + 3) / 8,
  ];
  const fox = (k: number): number =>
    final.reduce((s, a) => s + final.reduce((t, b) => t + length(a.p) * length(b.p) * legendre[k](cosine(a.p, b.p)), 0), 0); // prettier-ignore
  const axis = thrustOf(ofB.map(({ p }) => p)),
    other = thrustOf(rest.map(({ p }) => p));
  const counted = [...signal, ...rest];
  const missing = [0, 1, 2].map((c) => -counted.reduce((s, { p }) => s + p[c], 0)) as unknown as Vector;
  const missingEnergy = rootS - counted.reduce((s, { energy }) => s + energy, 0);
  const largest = 2 * (rootS - energyOfB);
  const hso = (others: Vector[], k: number): number =>
    signal.reduce((s, a) => s + others.reduce((t, b) => t + length(b) * legendre[k](cosine(a.p, b)), 0), 0) / largest;
  const charged = rest.filter(({ charge }) => charge !== 0).map(({ p }) => p),
    neutral = rest.filter(({ charge }) => charge === 0).map(({ p }) => p);
  const list = [...rest, { p: missing, charge: 0 }];
  const hoo = (k: number): number => {
    let sum = 0;
    list.forEach((a, i) => list.slice(0, i).forEach((b) => {
      sum += (k % 2 ? a.charge * b.charge : 1) * length(a.p) * length(b.p) * legendre[k](cosine(a.p, b.p));
    })); // prettier-ignore
    return sum / largest ** 2;
  };
  const cones = new Array<number>(9).fill(0);
  for (const { p } of final) {
    const angle = (180 / Math.PI) * Math.acos(Math.min(1, Math.max(-1, cosine(p, axis))));
    cones[Math.min(8, Math.floor(Math.min(angle, 180 - angle) / 10))] += length(p);
  }
  return [
    fox(2) / fox(0),
    length(axis),
    length(other),
    Math.abs(cosine(axis, other)),
    Math.abs(axis[2]) / length(axis),
    counted.reduce((s, { p }) => s + Math.hypot(p[0], p[1]), 0),
    (missingEnergy > 0 ? 1 : -1) * missingEnergy ** 2 - dot(missing, missing),
    ...[charged, neutral, [missing]].flatMap((others) => [0, 2, 4].map((k) => hso(others, k))),
    ...[0, 1, 2, 3, 4].map(hoo),
    ...cones,
  ];
}

test.each([
  ['daughters', 2],
  ['finalState', 1],
] as const)('eventShapes are what the definitions say, signal side: %s', (signal, bit) => {
  const events = [event(3, 14), event(8, 23), event(5, 9)];
  const energies = [5.1, 5.3, 5.29];
  for (const rootS of [10.5794, 3]) {
    const inputs = inputsOf(events, energies);
    for (const [given, digits] of [
      [inputs, 6],
      [asFloat32(inputs), 4],
    ] as const) {
      // prettier-ignore
      const found = ups.eventShapes(given, { signal, cmsEnergy: rootS });
      expect(Object.keys(found)).toEqual([...ups.eventShapeNames]);
      events.forEach((particles, b) => {
        const wanted = definition(particles, energies[b], bit, rootS);
        ups.eventShapeNames.forEach((name, v) => {
          const scale = Math.max(1, Math.abs(wanted[v]));
          expect([name, Number(found[name].data[b]) / scale]).toEqual([
            name,
            expect.closeTo(wanted[v] / scale, digits),
          ]);
        });
      });
    }
  }
});

test('edges of cones belong to the outer cone, and 90 degrees to the ninth', () => {
  const particle = (x: number, z: number, role: number): Particle => ({ p: [x, 0, z], energy: 1, charge: 0, role });
  const particles = [particle(0, 1, 3), particle(1, 0, 0), particle(0, -2, 0), particle(Math.sqrt(3), 1, 0)];
  const found = ups.eventShapes(inputsOf([particles], [5.29]), { cones: 'rest' });
  const cones = Array.from({ length: 9 }, (_, i) => Number(found[`CleoConeCS(${i + 1})` as ups.EventShape].item()));
  expect(cones.map((flow) => Math.round(flow * 1e6) / 1e6)).toEqual([2, 0, 0, 0, 0, 0, 2, 0, 1]);
  expect(Number(ups.eventShapes(inputsOf([particles], [5.29]))['CleoConeCS(1)'].item())).toBeCloseTo(3, 6);
});

test('order of the particles and neighbouring events do not matter; columns share one memory', () => {
  const events = Array.from({ length: 700 }, (_, i) => event(i + 1, 4 + (i % 30)));
  const energies = events.map((_, i) => 5 + (i % 7) / 10);
  const together = ups.eventShapes(asFloat32(inputsOf(events, energies)));
  const alone = ups.eventShapes(asFloat32(inputsOf([events[411]], [energies[411]])));
  const turned = ups.eventShapes(asFloat32(inputsOf([[...events[411]].reverse()], [energies[411]])));
  for (const name of ups.eventShapeNames) {
    expect(together[name].data[411]).toBe(alone[name].item());
    expect(turned[name].item()).toBeCloseTo(alone[name].item(), 4);
  }
  expect(together.R2.data.buffer).toBe(together['CleoConeCS(9)'].data.buffer);
  expect(ups.recordBatch(together).numRows).toBe(700);
});

test('promises, out, and devices', async () => {
  const inputs = asFloat32(inputsOf([event(1, 12), [], event(2, 8)], [5.3, 5.2, 5.1]));
  const out = ups.zeros([30, 3]);
  const expected = ups.eventShapes(inputs, { out });
  const later = await promises.eventShapes(inputs);
  for (const name of ups.eventShapeNames) {
    expect(later[name].toArray()).toEqual(expected[name].toArray());
    expect(expected[name].data.buffer).toBe(out.data.buffer);
    // An event without particles: all that is missing is everything.
    expect(expected[name].data[1]).toBe(name === 'KSFWVariables(mm2)' ? Math.fround(10.5794 ** 2) : 0);
  }
  const p = { values: [[0, 0, 1]], offsets: [0, 1] };
  expect((await promises.thrust(p)).toArray()).toEqual([[0, 0, 1]]);
});

// The columns lie one behind the other in one memory; each must be found where it is. Few
// candidates and many: memory of the engine, and of the library.
test.each([3, 600])('columns of %d candidates go into operations', async (count) => {
  const energies = Array.from({ length: count }, () => 5.3);
  const inputs = asFloat32(
    inputsOf(
      energies.map((_, i) => event(1 + (i % 5), 4)),
      energies,
    ),
  );
  const columns = ups.eventShapes(inputs),
    later = await promises.eventShapes(inputs);
  for (const name of ups.eventShapeNames) {
    const column = columns[name];
    const twice = ups.linear(column.reshape([count, 1]), [[2]]);
    expect(twice.toArray()).toEqual([...column.data].map((value) => [2 * Number(value)]));
    expect((await promises.linear(later[name].reshape([count, 1]), [[2]])).toArray()).toEqual(twice.toArray());
  }
  const features = ups.concat(ups.eventShapeNames.map((name) => columns[name].reshape([count, 1])));
  expect(features.shape).toEqual([count, 30]);
  expect([...features.data].filter((_, i) => i % 30 === 4)).toEqual([...columns.cosTBz.data]);
  expect(ups.rocAuc(columns['CleoConeCS(9)'], new Uint8Array(count)).item()).toBeNaN(); // there is no signal
});

test('what cannot be used is told', () => {
  const inputs = inputsOf([event(1, 3)], [5.3]);
  expect(thrown(() => ups.eventShapes({ ...inputs, charge: [1, 0] })).message).toContain('charge');
  expect(thrown(() => ups.eventShapes({ ...inputs, role: undefined as never })).message).toContain('role is missing');
  expect(thrown(() => ups.eventShapes({ ...inputs, energy: [NaN] })).message).toContain('energy');
  expect(thrown(() => ups.eventShapes(inputs, { signal: 'FS1' as never })).message).toContain('daughters, finalState');
  expect(thrown(() => ups.thrust({ values: [[1, 2, Infinity]], offsets: [0, 1] })).message).toContain('p');
});
