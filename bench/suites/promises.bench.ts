// Whether the event loop turns while a long operation runs: a timer of 5 ms counts. In memory of
// the library, as what is mapped or computed, nothing is copied; arrays of the engine are copied in
// and out, for which the loop stands still.
import type { Bench, BenchCase, Row } from '../bench';
import { linear, type Tensor, tensor, zeros } from '../library';
import { linear as linearAsync } from '../../dist/promises';
import { linearPeers } from './linearPeers';

const interval = 5;

interface Turns {
  elapsed_ms: number;
  ticks: number;
  longest_gap_ms: number;
}

/** Counts how often a timer fires while a promise is pending. */
async function watch(work: () => Promise<unknown>): Promise<Turns> {
  let ticks = 0,
    gap = 0;
  const start = performance.now();
  let last = start;
  const tick = (): void => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
  };
  const timer = setInterval(() => {
    ++ticks;
    tick();
  }, interval);
  await work();
  tick();
  clearInterval(timer);
  return { elapsed_ms: performance.now() - start, ticks, longest_gap_ms: gap };
}

/**
 * Memory of the library; in a turn of its own, because in one turn the library makes only so much
 * of it.
 */
async function block(shape: number[]): Promise<Tensor> {
  await new Promise((resolve) => setImmediate(resolve));
  return zeros(shape);
}

class EventLoop implements BenchCase {
  readonly suite = 'promises';
  readonly small: boolean;
  readonly name: string;

  constructor(private readonly target: number) {
    this.name = `a timer of ${interval} ms during an operation of about ${target} ms`;
    this.small = target <= 50;
  }

  async run(bench: Bench): Promise<Row> {
    const width = 1024;
    const weight = tensor(new Float32Array(width * width).fill(1e-3), { shape: [width, width] });
    // As many rows as fill the time, from how long a few of them take.
    const probe = tensor(new Float32Array(256 * width).fill(1), { shape: [256, width] });
    linear(probe, weight);
    const start = performance.now();
    linear(probe, weight);
    const rows = Math.min(2 ** 16, Math.ceil((256 * this.target) / (performance.now() - start)));
    const x = await block([rows, width]),
      out = await block([rows, width]);
    x.data.fill(1 as never);
    const expected = linear(x, weight, { out });
    const row: Row = { case: `${this.suite}/${this.name}`, timings: {}, notes: [], figures: {} };
    const note = (name: string, turns: Turns): void => {
      const possible = Math.floor(turns.elapsed_ms / interval);
      row.figures![name] =
        `${turns.ticks} of ${possible} ticks in ${turns.elapsed_ms.toFixed(0)} ms, longest gap ${turns.longest_gap_ms.toFixed(1)} ms`;
    };
    const ours = await watch(() => linearAsync(x, weight, { out }));
    note('upsilon', ours);
    Object.assign(row.figures!, {
      ticks: ours.ticks,
      possible_ticks: Math.floor(ours.elapsed_ms / interval),
      longest_gap_ms: ours.longest_gap_ms,
    });
    const copied = tensor(Float32Array.from(x.data as Float32Array), { shape: x.shape }),
      target = tensor(new Float32Array(rows * width), { shape: x.shape });
    note('upsilon, arrays of the engine', await watch(() => linearAsync(copied, weight, { out: target })));
    const peers = await linearPeers(bench, row, x, weight, expected);
    const runtime = peers.find(({ name }) => name.startsWith('onnxruntime'));
    if (runtime) note('onnxruntime-node', await watch(async () => runtime.sample(1)));
    await bench.peers?.close();
    return row;
  }
}

export function suite(): BenchCase[] {
  return [new EventLoop(50), new EventLoop(500)];
}
