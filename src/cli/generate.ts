// upsilon-kernels generate
import { statSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';

import { ValueError } from '../runtime/errors';
import { UsageError } from './errors';
import { generate, type Production } from './generation';
import { fingerprintOf, generatorOf } from './generator';
import { type Progress, progressOf } from './progress';
import { fileSink, findShowers, ShowerStream, type Sink } from './showerStream';

export const usage = `upsilon-kernels generate --model wgan --energy 10:100 --count 100000 --seed 7 out.arrow

Showers of photons as an Arrow IPC stream: columns energy {GeV} and shower [30, 30, 30] {MIP}.

  --model name          wgan (bundled), or a safetensors file of a WGAN generator or a BIB-AE decoder
  --post-processor file the BIB-AE's post-processor, a safetensors file
  --energy low:high     flat between these {GeV}, or one number
  --count n             showers
  --seed n              the same seed gives the same showers, whatever the batches and threads
  --first n             number of the first shower (0)
  --batch n             showers in a record batch (64); two batches are in memory
  --device name         cpu, cuda:0 ... (cpu)
  --threads n           CPU threads that generate (all cores)
  --resume              goes on with an interrupted file, up to --count showers
  --append              puts --count more showers behind those that are there
  --overwrite           begins an existing file anew
`;

const options = {
  model: { type: 'string' },
  'post-processor': { type: 'string' },
  energy: { type: 'string' },
  count: { type: 'string' },
  seed: { type: 'string' },
  first: { type: 'string', default: '0' },
  batch: { type: 'string', default: '64' },
  device: { type: 'string', default: 'cpu' },
  threads: { type: 'string' },
  resume: { type: 'boolean', default: false },
  append: { type: 'boolean', default: false },
  overwrite: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsConfig['options'];

export interface GenerateCommand extends Production {
  file: string;
  how: 'new' | 'resume' | 'append' | 'overwrite';
}

function integer(text: string | undefined, option: string, least: bigint, most: bigint): bigint {
  const value = text !== undefined && /^\d+$/.test(text) ? BigInt(text) : undefined;
  if (value !== undefined && value >= least && value <= most) return value;
  throw new UsageError(`--${option}${found(text)} (expected an integer from ${least} to ${most})`);
}

const found = (text: string | undefined): string => (text === undefined ? ' is missing' : ` ${text}`);

function energiesOf(text: string | undefined): { low: number; high: number } {
  const parts = (text ?? '').split(':').map((part) => (part.trim() === '' ? NaN : Number(part)));
  const [low, high = low] = parts;
  const good = parts.length <= 2 && low > 0 && high >= low && high < Infinity;
  if (!good) throw new UsageError(`--energy${found(text)} (expected low:high {GeV}, such as 10:100, or one number)`);
  return { low, high };
}

/**
 * @returns undefined when help was requested
 * @throws UsageError
 */
export function parse(words: readonly string[]): GenerateCommand | undefined {
  const { values, positionals } = parsed(words);
  if (values.help) return undefined;
  const { model, device } = values;
  if (model === undefined || model === '')
    throw new UsageError('--model is missing (expected wgan, or a safetensors file)');
  const ways = (['resume', 'append', 'overwrite'] as const).filter((way) => values[way]);
  if (ways.length > 1) throw new UsageError(`--${ways[0]} and --${ways[1]} (expected one of them)`);
  if (positionals.length !== 1)
    throw new UsageError(`${positionals.length} files: ${positionals.join(', ')} (expected one, such as out.arrow)`);
  const largest = BigInt(Number.MAX_SAFE_INTEGER);
  const first = Number(integer(values.first, 'first', 0n, largest / 2n));
  return {
    model,
    postProcessor: values['post-processor'],
    device,
    ...energiesOf(values.energy),
    count: Number(integer(values.count, 'count', 1n, largest / 2n)),
    seed: integer(values.seed, 'seed', 0n, (1n << 64n) - 1n),
    first,
    batch: Number(integer(values.batch, 'batch', 1n, 4096n)),
    file: positionals[0],
    threads: values.threads === undefined ? undefined : Number(integer(values.threads, 'threads', 1n, 4096n)),
    how: ways[0] ?? 'new',
  };
}

function parsed(
  words: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** What must be the same when a file is gone on with. */
function notesOf(command: GenerateCommand): string {
  const { seed, low, high, first } = command;
  return JSON.stringify({ seed: String(seed), energy: [low, high], first, weights: fingerprintOf(command) });
}

function checkNotes(file: string, notes: string, wanted: string): void {
  let there: Record<string, unknown> = {};
  try {
    there = JSON.parse(notes) as Record<string, unknown>;
  } catch {
    // Then it differs in all of them.
  }
  for (const [key, value] of Object.entries(JSON.parse(wanted) as Record<string, unknown>)) {
    const [is, asked] = [there[key], value].map((part) => JSON.stringify(part));
    if (is !== asked) throw new UsageError(`${file} was made with ${key} ${is}, not ${asked} (expected the same)`);
  }
}

/** A stream to write to, and how many showers are to come. */
async function openStream(
  command: GenerateCommand,
  sinkOf: typeof fileSink,
): Promise<{ stream: ShowerStream; missing: number }> {
  const { file, how, count } = command;
  // Checked before the file is created: the generating thread would report it too late.
  generatorOf({ ...command, device: 'cpu' });
  const notes = notesOf(command);
  const before = statSync(file, { throwIfNoEntry: false });
  if (how === 'new' && before)
    throw new UsageError(`${file} already exists (expected --resume, --append or --overwrite, or another name)`);
  if ((how === 'resume' || how === 'append') && before && before.size > 0) {
    const known = await findShowers(file);
    checkNotes(file, known.notes, notes);
    const missing = how === 'append' ? count : Math.max(0, count - known.showers);
    const sink = await sinkOf(file, 'r+');
    return { stream: await ShowerStream.behind(sink, notes, known), missing };
  }
  const sink: Sink = await sinkOf(file, how === 'new' ? 'wx' : 'w');
  return { stream: await ShowerStream.begin(sink, notes), missing: count };
}

/** What is told about a production that came to an end. */
export interface Produced {
  /** Showers in the file. */
  showers: number;
  /** Whether `signal` ended it. */
  interrupted: boolean;
}

/**
 * Writes the showers. Finished batches stay readable even if a later one fails.
 * @param environment - where to write to; what to tell; what ends it early
 * @throws UsageError; ValueError when the file cannot be written, a full disk for example
 */
export async function produce(
  command: GenerateCommand,
  environment: { sinkOf?: typeof fileSink; progress?: (total: number) => Progress; signal?: AbortSignal } = {},
): Promise<Produced> {
  const { file, first } = command;
  const refuse = (error: unknown, showers: number): never => {
    // By its parts: errors of the system may come from another realm, as under a test runner.
    const { syscall, code, message } = error as NodeJS.ErrnoException;
    if (syscall !== undefined) {
      const why = code === 'ENOSPC' ? 'the disk is full' : message;
      const kept = showers > 0 ? `; its ${showers} showers are complete, and --resume goes on from there` : '';
      throw new ValueError('generate', 'file', `${file} cannot be written: ${why}${kept}`);
    }
    throw error;
  };
  const { stream, missing } = await openStream(command, environment.sinkOf ?? fileSink).catch((error: unknown) =>
    refuse(error, 0),
  );
  const progress = environment.progress?.(missing);
  const before = stream.showers;
  try {
    for await (const batch of generate({ ...command, first: first + before, count: missing })) {
      await stream.write(batch);
      progress?.update(stream.showers - before);
      if (environment.signal?.aborted) break;
    }
  } catch (error) {
    progress?.stop();
    await stream.close().catch(() => undefined);
    return refuse(error, stream.showers);
  }
  progress?.stop();
  await stream.close().catch((error: unknown) => refuse(error, stream.showers));
  return { showers: stream.showers, interrupted: stream.showers - before < missing };
}

/** @returns the exit code */
export async function run(words: readonly string[]): Promise<number> {
  const command = parse(words);
  if (!command) {
    process.stdout.write(usage);
    return 0;
  }
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const { showers, interrupted } = await produce(command, {
      progress: (total) => progressOf(total, process.stderr),
      signal: stop.signal,
    });
    process.stdout.write(`${command.file}: ${showers} showers\n`);
    return interrupted ? 130 : 0;
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}
