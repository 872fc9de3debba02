import { existsSync } from 'node:fs';
import { join } from 'node:path';

import * as ups from 'upsilon-kernels';

const repository = join(__dirname, '..', '..');
const example = join(repository, 'examples', 'selective-background-simulation');
const belle2 = join(repository, '..', 'shared', 'data', 'belle2', 'mcparticles.arrow');

const filter = ups.models.BackgroundFilter.load(join(example, 'model.safetensors'));
const names = ['pdg', 'mother', 'status', ...filter.features];

function columns(file: string, other: Record<string, string> = {}): ups.models.Particles {
  const table = ups.arrow.open(file);
  return Object.fromEntries(
    names.map((name) => [name, table.getChild(other[name] ?? name)!]),
  ) as unknown as ups.models.Particles;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < b.length; ++i) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

const logit = (probability: number): number => Math.log(probability / (1 - probability));

/** Two events as plain numbers: Υ(4S) -> B+ B-, and a lone photon. */
function twoEvents(change: Record<string, unknown> = {}): ups.models.Particles {
  const offsets = Int32Array.of(0, 3, 4);
  const list = (values: unknown): unknown => ({ values, offsets });
  const features = Object.fromEntries(
    filter.features.map((name, f) => [name, list(Float32Array.of(0.1 * f, 1, -0.5, 2))]),
  );
  return {
    pdg: list(Int32Array.of(300553, 521, -521, 22)),
    mother: list(Int32Array.of(-1, 0, 0, -1)),
    status: list(Int32Array.of(1, 1, 1, 1)),
    ...features,
    ...Object.fromEntries(
      Object.entries(change).map(([name, values]) => [name, values === undefined ? undefined : list(values)]),
    ),
  } as unknown as ups.models.Particles;
}

function scoresOf(particles: ups.models.Particles): number[] {
  return Array.from(filter.score(particles).data as Float32Array);
}

describe('BackgroundFilter', () => {
  const bundled = columns(join(example, 'events.arrow'));
  const golden = ups.safetensors.load(join(repository, 'test', 'golden', 'pass-probability.safetensors'));

  test("has PyTorch's score of every bundled event", () => {
    const scores = filter.score(bundled);
    expect(scores.shape).toEqual([1640]);
    expect(largestDifference(scores.data as Float32Array, golden['passProbability'].data as Float32Array)).toBeLessThan(
      1e-5,
    );
    // float32 logits reach -21, where their steps are 2e-6.
    expect(
      largestDifference(Array.from(scores.data as Float32Array, logit), golden['logit'].data as Float32Array),
    ).toBeLessThan(5e-5);
  });

  test('gives the same bits batch by batch and for any number of threads', () => {
    const scores = filter.score(bundled).data as Float32Array;
    ups.setThreads(1);
    const batches: number[] = [];
    for (const forest of filter.batches(bundled)) batches.push(...(filter.forward(forest).data as Float32Array));
    ups.setThreads(-1);
    expect(Float32Array.from(batches)).toEqual(scores);
  });

  test('tells of its progress', () => {
    const seen: number[] = [];
    let particles = 0;
    filter.score(bundled, {
      onBatch: (progress) => {
        seen.push(progress.events);
        particles = progress.particles;
      },
    });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen[seen.length - 1]).toBe(1640);
    expect(particles).toBe(54598);
  });

  test('reads the mothers where the column has them', () => {
    const particles = twoEvents();
    const [forest] = filter.batches(particles);
    const column = (particles.mother as { values: Int32Array }).values,
      used = forest.tree.mother!.data as Int32Array;
    expect(used.buffer).toBe(column.buffer);
    expect(used.byteOffset).toBe(column.byteOffset);
  });

  test('skips particles by their status, as if they had not been there', () => {
    const offsets = Int32Array.of(0, 5);
    const list = (values: unknown): never => ({ values, offsets }) as never;
    // A virtual particle between the Υ(4S) and the B mesons, and a secondary photon.
    const features = Object.fromEntries(
      filter.features.map((name, f) => [name, list(Float32Array.of(0.1 * f, 77, 1, -0.5, 99))]),
    );
    const scores = scoresOf({
      pdg: list(BigInt64Array.of(300553n, 23n, 521n, -521n, 22n)),
      mother: list(Int32Array.of(-1, 0, 1, 1, 2)),
      status: list(Int32Array.of(1, 17, 1, 1, 8)),
      ...features,
    });
    expect(scores[0]).toBe(scoresOf(twoEvents())[0]);
  });

  test('gives gradients of its parameters', () => {
    const own = ups.models.BackgroundFilter.load(join(example, 'model.safetensors'));
    const weight = own.parameters['output.weight'];
    weight.requiresGrad = true;
    const [forest] = own.batches(twoEvents());
    own.forward(forest).backward(ups.tensor([1, 1]));
    expect(weight.grad!.shape).toEqual([1, 64]);
    expect(Math.max(...(weight.grad!.data as Float32Array))).toBeGreaterThan(0);
  });

  test('knows how many numbers were trained', () => {
    expect(filter.parameterCount).toBe(166 * 8 + 3 * 64 * 16 + 6 * 64 * 64 + 3 * 64 + 64 + 1);
    expect(filter.threshold).toBeCloseTo(0.0292869, 7);
  });

  test.each([
    ['pdg', undefined, 'there is no column pdg'],
    ['mother', Int32Array.of(1, 2, 0, -1), 'mother'],
    ['mother', Int32Array.of(-1, 7, 0, -1), 'mother'],
    ['energy', Float32Array.of(1, NaN, 1, 1), 'energy of particle 1 is NaN'],
    ['energy', Int32Array.of(1, 1, 1, 1), 'energy holds no float32 or float64'],
    ['pdg', Float32Array.of(1, 1.5, 1, 1), 'pdg holds 1.5'],
    ['px', Float32Array.of(1, 1), 'px has 2 values'],
  ])('refuses %s = %p', (name, values, message) => {
    expect(() => filter.score(twoEvents({ [name]: values }))).toThrow(message);
    expect(() => filter.score(twoEvents({ [name]: values }))).toThrow(ups.UpsilonError);
  });

  test.each([
    [Int32Array.of(1, 2, 0, -1), Int32Array.of(1, 0, 1, 1)], // round and round through one that is not selected
    [Int32Array.of(-1, 3, 1, -1), Int32Array.of(1, 0, 1, 1)],
  ])('refuses such mothers beside unselected particles: %p', (mother, status) => {
    expect(() => filter.score(twoEvents({ mother, status }))).toThrow(ups.ValueError);
  });

  test('takes no events', () => {
    const nothing = { values: new Int32Array(0), offsets: Int32Array.of(0) },
      reals = { values: new Float32Array(0), offsets: Int32Array.of(0) };
    expect(
      filter.score({
        pdg: nothing,
        mother: nothing,
        ...Object.fromEntries(filter.features.map((name) => [name, reals])),
      }).shape,
    ).toEqual([0]);
  });

  test('refuses files that hold something else', () => {
    expect(() =>
      ups.models.BackgroundFilter.load(join(repository, 'test', 'golden', 'pass-probability.safetensors')),
    ).toThrow('there is no tensor tokens.pdg');
    expect(() => ups.models.BackgroundFilter.load(join(repository, 'package.json'))).toThrow(ups.UpsilonError);
  });

  const genuine = existsSync(belle2);
  if (!genuine) console.log(`skipped: genuine Belle II events, ${belle2} is not there`);
  (genuine ? test : test.skip)("has PyTorch's scores of ten genuine Belle II events", () => {
    const particles = columns(belle2, { productionTime: 'prodTime' });
    const { values, offsets } = ups.ragged(particles.mother as never);
    const mother = { values: (values.data as Int32Array).map((one) => one - 1), offsets };
    const logits = scoresOf({ ...particles, mother }).map(logit);
    expect(
      largestDifference(
        logits,
        [-3.689493, -5.774386, -6.475359, -2.507339, -7.716177, -5.06381, 1.09928, -3.301411, -6.194216, -6.332756],
      ),
    ).toBeLessThan(1e-5);
  });
});
