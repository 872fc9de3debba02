// The decorrelation loss by the number of scores: value and gradient in one call, as a training
// step needs them. Peers are the n x n formula in PyTorch with its gradient, dcor's O(n log n)
// value, and the npm package's value. Points of several coordinates have O(n²) work everywhere.
import { createRequire } from 'node:module';
import { join } from 'node:path';

import type { Bench, BenchCase, Picture, Row } from '../bench';
import { distanceCorrelation, Kernel, noGrad, tensor, type Tensor, zeros } from '../library';
import { normals, randomNumbers } from '../cases';
import { root } from '../machine';
import { type Contestant, measure, timed } from '../measure';
import { type Curve, logLogPicture } from '../picture';
import { relativeError } from '../reference';

const tolerance = 1e-6;
/** The O(n²) reference takes a second or two up to here. */
const mostForReference = 10_000;
const mostForNpm = 10_000;
const prefix = 'value and gradient of ';
const npmName = 'npm distance-correlation, value';

type DistanceCorrelation = (x: number[], y: number[]) => number;

function npmPackage(): DistanceCorrelation | undefined {
  try {
    const require = createRequire(join(root, 'bench', 'package.json'));
    return (require('distance-correlation') as { distanceCorrelation: DistanceCorrelation }).distanceCorrelation;
  } catch {
    return undefined;
  }
}

class ValueAndGradient implements BenchCase {
  readonly suite = 'disco';
  readonly name: string;
  readonly small: boolean;

  /** @param coordinates - of every point, on both sides; 0: plain numbers */
  constructor(
    private readonly count: number,
    private readonly coordinates = 0,
  ) {
    const what = coordinates ? `points of ${coordinates}` : 'scores';
    this.name = `${prefix}${count.toLocaleString('en')} ${what}`;
    this.small = count <= 2048;
  }

  /** Of x. */
  private get shape(): number[] {
    return this.coordinates ? [this.count, this.coordinates] : [1, this.count];
  }
  private get operation(): string {
    return `${this.coordinates ? 'multivariate_' : ''}distance_correlation_backward`;
  }

  private scores(): { x: Tensor; y: Tensor } {
    const random = randomNumbers(this.count);
    const numbers = this.count * Math.max(this.coordinates, 1);
    const y = normals(numbers, random);
    const x = normals(numbers, random).map((value, i) => value + 0.3 * y[i]);
    if (this.coordinates) return { x: tensor(x, { shape: this.shape }), y: tensor(y, { shape: this.shape }) };
    return { x: tensor(x, { shape: this.shape }), y: tensor(y) };
  }

  prepare(): () => void {
    return this.call(this.scores()).run;
  }

  private call({ x, y }: { x: Tensor; y: Tensor }): {
    run: () => void;
    inputs: Record<string, Tensor>;
    dx: Tensor;
    value: Tensor;
  } {
    const ofValue = this.coordinates ? [] : [1, 1];
    const value = zeros(ofValue, { dtype: 'float64' }),
      dx = zeros(this.shape, { dtype: x.dtype });
    const dvalue = tensor(Float64Array.of(1), { shape: ofValue });
    const inputs: Record<string, Tensor> = this.coordinates
      ? { x, y, dvalue }
      : { x, y, offsets: tensor(Int32Array.of(0, this.count)), dvalue };
    const kernel = new Kernel(this.operation);
    const given = this.given(inputs);
    const run = (): void => void kernel.run(given, undefined, [value, dx], [true, true, false, false]);
    return { run, inputs, dx, value };
  }

  /** Without weights and a prepared order. */
  private given({ x, y, offsets, dvalue }: Record<string, Tensor>): (Tensor | undefined)[] {
    return this.coordinates ? [x, y, undefined, dvalue] : [x, y, undefined, offsets, undefined, dvalue];
  }

  /**
   * The gradient in float64: by the reference, or by the fast kernel where the reference would take
   * minutes.
   */
  private async expectedGradient(bench: Bench, inputs: Record<string, Tensor>): Promise<ArrayLike<number | bigint>> {
    const { x, y } = inputs;
    if (this.count > mostForReference) {
      const wide = this.call({
        x: tensor(Float64Array.from(x.data as Float32Array), { shape: x.shape }),
        y: tensor(Float64Array.from(y.data as Float32Array), { shape: y.shape }),
      });
      wide.run();
      return wide.dx.data;
    }
    const dx = zeros(this.shape);
    const outputs = [undefined, dx, undefined, undefined];
    const found = await bench.reference.run(this.operation, this.given(inputs), {}, outputs);
    return found[1]!.data;
  }

  async run(bench: Bench): Promise<Row> {
    const { run, inputs, dx, value } = this.call(this.scores());
    const row: Row = {
      case: `${this.suite}/${this.name}`,
      ours: 'upsilon',
      timings: {},
      notes: [],
      parameters: { dims: { N: this.count } },
    };
    run();
    row.error = relativeError(dx.data as Float32Array, (await this.expectedGradient(bench, inputs)) as Float64Array);
    if (!(row.error <= tolerance)) {
      row.problem = `the gradient differs by ${row.error.toPrecision(2)} (expected at most ${tolerance})`;
      return row;
    }
    const contestants: Contestant[] = [timed('upsilon', run)];
    if (bench.peers) {
      const found = await bench.peers.open({
        operation: this.operation,
        both: false,
        dims: this.coordinates
          ? { N: this.count, Dx: this.coordinates, Dy: this.coordinates }
          : { K: 1, N: this.count, B: 1 },
        options: { power: 1, quantity: 'correlation', estimator: 'biased', weightSum: 'normalized' },
        inputs,
        expected: { value, dx },
        outputs: ['value', 'dx', 'dy', 'dweights'],
        absent: ['weights', ...(this.coordinates ? [] : ['order']), 'dy', 'dweights'],
      });
      contestants.push(...found.contestants);
      row.notes.push(...found.notes, ...this.npm(inputs, contestants));
    }
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
    return row;
  }

  /** Adds the npm package where it is installed and its answer is right. */
  private npm({ x, y }: Record<string, Tensor>, contestants: Contestant[]): string[] {
    if (this.count > mostForNpm || this.coordinates) return [];
    const theirs = npmPackage();
    if (!theirs) return ['npm distance-correlation is not installed'];
    const a = [...(x.data as Float32Array)],
      b = [...(y.data as Float32Array)];
    const ours = noGrad(() => distanceCorrelation(x.reshape([this.count]), y)).item();
    const found = theirs(a, b);
    // It gives the distance correlation, DisCo its square.
    if (Math.abs(found * found - ours) > 1e-6) return [`npm distance-correlation is left out: it gives ${found}`];
    contestants.push(timed(npmName, () => theirs(a, b)));
    return [];
  }
}

export function suite(): BenchCase[] {
  const scores = [100, 1000, 2048, 10_000, 100_000, 1_000_000, 10_000_000].map((count) => new ValueAndGradient(count));
  const points = [5000, 20_000].map((count) => new ValueAndGradient(count, 4));
  return [...scores, ...points];
}

const drawn: Record<string, Omit<Curve, 'points'>> = {
  upsilon: { name: 'upsilon-kernels', note: 'value, gradient', color: '#d9480f', ours: true },
  'PyTorch DisCo, forward and backward': {
    name: 'PyTorch, n × n',
    note: 'value, gradient',
    color: '#1c6fd1',
  },
  'dcor mergesort, value': { name: 'dcor, mergesort', note: 'value alone', color: '#2b8a3e' },
  'dcor avl, value': { name: 'dcor, AVL', note: 'value alone', color: '#8a6d1f' },
  [npmName]: { name: 'npm package', note: 'value alone', color: '#7b3fb5' },
};

export const picture: Picture = {
  suite: 'disco',
  file: 'disco-time.svg',
  draw(rows, machine) {
    const sizeOf = (row: Row): number => (row.parameters as { dims: { N: number } }).dims.N;
    const ofScores = rows.filter(({ case: name }) => name.endsWith(' scores'));
    const curves = Object.entries(drawn).flatMap(([contestant, look]) => {
      const measured = ofScores.filter(({ timings }) => contestant in timings);
      const points = measured.map((row) => [sizeOf(row), row.timings[contestant].median_ms] as const);
      const tooLarge = ofScores.filter(({ notes }) =>
        notes.some((note) => note.startsWith(`${contestant} is left out: out of memory`)),
      );
      const smallest = Math.min(...tooLarge.map(sizeOf)).toLocaleString('en', { notation: 'compact' });
      const end = tooLarge.length > 0 ? `; no memory at ${smallest}` : '';
      if (points.length === 0) return [];
      return [{ ...look, note: `${look.note}${end}`, points: points.sort(([a], [b]) => a - b) }];
    });
    if (!curves.some(({ points }) => points.length > 1)) return undefined;
    const where = `${String(machine['processor'])}, ${String(machine['cores'])} cores`;
    return logLogPicture({
      title: `Time of a distance correlation against the number of scores: ${curves.map(({ name }) => name).join(', ')}`,
      x: `number of scores n (${where})`,
      y: 'median time of a call',
      curves,
    });
  },
};
