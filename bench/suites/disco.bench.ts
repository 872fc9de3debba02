// The decorrelation loss by the number of scores: value and gradient in one call, as a training step needs them. Peers are
// the n x n formula in PyTorch with its gradient, dcor's O(n log n) value, and the npm package's value.
import { createRequire } from 'node:module';
import { join } from 'node:path';

import type { Bench, BenchCase, Row } from '../bench';
import { distanceCorrelation, Kernel, noGrad, tensor, type Tensor, zeros } from '../library';
import { normals, randomNumbers } from '../cases';
import { root } from '../machine';
import { type Contestant, measure, timed } from '../measure';
import { relativeError } from '../reference';

const tolerance = 1e-6;
/** The O(n²) reference takes a second or two up to here. */
const mostForReference = 10_000;
const mostForNpm = 10_000;

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

  constructor(private readonly count: number) {
    this.name = `value and gradient of ${count.toLocaleString('en')} scores`;
    this.small = count <= 2048;
  }

  private scores(): { x: Tensor; y: Tensor } {
    const random = randomNumbers(this.count);
    const y = normals(this.count, random);
    const x = normals(this.count, random).map((value, i) => value + 0.3 * y[i]);
    return { x: tensor(x, { shape: [1, this.count] }), y: tensor(y) };
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
    const value = zeros([1, 1], { dtype: 'float64' }),
      dx = zeros([1, this.count], { dtype: x.dtype });
    const inputs = {
      x,
      y,
      offsets: tensor(Int32Array.of(0, this.count)),
      dvalue: tensor(Float64Array.of(1), { shape: [1, 1] }),
    };
    const kernel = new Kernel('distance_correlation_backward');
    const given = [x, y, undefined, inputs.offsets, undefined, inputs.dvalue];
    const run = (): void => void kernel.run(given, undefined, [value, dx], [true, true, false, false]);
    return { run, inputs, dx, value };
  }

  /** The gradient in float64: by the reference, or by the fast kernel where the reference would take minutes. */
  private async expectedGradient(bench: Bench, inputs: Record<string, Tensor>): Promise<ArrayLike<number | bigint>> {
    const { x, y, offsets, dvalue } = inputs;
    if (this.count > mostForReference) {
      const wide = this.call({
        x: tensor(Float64Array.from(x.data as Float32Array), { shape: x.shape }),
        y: tensor(Float64Array.from(y.data as Float32Array)),
      });
      wide.run();
      return wide.dx.data;
    }
    const dx = zeros([1, this.count]);
    const found = await bench.reference.run(
      'distance_correlation_backward',
      [x, y, undefined, offsets, undefined, dvalue],
      {},
      [undefined, dx, undefined, undefined],
    );
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
        operation: 'distance_correlation_backward',
        both: false,
        dims: { K: 1, N: this.count, B: 1 },
        options: { power: 1, quantity: 'correlation', estimator: 'biased', weightSum: 'normalized' },
        inputs,
        expected: { value, dx },
        outputs: ['value', 'dx', 'dy', 'dweights'],
        absent: ['weights', 'order', 'dy', 'dweights'],
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
    if (this.count > mostForNpm) return [];
    const theirs = npmPackage();
    if (!theirs) return ['npm distance-correlation is not installed'];
    const a = [...(x.data as Float32Array)],
      b = [...(y.data as Float32Array)];
    const ours = noGrad(() => distanceCorrelation(x.reshape([this.count]), y)).item();
    const found = theirs(a, b);
    // It gives the distance correlation, DisCo its square.
    if (Math.abs(found * found - ours) > 1e-6) return [`npm distance-correlation is left out: it gives ${found}`];
    contestants.push(timed('npm distance-correlation, value', () => theirs(a, b)));
    return [];
  }
}

export function suite(): BenchCase[] {
  return [2048, 10_000, 100_000, 1_000_000, 10_000_000].map((count) => new ValueAndGradient(count));
}
