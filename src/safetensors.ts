// Hugging Face's safetensors: 8 bytes with the length of the header, a JSON header that says where
// each tensor is, and the tensors one after the other. Format:
// https://github.com/huggingface/safetensors, README.
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { types } from 'node:util';

import { shown } from './runtime/check';
import { cpu } from './runtime/device';
import { type DType, dtypeCode, dtypes, type TypedArray } from './runtime/dtype';
import { DTypeError, ValueError } from './runtime/errors';
import { mapFile, wrapArray } from './runtime/memory';
import { elementsOf } from './tensor/shape';
import { asTensor, Tensor, type TensorLike } from './tensor/tensor';

const typeOf: Readonly<Record<string, DType>> = Object.assign(Object.create(null) as Record<string, DType>, {
  F32: 'float32',
  F64: 'float64',
  I32: 'int32',
  I64: 'int64',
  U8: 'uint8',
});
const nameOf: Readonly<Record<DType, string>> = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  int64: 'I64',
  uint8: 'U8',
};
/** What the format's own readers allow. */
const longestHeader = 100_000_000;

/** A file's name, or the bytes of one. */
export type Source = string | Uint8Array | ArrayBuffer;

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function refuse(what: string): never {
  throw new ValueError('safetensors', 'file', what);
}

function bytesOf(source: Source): Uint8Array {
  if (typeof source === 'string') return mapFile(source, 'safetensors');
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (types.isAnyArrayBuffer(source)) return new Uint8Array(source);
  refuse(`file is ${shown(source)} (expected a file's name, or the bytes of one)`);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((number) => Number.isSafeInteger(number) && (number as number) >= 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function headerOf(bytes: Uint8Array): { header: Record<string, unknown>; begin: number } {
  if (bytes.length < 8) refuse(`the file has ${bytes.length} bytes (expected at least 8)`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > longestHeader || length > bytes.length - 8)
    refuse(`the header has ${length} bytes but the file has ${bytes.length}`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch (error) {
    refuse(`the header is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(header)) refuse('the header is not a JSON object');
  return { header, begin: 8 + length };
}

function entryOf(name: string, value: unknown): Entry {
  if (
    !isObject(value) ||
    typeof value['dtype'] !== 'string' ||
    !isSizes(value['shape']) ||
    !isSizes(value['data_offsets']) ||
    value['data_offsets'].length !== 2
  ) {
    refuse(`${name} has a malformed entry (expected dtype, shape and data_offsets)`);
  }
  return value as unknown as Entry;
}

/**
 * Loads tensors by name. A file is mapped into memory: nothing is read before it is used, and
 * nothing is copied, unless a tensor is not aligned to its elements.
 * @throws ValueError when the file cannot be read, is cut off or malformed; DTypeError for element
 *   types no operation knows
 */
export function load(source: Source): Record<string, Tensor> {
  const bytes = bytesOf(source);
  const { header, begin } = headerOf(bytes);
  const tensors = Object.create(null) as Record<string, Tensor>;
  const ranges: [number, number, string][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const {
      dtype,
      shape,
      data_offsets: [from, to],
    } = entryOf(name, value);
    const known = typeOf[dtype];
    if (!known)
      throw new DTypeError('safetensors', name, `${name} is ${dtype} (expected ${Object.keys(typeOf).join(', ')})`);
    if (shape.length > 8) refuse(`${name} has ${shape.length} dimensions (at most 8)`);
    const code = dtypeCode[known];
    const { bytes: size, Array: Elements } = dtypes[code];
    const elements = elementsOf(shape);
    if (to < from || to > bytes.length - begin)
      refuse(`${name} has the bytes ${from} to ${to} but there are ${bytes.length - begin}`);
    if (to - from !== elements * size)
      refuse(`${name} has ${to - from} bytes but its shape [${shape.join(', ')}] needs ${elements * size}`);
    ranges.push([from, to, name]);
    const at = bytes.byteOffset + begin + from;
    const array: TypedArray =
      at % size === 0
        ? new Elements(bytes.buffer, at, elements)
        : new Elements(bytes.slice(begin + from, begin + to).buffer, 0, elements);
    tensors[name] = new Tensor(wrapArray(array), code, shape, cpu);
  }
  // The format forbids holes and overlaps, so that a file is nothing but its tensors.
  let end = 0;
  for (const [from, to, name] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (from !== end)
      refuse(
        `${name} begins at byte ${from}, which leaves a hole or overlaps (expected ${end}, where the last one ends)`,
      );
    end = to;
  }
  if (end !== bytes.length - begin) refuse(`${bytes.length - begin - end} bytes follow the last tensor`);
  return tensors;
}

/** The text notes of a file (`__metadata__`). */
export function metadata(source: Source): Record<string, string> {
  const { header } = headerOf(bytesOf(source));
  const notes = Object.hasOwn(header, '__metadata__') ? header['__metadata__'] : {};
  if (!isObject(notes) || !Object.values(notes).every((note) => typeof note === 'string'))
    refuse('__metadata__ holds something else than texts');
  return notes as Record<string, string>;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 30));
}

/**
 * Saves tensors by name. The file appears under its name only when complete: a process that has an
 * older one mapped keeps it.
 * @throws DeviceError for tensors that are not on the CPU; ValueError when the file cannot be
 *   written
 */
export function save(
  file: string,
  tensors: Readonly<Record<string, TensorLike>>,
  notes?: Readonly<Record<string, string>>,
): void {
  if (typeof file !== 'string') refuse(`file is ${shown(file)} (expected a name)`);
  if (!isObject(tensors))
    throw new ValueError('safetensors', 'tensors', `tensors is ${shown(tensors)} (expected tensors by name)`);
  if (notes !== undefined && !(isObject(notes) && Object.values(notes).every((note) => typeof note === 'string')))
    throw new ValueError('safetensors', 'notes', `notes is ${shown(notes)} (expected texts by name)`);
  // Largest elements first, so that every tensor is aligned to its elements.
  const entries = Object.entries(tensors)
    .map(([name, value]) => ({ name, value: asTensor(value, undefined, 'safetensors', name) }))
    .sort((a, b) => dtypes[b.value._dtype].bytes - dtypes[a.value._dtype].bytes || (a.name < b.name ? -1 : 1));
  const header = Object.create(null) as Record<string, unknown>;
  if (notes) header['__metadata__'] = notes;
  let end = 0;
  for (const { name, value } of entries) {
    if (name === '__metadata__') throw new ValueError('safetensors', name, 'a tensor cannot be called __metadata__');
    const bytes = value.data.byteLength;
    header[name] = { dtype: nameOf[value.dtype], shape: value.shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(text, 8);
  const unfinished = `${file}.${process.pid}.unfinished`;
  let handle: number | undefined;
  try {
    handle = openSync(unfinished, 'w');
    writeAll(handle, padded);
    for (const {
      value: { data },
    } of entries)
      writeAll(handle, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    fsyncSync(handle);
    closeSync(handle);
    handle = undefined;
    renameSync(unfinished, file);
  } catch (error) {
    if (handle !== undefined) closeSync(handle);
    rmSync(unfinished, { force: true });
    refuse(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
