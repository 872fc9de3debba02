// Whether the event loop turns while a long operation runs: a timer of 5 ms counts.
import type { Bench, BenchCase, Row } from '../bench';
import { linear, tensor } from '../library';
import { linear as linearAsync } from '../../dist/promises';

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

class EventLoop implements BenchCase {
  readonly suite = 'promises';
  readonly small: boolean;
  readonly name: string;

  constructor(private readonly target: number) {
    this.name = `a timer of ${interval} ms during an operation of about ${target} ms`;
    this.small = target <= 50;
  }

  async run(bench: Bench): Promise<Row> {
    const width = 512;
    const weight = tensor(new Float32Array(width * width).fill(1e-3), { shape: [width, width] });
    // As many rows as fill the time, from how long a few of them take.
    const probe = tensor(new Float32Array(256 * width), { shape: [256, width] });
    linear(probe, weight);
    const start = performance.now();
    linear(probe, weight);
    const rows = Math.min(2 ** 18, Math.ceil((256 * this.target) / (performance.now() - start)));
    const x = tensor(new Float32Array(rows * width), { shape: [rows, width] });
    const expected = linear(x, weight),
      out = tensor(new Float32Array(rows * width), { shape: [rows, width] });
    const ours = await watch(() => linearAsync(x, weight, { out }));
    const possible = Math.floor(ours.elapsed_ms / interval);
    const row: Row = {
      case: `${this.suite}/${this.name}`,
      timings: {},
      notes: [],
      figures: {
        upsilon: `${ours.ticks} of ${possible} ticks in ${ours.elapsed_ms.toFixed(0)} ms, longest gap ${ours.longest_gap_ms.toFixed(1)} ms`,
        ticks: ours.ticks,
        possible_ticks: possible,
        longest_gap_ms: ours.longest_gap_ms,
      },
    };
    const opened = await bench.peers?.open({
      operation: 'linear_forward',
      both: false,
      dims: { rows, K: width, M: width },
      options: { activation: 'none' },
      inputs: { x, weight },
      expected: { y: expected },
      outputs: ['y'],
      absent: ['bias'],
    });
    const runtime = opened?.contestants.find(({ name }) => name.startsWith('onnxruntime'));
    if (runtime) {
      const theirs = await watch(async () => runtime.sample(1));
      row.figures!['onnxruntime-node'] =
        `${theirs.ticks} of ${Math.floor(theirs.elapsed_ms / interval)} ticks in ${theirs.elapsed_ms.toFixed(0)} ms, longest gap ${theirs.longest_gap_ms.toFixed(1)} ms`;
    }
    await bench.peers?.close();
    return row;
  }
}

export function suite(): BenchCase[] {
  return [new EventLoop(50), new EventLoop(500)];
}
