// What a call costs from TypeScript and back, on the smallest shapes.
import type { Bench, BenchCase, Row } from '../bench';
import { linear, tensor, type Tensor } from '../library';
import { measure, timed } from '../measure';
import { linearPeers } from './linearPeers';

class SmallestCall implements BenchCase {
  readonly suite = 'calls';
  readonly small = true;
  readonly name = 'linear [1, 1] x [1, 1], called through the public function';
  private readonly x = tensor(Float32Array.of(3), { shape: [1, 1] });
  private readonly weight = tensor(Float32Array.of(5), { shape: [1, 1] });

  private variants(): { name: string; run: () => Tensor }[] {
    const { x, weight } = this;
    const out = tensor(new Float32Array(1), { shape: [1, 1] });
    const rawX = Float32Array.of(3),
      rawWeight = [[5]];
    return [
      { name: 'upsilon', run: () => linear(x, weight) },
      { name: 'upsilon, output reused', run: () => linear(x, weight, { out }) },
      { name: 'upsilon, from a typed array and lists', run: () => linear(rawX, rawWeight) },
    ];
  }

  prepare(): () => void {
    return this.variants()[0].run;
  }

  async run(bench: Bench): Promise<Row> {
    const variants = this.variants();
    const row: Row = { case: `${this.suite}/${this.name}`, ours: 'upsilon', timings: {}, notes: [] };
    for (const { name, run } of variants)
      if (run().item() !== 15) row.problem = `${name} gives ${run().item()} (expected 15)`;
    const contestants = variants.map(({ name, run }) => timed(name, run));
    contestants.push(...(await linearPeers(bench, row, this.x, this.weight, linear(this.x, this.weight))));
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
    return row;
  }
}

export function suite(): BenchCase[] {
  return [new SmallestCall()];
}
