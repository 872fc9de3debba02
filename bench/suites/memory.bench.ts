// What a large result costs when it is fresh memory, and when it is written where an earlier one
// was.
import type { Bench, BenchCase, Row } from '../bench';
import { linear, tensor } from '../library';
import { measure, timed } from '../measure';
import { linearPeers } from './linearPeers';

const columns = 64;

class LargeOutput implements BenchCase {
  readonly suite = 'memory';
  readonly name: string;
  readonly small: boolean;
  private readonly rows: number;

  constructor(mebibytes: number) {
    this.rows = (mebibytes * 2 ** 20) / 4 / columns;
    this.name = `output of ${mebibytes} MiB: linear [${this.rows}, 1] x [${columns}, 1]`;
    this.small = mebibytes <= 1;
  }

  async run(bench: Bench): Promise<Row> {
    const x = tensor(
      Float32Array.from({ length: this.rows }, (_, i) => i % 1000),
      { shape: [this.rows, 1] },
    );
    const weight = tensor(new Float32Array(columns).fill(0.5), { shape: [columns, 1] });
    const out = linear(x, weight);
    const last = 0.5 * ((this.rows - 1) % 1000);
    const row: Row = {
      case: `${this.suite}/${this.name}`,
      ours: 'upsilon, output reused',
      timings: {},
      notes: [],
      flops: 2 * this.rows * columns,
      bytes: 4 * (this.rows + columns + this.rows * columns),
    };
    const contestants = [
      timed('upsilon, output reused', () => void linear(x, weight, { out })),
      timed('upsilon, fresh output, disposed of', () => linear(x, weight).dispose()),
    ];
    await contestants[0].sample(1);
    if (out.data[out.size - 1] !== last)
      row.problem = `the last element is ${String(out.data[out.size - 1])} (expected ${last})`;
    contestants.push(...(await linearPeers(bench, row, x, weight, out)));
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
    return row;
  }
}

export function suite(): BenchCase[] {
  return [new LargeOutput(1), new LargeOutput(32)];
}
