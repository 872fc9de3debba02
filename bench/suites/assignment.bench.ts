// The assignment problem: batches of uniform random costs and of distances between points in a
// square, in float64 as scipy computes. Peers are scipy in a loop and two npm packages.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Bench, BenchCase, Row } from '../bench';
import { randomNumbers } from '../cases';
import { lastVariant, linearSumAssignment, tensor, type Tensor } from '../library';
import { root } from '../machine';
import { type Contestant, measure, timed } from '../measure';

type Kind = 'uniform' | 'geometric';
type Matrix = number[][];
interface Theirs {
  name: string;
  /** The sum of the costs. Some change the matrix that they are given. */
  solve: (matrix: Matrix) => number;
}

class Assignments implements BenchCase {
  readonly suite = 'assignment';
  readonly name: string;
  readonly small: boolean;

  constructor(
    private readonly count: number,
    private readonly size: number,
    private readonly kind: Kind,
    private readonly npm = false,
  ) {
    this.name = `${count.toLocaleString('en')} of ${size} x ${size}, ${kind}${npm ? ', npm packages' : ''}`;
    this.small = count * size * size <= 1e5;
  }

  private costs(): Tensor {
    const { count, size, kind } = this;
    const random = randomNumbers(size + (kind === 'uniform' ? 0 : 1));
    const costs = new Float64Array(count * size * size);
    for (let problem = 0; problem < count; ++problem) {
      const points = Float64Array.from({ length: 4 * size }, random);
      for (let i = 0; i < size; ++i)
        for (let j = 0; j < size; ++j)
          costs[(problem * size + i) * size + j] =
            kind === 'uniform'
              ? random()
              : Math.hypot(points[2 * i] - points[2 * (size + j)], points[2 * i + 1] - points[2 * (size + j) + 1]);
    }
    return tensor(costs, { shape: [count, size, size] });
  }

  prepare(): () => void {
    const costs = this.costs();
    return () => void linearSumAssignment(costs);
  }

  async run(bench: Bench): Promise<Row> {
    const { count, size } = this;
    const costs = this.costs();
    const run = (): void => void linearSumAssignment(costs);
    const row: Row = {
      case: `${this.suite}/${this.name}`,
      ours: 'upsilon',
      timings: {},
      notes: [],
      bytes: 8 * costs.size + 8 * count * size,
      parameters: { dims: { B: count, R: size, C: size } },
    };
    const found = linearSumAssignment(costs);
    row.variant = lastVariant();
    const boundaries = tensor(Int32Array.from({ length: count + 1 }, (_, b) => b * size));
    const inputs = { cost: costs.reshape([costs.size]), row_offsets: boundaries, column_offsets: boundaries };
    const columnOfRow = found.columns.reshape([count * size]);
    row.problem = await this.difference(bench, inputs, found.columns, found.cost);
    if (row.problem !== undefined) return row;
    const narrow = tensor(costs, { dtype: 'float32' });
    const contestants: Contestant[] = [
      timed('upsilon', run),
      timed('upsilon, float32 costs', () => linearSumAssignment(narrow)),
    ];
    if (bench.peers && this.npm) await this.addPackages(costs, found.cost, contestants, row.notes);
    else if (bench.peers) {
      const peers = await bench.peers.open({
        operation: 'linear_sum_assignment',
        both: false,
        dims: {},
        options: { maximize: false },
        inputs,
        expected: { column_of_row: columnOfRow },
        outputs: ['column_of_row'],
        absent: [],
      });
      contestants.push(...peers.contestants);
      row.notes.push(...peers.notes);
    }
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
    return row;
  }

  /** From the reference's answers. */
  private async difference(
    bench: Bench,
    inputs: Record<'cost' | 'row_offsets' | 'column_offsets', Tensor>,
    columns: Tensor,
    total: Tensor,
  ): Promise<string | undefined> {
    const { count, size } = this;
    const pairs = (): Tensor => tensor(new Int32Array(count * size));
    const perProblem = [tensor(new Float64Array(count)), tensor(new Int32Array(count))];
    const expected = await bench.reference.run(
      'linear_sum_assignment',
      [inputs.cost, inputs.row_offsets, inputs.column_offsets],
      {},
      [pairs(), pairs(), ...perProblem, undefined, undefined, undefined, undefined, undefined],
    );
    const sameColumns = (expected[0]!.data as Int32Array).every((column, i) => columns.data[i] === column);
    const sameTotals = (expected[2]!.data as Float64Array).every((sum, b) => total.data[b] === sum);
    return sameColumns && sameTotals ? undefined : 'the pairs are not those of the reference';
  }

  private async addPackages(costs: Tensor, totals: Tensor, contestants: Contestant[], notes: string[]): Promise<void> {
    const { count, size } = this;
    const flat = costs.data as Float64Array;
    const matrices = Array.from({ length: count }, (_, b) =>
      Array.from({ length: size }, (__, i) => [...flat.subarray((b * size + i) * size, (b * size + i + 1) * size)]),
    );
    for (const { name, solve } of await packages(notes)) {
      const sums = (): number[] => matrices.map((matrix) => solve(matrix.map((line) => [...line])));
      const found = sums();
      if (found.some((sum, b) => !(Math.abs(sum - Number(totals.data[b])) < 1e-9))) {
        notes.push(`${name} is left out: it gives other sums`);
        continue;
      }
      contestants.push(timed(`${name}, with a copy of its input`, sums));
    }
  }
}

// The package is an ES module, and TypeScript would make a require() of an import() here.
// eslint-disable-next-line @typescript-eslint/no-implied-eval
const importModule = new Function('address', 'return import(address)') as <T>(address: string) => Promise<T>;

async function packages(notes: string[]): Promise<Theirs[]> {
  const found: Theirs[] = [];
  const folder = join(root, 'bench', 'node_modules');
  try {
    const entry = pathToFileURL(join(folder, 'linear-sum-assignment', 'lib', 'index.js')).href;
    const { linearSumAssignment: solve } = await importModule<{
      linearSumAssignment: (matrix: Matrix, options: { maximaze: boolean }) => { gain: number };
    }>(entry);
    // The option is spelt like this there, and true by default.
    found.push({ name: 'npm linear-sum-assignment', solve: (matrix) => solve(matrix, { maximaze: false }).gain });
  } catch {
    notes.push('npm linear-sum-assignment is not installed');
  }
  try {
    const require = createRequire(join(root, 'bench', 'package.json'));
    const solve = require('munkres-js') as (matrix: Matrix) => [number, number][];
    found.push({
      name: 'npm munkres-js',
      solve: (matrix) => solve(matrix).reduce((sum, [i, j]) => sum + matrix[i][j], 0),
    });
  } catch {
    notes.push('npm munkres-js is not installed');
  }
  return found;
}

export function suite(): BenchCase[] {
  const cases: BenchCase[] = [];
  for (const [count, size] of [
    [10_000, 10],
    [1000, 64],
    [100, 300],
    [1, 2000],
  ])
    for (const kind of ['uniform', 'geometric'] as const) cases.push(new Assignments(count, size, kind));
  cases.push(new Assignments(20, 16, 'uniform', true), new Assignments(20, 64, 'uniform', true));
  return cases;
}
