// Generation on a thread of its own, so that it and the writing of the batch before overlap. Two
// batches of shared memory go to and fro: the one is filled while the other is written, and whoever
// is slower is waited for.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { setThreads } from '../runtime/machine';
import { tensor } from '../tensor/create';
import { errorFrom, type ErrorParts, partsOf } from './errors';
import { drawEnergies, generatorOf, type ModelChoice } from './generator';
import { cells, firstOf, sharedBatch, type ShowerBatch } from './showerStream';

export interface Production extends ModelChoice {
  seed: bigint;
  /** {GeV} */
  low: number;
  high: number;
  /** Number of the first shower. */
  first: number;
  count: number;
  /** Showers in a batch. */
  batch: number;
  /** That compute on the CPU; all cores where it is not given. */
  threads?: number;
}

type Answer = { slot: number; count: number } | { failed: ErrorParts };

/** Batches in order. Each is valid until the next is requested. */
export async function* generate(production: Production): AsyncGenerator<ShowerBatch, void> {
  const { count, batch } = production;
  if (count === 0) return;
  const slots = [0, 1].map(() => sharedBatch(Math.min(batch, count)));
  const worker = new Worker(__filename, { workerData: { production, slots } });
  const answers: Answer[] = [];
  let arrived: (() => void) | undefined, lost: Error | undefined;
  const notify = (): void => arrived?.();
  worker.on('message', (answer: Answer) => {
    answers.push(answer);
    notify();
  });
  worker.on('error', (error: Error) => {
    lost = error;
    notify();
  });
  const next = async (): Promise<Answer> => {
    while (answers.length === 0) {
      if (lost) throw lost;
      await new Promise<void>((resolve) => (arrived = resolve));
    }
    return answers.shift()!;
  };
  try {
    const batches = Math.ceil(count / batch);
    for (const slot of [0, 1].slice(0, batches)) worker.postMessage(slot);
    for (let at = 0; at < batches; ++at) {
      const answer = await next();
      if ('failed' in answer) throw errorFrom(answer.failed);
      yield firstOf(slots[answer.slot], answer.count);
      if (at + 2 < batches) worker.postMessage(answer.slot);
    }
  } finally {
    await worker.terminate();
  }
}

/** The other thread: fills the slots that it is sent, one after the other. */
function serve({ production, slots }: { production: Production; slots: ShowerBatch[] }): void {
  const { seed, first, count, batch, threads } = production;
  const failed = (error: unknown): void => parentPort!.postMessage({ failed: partsOf(error) } satisfies Answer);
  let generator: ReturnType<typeof generatorOf>;
  try {
    if (threads !== undefined) setThreads(threads);
    generator = generatorOf(production);
  } catch (error) {
    failed(error);
    return;
  }
  let done = 0;
  parentPort!.on('message', (slot: number) => {
    try {
      const here = Math.min(batch, count - done);
      const { energies, showers } = firstOf(slots[slot], here);
      drawEnergies(production, first + done, energies);
      const out = tensor(showers, { shape: [here, cells, cells, cells] });
      generator.generate({ energies, seed, first: first + done, out });
      done += here;
      parentPort!.postMessage({ slot, count: here } satisfies Answer);
    } catch (error) {
      failed(error);
    }
  });
}

if (!isMainThread && parentPort && (workerData as { production?: unknown } | null)?.production)
  serve(workerData as { production: Production; slots: ShowerBatch[] });
