// The command that writes showers: what is in the file, whatever the batches; interrupted,
// continued, on a full disk.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { RecordBatchReader } from 'apache-arrow';
import * as ups from 'upsilon-kernels';
import { parse, produce } from 'upsilon-kernels/internal/cli/generate';
import { drawEnergies } from 'upsilon-kernels/internal/cli/generator';
import { fileSink, findShowers } from 'upsilon-kernels/internal/cli/showerStream';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'upsilon-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const main = join(__dirname, '..', '..', 'dist', 'cli', 'main.js');
const words = (file: string, ...more: string[]): string[] => [
  '--model',
  'wgan',
  '--energy',
  '10:100',
  '--count',
  '13',
  '--seed',
  '7',
  ...more,
  join(folder, file),
];
const make = (file: string, ...more: string[]) => produce(parse(words(file, ...more))!);

interface Showers {
  energy: ups.Tensor;
  shower: ups.Tensor;
}
const read = (file: string): Showers => ups.arrow.tensors(ups.arrow.open(join(folder, file))) as unknown as Showers;

function expectSame(a: Showers, b: Showers): void {
  expect(a.energy.data).toEqual(b.energy.data);
  expect(Buffer.compare(bytesOf(a.shower), bytesOf(b.shower))).toBe(0);
}
const bytesOf = ({ data }: ups.Tensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

let whole: Showers;
beforeAll(async () => {
  expect(await make('whole.arrow')).toEqual({ showers: 13, interrupted: false });
  whole = read('whole.arrow');
});

test('columns, energies and showers', () => {
  expect(whole.shower.shape).toEqual([13, 30, 30, 30]);
  expect(whole.energy.data.every((energy) => energy >= 10 && energy < 100)).toBe(true);
  const [, field] = ups.arrow.open(join(folder, 'whole.arrow')).schema.fields;
  expect(field.metadata.get('ARROW:extension:name')).toBe('arrow.fixed_shape_tensor');
  expect(JSON.parse(field.metadata.get('ARROW:extension:metadata')!)).toEqual({ shape: [30, 30, 30] });
  const generator = ups.models.WganGenerator.load(
    join(__dirname, '..', '..', 'examples', 'showers', 'generator.safetensors'),
  );
  const alone = generator.generate({ energies: whole.energy.data.slice(5, 7) as Float32Array, seed: 7, first: 5 });
  expect(alone.data).toEqual(whole.shower.data.slice(5 * 27000, 7 * 27000));
});

test('the same showers in other batches, and from a later one on', async () => {
  await make('batches.arrow', '--batch', '4');
  expect(ups.arrow.open(join(folder, 'batches.arrow')).batches.map((batch) => batch.numRows)).toEqual([4, 4, 4, 1]);
  expectSame(read('batches.arrow'), whole);
  await produce(
    parse([
      '--model',
      'wgan',
      '--energy',
      '10:100',
      '--count',
      '3',
      '--seed',
      '7',
      '--first',
      '10',
      join(folder, 'later.arrow'),
    ])!,
  );
  expect(read('later.arrow').shower.data).toEqual(whole.shower.data.slice(10 * 27000));
  expect(read('later.arrow').energy.data).toEqual(whole.energy.data.slice(10));
});

test('the number of threads changes no shower, and reaches the library', async () => {
  await make('one-thread.arrow', '--threads', '1');
  expectSame(read('one-thread.arrow'), whole);
  const command = { ...parse(words('threads.arrow'))!, threads: 5000 };
  await expect(produce(command)).rejects.toMatchObject({ operation: 'setThreads', code: 'ERR_UPSILON_VALUE' });
});

test('numbers are written from the memory in which they were generated', async () => {
  const written: ArrayBufferLike[] = [];
  const sinkOf: typeof fileSink = async (file, mode) => {
    const sink = await fileSink(file, mode);
    return {
      ...sink,
      write(bytes, at) {
        if (bytes.length >= 4 * 27000) written.push(bytes.buffer);
        return sink.write(bytes, at);
      },
    };
  };
  await produce(parse(words('memory.arrow', '--batch', '2'))!, { sinkOf });
  expectSame(read('memory.arrow'), whole);
  expect(written).toHaveLength(7);
  expect(new Set(written).size).toBe(2);
});

test('energies belong to their showers across the blocks in which they are drawn', () => {
  const range = { low: 10, high: 100, seed: 3n };
  const all = new Float32Array(2100),
    part = new Float32Array(50);
  drawEnergies(range, 0, all);
  drawEnergies(range, 1000, part);
  expect(part).toEqual(all.slice(1000, 1050));
  expect(new Set(all).size).toBeGreaterThan(2090);
});

test.each([1, 7, 8, 200])(
  'an interrupted file is readable, and is continued: %i bytes of the last batch are there',
  async (bytes) => {
    const file = join(folder, `cut-${bytes}.arrow`);
    await make('batches-of-5.arrow', '--batch', '5', '--overwrite');
    const content = readFileSync(join(folder, 'batches-of-5.arrow'));
    writeFileSync(file, content);
    const { end } = await findShowers(file);
    expect(end).toBe(content.length - 8);
    truncateSync(file, end - 3 * 27000 * 4 - 200 + bytes);
    expect(await findShowers(file)).toMatchObject({ showers: 10 });
    const finished: number[] = [];
    try {
      for (const batch of RecordBatchReader.from(readFileSync(file))) finished.push(batch.numRows);
    } catch {
      // What is not complete.
    }
    expect(finished.slice(0, 2)).toEqual([5, 5]);
    expect(await make(`cut-${bytes}.arrow`, '--resume')).toEqual({ showers: 13, interrupted: false });
    expectSame(read(`cut-${bytes}.arrow`), whole);
  },
);

test('resumed when complete, and appended to', async () => {
  await make('more.arrow');
  const { size } = statSync(join(folder, 'more.arrow'));
  expect(await make('more.arrow', '--resume')).toMatchObject({ showers: 13 });
  expect(statSync(join(folder, 'more.arrow')).size).toBe(size);
  await produce(
    parse([
      '--model',
      'wgan',
      '--energy',
      '10:100',
      '--count',
      '2',
      '--seed',
      '7',
      '--append',
      join(folder, 'more.arrow'),
    ])!,
  );
  await produce(
    parse(['--model', 'wgan', '--energy', '10:100', '--count', '15', '--seed', '7', join(folder, 'all.arrow')])!,
  );
  expectSame(read('more.arrow'), read('all.arrow'));
});

/** A file on a disk with room for so many bytes. */
function fullAfter(room: number): typeof fileSink {
  return async (file, mode) => {
    const sink = await fileSink(file, mode);
    return {
      ...sink,
      async write(bytes, at) {
        const fits = Math.max(0, Math.min(bytes.length, room - at));
        await sink.write(bytes.subarray(0, fits), at);
        if (fits < bytes.length)
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
            code: 'ENOSPC',
            syscall: 'write',
          });
      },
    };
  };
}

test('a full disk', async () => {
  const command = parse(words('full.arrow', '--batch', '4'))!;
  const error = await produce(command, { sinkOf: fullAfter(9 * 27000 * 4) }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ups.ValueError);
  expect((error as Error).message).toMatch(
    /the disk is full; its 8 showers are complete, and --resume goes on from there$/,
  );
  expect(read('full.arrow').shower.data).toEqual(whole.shower.data.slice(0, 8 * 27000));
  await make('full.arrow', '--batch', '4', '--resume');
  expectSame(read('full.arrow'), whole);
});

test('a disk that is full from the beginning', async () => {
  const command = parse(words('nothing.arrow'))!;
  await expect(produce(command, { sinkOf: fullAfter(100) })).rejects.toThrow(/the disk is full$/);
  expect(await make('nothing.arrow', '--resume')).toMatchObject({ showers: 13 });
});

test('an interruption ends after the batch at hand', async () => {
  const stop = new AbortController();
  const progress = () => ({ update: () => stop.abort(), stop: () => undefined });
  const command = parse(words('stopped.arrow', '--batch', '3'))!;
  expect(await produce(command, { progress, signal: stop.signal })).toEqual({ showers: 3, interrupted: true });
  expect(read('stopped.arrow').energy.data).toEqual(whole.energy.data.slice(0, 3));
});

test.each([
  [['--energy', '10'], /--model is missing/],
  [['--model', 'wgan', '--count', '1', '--seed', '1', 'a'], /--energy is missing \(expected low:high/],
  [['--model', 'wgan', '--energy', '100:10', '--count', '1', '--seed', '1', 'a'], /--energy 100:10 /],
  [['--model', 'wgan', '--energy', '-1', '--count', '1', '--seed', '1', 'a'], /energy/],
  [['--model', 'wgan', '--energy', 'x', '--count', '1', '--seed', '1', 'a'], /--energy x /],
  [['--model', 'wgan', '--energy', '10:', '--count', '1', '--seed', '1', 'a'], /--energy 10: /],
  [['--model', 'wgan', '--energy', '1', '--count', '0', '--seed', '1', 'a'], /--count 0 \(expected an integer from 1/],
  [['--model', 'wgan', '--energy', '1', '--count', '1e5', '--seed', '1', 'a'], /--count 1e5 /],
  [['--model', 'wgan', '--energy', '1', '--count', '1', '--seed', '18446744073709551616', 'a'], /--seed/],
  [['--model', 'wgan', '--energy', '1', '--count', '1', 'a'], /--seed is missing/],
  [['--model', 'wgan', '--energy', '1', '--count', '1', '--seed', '1'], /0 files/],
  [['--model', 'wgan', '--energy', '1', '--count', '1', '--seed', '1', 'a', '--resume', '--append'], /one of them/],
  [
    ['--model', 'wgan', '--energy', '1', '--count', '1', '--seed', '1', '--threads', '0', 'a'],
    /--threads 0 \(expected/,
  ],
  [['--modle', 'wgan'], /--modle/],
])('what is wrong with %j', (given, message) => {
  expect(() => parse(given)).toThrow(message);
});

test('files that cannot be continued', async () => {
  await expect(make('whole.arrow')).rejects.toThrow(/already exists \(expected --resume, --append or --overwrite/);
  writeFileSync(join(folder, 'text.arrow'), 'no Arrow stream at all');
  await expect(make('text.arrow', '--resume')).rejects.toThrow(/is not an Arrow stream/);
  const command = { ...parse(words('whole.arrow', '--resume'))!, seed: 8n };
  await expect(produce(command)).rejects.toThrow(/was made with seed "7", not "8" \(expected the same\)/);
  await expect(produce({ ...parse(words('x.arrow'))!, model: 'bib-ae' })).rejects.toThrow(
    /no weights of it are bundled/,
  );
  await expect(produce({ ...parse(words('no-folder/x.arrow'))! })).rejects.toThrow(ups.ValueError);
});

function command(given: string[]): Promise<{ code: unknown; out: string; err: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, [main, ...given], (error, out, err) => resolve({ code: error?.code ?? 0, out, err })),
  );
}

test('the command itself', async () => {
  expect(await command(['generate', ...words('shell.arrow')])).toMatchObject({
    code: 0,
    out: `${join(folder, 'shell.arrow')}: 13 showers\n`,
  });
  expectSame(read('shell.arrow'), whole);
  expect(await command(['generate', '--model', 'wgan'])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^upsilon-kernels: 0 files/),
  });
  expect(await command(['simulate'])).toMatchObject({
    code: 2,
    err: 'upsilon-kernels: unknown command simulate (expected generate)\n',
  });
  expect((await command(['--help'])).out).toMatch(/--energy low:high/);
});
