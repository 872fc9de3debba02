// Warm-up, rounds taken in turn by all contestants, median and 99th percentile.
import { setTimeout as pause } from 'node:timers/promises';

export interface Contestant {
  name: string;
  /** Runs that many times and gives the duration of each {ms}. */
  sample(calls: number): Promise<ArrayLike<number>>;
}

export interface Timing {
  median_ms: number;
  p99_ms: number;
  min_ms: number;
  calls: number;
  rounds: number;
}

export interface Effort {
  /** Of one contestant in one round. */
  round_ms: number;
  rounds: number;
  /** Between contestants, so that the threads of one are asleep when the next one runs. */
  pause_ms: number;
}

// The pause outlasts the idle spinning of other thread pools (OpenBLAS: about 30 ms), which would
// take a core from whoever comes next.
export const thorough: Effort = { round_ms: 60, rounds: 10, pause_ms: 120 };
/**
 * A call of more takes part in every fourth round only; of one that takes more than the second, the
 * second call counts alone.
 */
const slow_ms = 500,
  slowest_ms = 2000;
export const quick: Effort = { round_ms: 2, rounds: 2, pause_ms: 0 };

/** A function of this process, timed call by call. */
export function timed(name: string, run: () => void): Contestant {
  return {
    name,
    sample: (calls) => {
      const durations = new Float64Array(calls);
      for (let i = 0; i < calls; ++i) {
        const start = performance.now();
        run();
        durations[i] = performance.now() - start;
      }
      return Promise.resolve(durations);
    },
  };
}

/** As {@link timed}, for functions that give a promise. */
export function timedAsync(name: string, run: () => Promise<unknown>): Contestant {
  return {
    name,
    sample: async (calls) => {
      const durations = new Float64Array(calls);
      for (let i = 0; i < calls; ++i) {
        const start = performance.now();
        await run();
        durations[i] = performance.now() - start;
      }
      return durations;
    },
  };
}

/** q-quantile of sorted numbers, the next larger one of the sample. */
function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
}

export async function measure(contestants: readonly Contestant[], effort: Effort): Promise<Record<string, Timing>> {
  const calls: number[] = [],
    every: number[] = [],
    samples: number[][] = [];
  for (const contestant of contestants) {
    const second = (await contestant.sample(2))[1];
    calls.push(Math.max(1, Math.min(20000, Math.floor(effort.round_ms / Math.max(second, 1e-4)))));
    every.push(second > slow_ms ? 4 : 1);
    samples.push(second > slowest_ms ? [second] : []);
    // Compiled by the engine, caches and clock settled.
    if (second <= slow_ms) await contestant.sample(Math.ceil(calls.at(-1)! / 4));
  }
  const alone = samples.map((found) => found.length > 0);
  for (let round = 0; round < effort.rounds; ++round) {
    for (const [i, contestant] of contestants.entries()) {
      if (alone[i] || round % every[i] !== 0) continue;
      if (effort.pause_ms > 0) await pause(effort.pause_ms);
      const durations = await contestant.sample(calls[i]);
      for (let k = 0; k < durations.length; ++k) samples[i].push(durations[k]);
    }
  }
  const timings: Record<string, Timing> = {};
  contestants.forEach(({ name }, i) => {
    const sorted = Float64Array.from(samples[i]).sort();
    timings[name] = {
      median_ms: quantile(sorted, 0.5),
      p99_ms: quantile(sorted, 0.99),
      min_ms: sorted[0],
      calls: sorted.length,
      rounds: alone[i] ? 1 : Math.ceil(effort.rounds / every[i]),
    };
  });
  return timings;
}
