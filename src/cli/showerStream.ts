// Showers as an Arrow IPC stream in a file, batch by batch. The streaming format, not the file
// format: what has been written stays readable without a footer, so an interrupted file holds all
// its finished batches, and more can be put behind them. Format: Arrow columnar format,
// "Encapsulated message format" and "IPC Streaming Format".
import { type FileHandle, open } from 'node:fs/promises';

import { RecordBatch, RecordBatchStreamWriter, Schema } from 'apache-arrow';

import { recordBatch } from '../arrow';
import { Flat } from '../arrow/flat';
import { ValueError } from '../runtime/errors';
import { tensor } from '../tensor/create';

/** Cells along each axis. */
export const cells = 30;
const volume = cells ** 3;
const endOfStream = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);
const notesKey = 'upsilon.generate';

/** Showers that lie together, in memory that is used again for the next batch. */
export interface ShowerBatch {
  /** {GeV} */
  energies: Float32Array;
  /** {MIP} */
  showers: Float32Array;
}

/** Where bytes go: a file, or what a test puts in its place. */
export interface Sink {
  write(bytes: Uint8Array, at: number): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

function arrowBatch({ energies, showers }: ShowerBatch, notes: string): RecordBatch {
  const shape = [energies.length, cells, cells, cells];
  const batch = recordBatch({ energy: tensor(energies), shower: tensor(showers, { shape }) });
  const schema = new Schema(batch.schema.fields, new Map([[notesKey, notes]]));
  return new RecordBatch(schema, batch.data as never);
}

/**
 * The schema's message, the batch's, and the mark of the end: runs of bytes, those of the numbers
 * on their own memory.
 */
async function streamOf(batch: RecordBatch): Promise<Uint8Array[]> {
  const writer = new RecordBatchStreamWriter();
  writer.write(batch);
  writer.finish();
  const runs: Uint8Array[] = [];
  for await (const bytes of writer as AsyncIterable<Uint8Array>) runs.push(bytes);
  return runs;
}

const lengthOf = (runs: readonly Uint8Array[]): number => runs.reduce((sum, { length }) => sum + length, 0);

/** A stream that is being written, after `end` bytes with `showers` showers in them. */
export class ShowerStream {
  private constructor(
    private readonly sink: Sink,
    private readonly notes: string,
    private readonly schemaBytes: number,
    private end: number,
    /** Showers in finished batches. */
    public showers: number,
  ) {}

  /** A new stream: its schema is written with the first batch. */
  static async begin(sink: Sink, notes: string): Promise<ShowerStream> {
    return new ShowerStream(sink, notes, await schemaBytesOf(notes), 0, 0);
  }

  /** Behind the finished batches of a stream; what comes after them is cut off. */
  static async behind(sink: Sink, notes: string, found: FoundStream): Promise<ShowerStream> {
    await sink.truncate(found.end);
    return new ShowerStream(sink, notes, await schemaBytesOf(notes), found.end, found.showers);
  }

  /** @returns when the batch is in the file: its memory may then be used again */
  async write(batch: ShowerBatch): Promise<void> {
    const runs = await streamOf(arrowBatch(batch, this.notes));
    const from = this.end === 0 ? 0 : this.schemaBytes,
      to = lengthOf(runs) - endOfStream.length;
    let at = 0;
    try {
      for (const run of runs) {
        const bytes = run.subarray(Math.max(0, from - at), Math.max(0, to - at));
        if (bytes.length > 0) await this.sink.write(bytes, this.end + Math.max(at, from) - from);
        at += run.length;
      }
    } catch (error) {
      // Room for the mark of the end is made by what could not be written completely.
      await this.sink.truncate(this.end).catch(() => undefined);
      throw error;
    }
    this.end += to - from;
    this.showers += batch.energies.length;
  }

  async close(): Promise<void> {
    try {
      if (this.end > 0) await this.sink.write(endOfStream, this.end);
    } finally {
      await this.sink.close();
    }
  }
}

const emptyBatch: ShowerBatch = { energies: new Float32Array(0), showers: new Float32Array(0) };

/** Length of the first message, which has no body. */
async function schemaBytesOf(notes: string): Promise<number> {
  return 8 + Buffer.concat(await streamOf(arrowBatch(emptyBatch, notes))).readInt32LE(4);
}

/** What of a stream is there. */
export interface FoundStream {
  /** What the schema says about how the showers were made. */
  notes: string;
  showers: number;
  /** Where the last finished batch ends. */
  end: number;
}

/** Kinds of messages, by their numbers in Arrow's Message.fbs. */
const SCHEMA = 1,
  RECORD_BATCH = 3;
/** A message about two columns is far shorter. */
const longestHeader = 1 << 20;

/**
 * Walks along the messages of a stream, without reading the showers.
 * @throws ValueError when it does not begin as a stream of showers
 */
export async function findShowers(file: string): Promise<FoundStream> {
  const refuse = (what: string): never => {
    throw new ValueError('generate', 'file', `${file} ${what}`);
  };
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const found: FoundStream = { notes: '', showers: 0, end: 0 };
    for (;;) {
      const message = await messageAt(handle, found.end, size);
      if (!message) break;
      if (found.end === 0) {
        if (message.kind !== SCHEMA) refuse('is not an Arrow stream');
        found.notes = message.notes(notesKey) ?? refuse('was not written by this command');
      } else if (message.kind !== RECORD_BATCH) {
        refuse('holds something else than record batches');
      }
      found.showers += message.rows;
      found.end = message.end;
    }
    if (found.end === 0) refuse('is not an Arrow stream');
    return found;
  } finally {
    await handle.close();
  }
}

interface Message {
  kind: number;
  rows: number;
  end: number;
  notes(key: string): string | undefined;
}

/** The message at a place; undefined at the end, also where one is not complete. */
async function messageAt(handle: FileHandle, at: number, size: number): Promise<Message | undefined> {
  const start = new Uint8Array(8);
  if ((await handle.read(start, 0, 8, at)).bytesRead < 8) return undefined;
  const prefix = new DataView(start.buffer);
  const length = prefix.getInt32(4, true);
  if (prefix.getUint32(0, true) !== 0xffffffff || length <= 0 || length > longestHeader) return undefined;
  const header = new Uint8Array(length);
  if ((await handle.read(header, 0, length, at + 8)).bytesRead < length) return undefined;
  try {
    const flat = new Flat(header);
    const body = flat.long(flat.root, 3),
      end = at + 8 + length + body;
    if (!(body >= 0 && end <= size)) return undefined;
    const kind = flat.byte(flat.root, 1),
      content = flat.table(flat.root, 2);
    return {
      kind,
      rows: kind === RECORD_BATCH ? flat.long(content, 0) : 0,
      end,
      notes: (key) => {
        const entry = flat.tables(content, 2).find((pair) => flat.text(pair, 0) === key);
        return entry === undefined ? undefined : flat.text(entry, 1);
      },
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * A file to write to. @param mode - `'wx'`: it must be new; `'r+'`: it must be there; `'w'`: it is
 * begun anew
 */
export async function fileSink(file: string, mode: 'wx' | 'r+' | 'w'): Promise<Sink> {
  const handle = await open(file, mode);
  return {
    async write(bytes, at) {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
        done += bytesWritten;
      }
    },
    truncate: (length) => handle.truncate(length),
    async close() {
      await handle.close();
    },
  };
}

/** Numbers of a batch of this many showers, in memory that threads share. */
export function sharedBatch(showers: number): ShowerBatch {
  return {
    energies: new Float32Array(new SharedArrayBuffer(4 * showers)),
    showers: new Float32Array(new SharedArrayBuffer(4 * volume * showers)),
  };
}

/** The first showers of a batch. */
export function firstOf({ energies, showers }: ShowerBatch, count: number): ShowerBatch {
  return { energies: energies.subarray(0, count), showers: showers.subarray(0, count * volume) };
}
