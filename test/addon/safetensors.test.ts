import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';

import { thrown } from '../helpers';

const folder = mkdtempSync(join(tmpdir(), 'upsilon-'));
const file = join(folder, 'weights.safetensors');
afterAll(() => rmSync(folder, { recursive: true }));

const tensors = () => ({
  weight: ups.tensor([
    [1, 2],
    [3, 4],
  ]),
  flags: ups.tensor(Uint8Array.of(1, 2, 3)),
  double: ups.tensor(Float64Array.of(0.5)),
  ids: ups.tensor(BigInt64Array.of(-1n, 7n)),
  __proto: ups.tensor(Int32Array.of(9)),
  nothing: ups.zeros([0, 4]),
});

test('what is saved is loaded', () => {
  ups.safetensors.save(file, tensors(), { format: 'pt' });
  const loaded = ups.safetensors.load(file);
  for (const [name, tensor] of Object.entries(tensors())) {
    expect(loaded[name]).toMatchObject({ shape: tensor.shape, dtype: tensor.dtype });
    expect([...loaded[name].data]).toEqual([...tensor.data]);
  }
  expect(Object.keys(loaded).length).toBe(6);
  expect(ups.safetensors.metadata(file)).toEqual({ format: 'pt' });
  expect(ups.safetensors.load(readFileSync(file))['weight'].toArray()).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

test('a file that is replaced stays what it was for those who have it mapped', () => {
  ups.safetensors.save(file, tensors());
  const before = ups.safetensors.load(file);
  ups.safetensors.save(file, { other: ups.tensor([1]) });
  expect(before['weight'].toArray()).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

function bytesOf(header: unknown, data = 0): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = Buffer.alloc(8 + text.length + data);
  bytes.writeBigUInt64LE(BigInt(text.length));
  text.copy(bytes, 8);
  return bytes;
}

test('malformed files are refused', () => {
  const entry = (changes: object): Uint8Array =>
    bytesOf({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...changes } }, 4);
  expect(ups.safetensors.load(entry({}))['a'].shape).toEqual([1]);
  const malformed = [
    new Uint8Array(0),
    new Uint8Array(7),
    new Uint8Array(8).fill(255),
    bytesOf('{'),
    bytesOf('[]'),
    bytesOf('3'),
    bytesOf({ a: 1 }),
    entry({ shape: [2] }),
    entry({ shape: [-1] }),
    entry({ shape: 'x' }),
    entry({ shape: [2 ** 52, 2 ** 52] }),
    entry({ data_offsets: [4, 0] }),
    entry({ data_offsets: [0, 8], shape: [2] }),
    entry({ data_offsets: [0] }),
    entry({ shape: [0], data_offsets: [0, 0] }),
    bytesOf(
      { a: { dtype: 'U8', shape: [2], data_offsets: [0, 2] }, b: { dtype: 'U8', shape: [2], data_offsets: [1, 3] } },
      3,
    ),
  ];
  for (const bytes of malformed) expect(thrown(() => ups.safetensors.load(bytes))).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.safetensors.load(entry({ dtype: 'BF16' })))).toBeInstanceOf(ups.DTypeError);
  expect(thrown(() => ups.safetensors.load(join(folder, 'absent')))).toBeInstanceOf(ups.ValueError);
});

test('files with any byte changed load or are refused', () => {
  ups.safetensors.save(file, tensors(), { note: 'x' });
  const whole = new Uint8Array(readFileSync(file));
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
      const changed = whole.slice(0, length % 3 === 0 ? length : undefined);
      if (at < changed.length) changed[at] = byte;
      try {
        ups.safetensors.load(changed);
      } catch (error) {
        if (!(error instanceof ups.UpsilonError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
  writeFileSync(file, whole);
});
