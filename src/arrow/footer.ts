// The lengths of the lists in an Arrow file's footer and messages, which the Arrow library
// believes: a corrupt one makes it build lists of billions of entries, until the process has no
// memory left.
// Format: Arrow columnar format, "IPC File Format"; FlatBuffers internals ("FlatBuffer Internals"
// of its documentation).

import { Flat } from './flat';

const maxDepth = 64;

function checkFields(flat: Flat, fields: readonly number[], depth: number): void {
  if (depth > maxDepth) throw new RangeError(`columns are nested more than ${maxDepth} times`);
  for (const field of fields) {
    flat.tables(field, 6);
    checkFields(flat, flat.tables(field, 5), depth + 1);
  }
}

function checkSchema(flat: Flat, schema: number): void {
  flat.tables(schema, 2);
  checkFields(flat, flat.tables(schema, 1), 0);
}

function checkMessage(bytes: Uint8Array): void {
  const flat = new Flat(bytes);
  const header = flat.table(flat.root, 2);
  const batch = flat.byte(flat.root, 1) === 2 ? flat.table(header, 1) : header;
  flat.list(batch, 1, 16);
  flat.list(batch, 2, 16);
}

const magic = 'ARROW1';
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/**
 * @throws RangeError when a list is longer than the file; files in the streaming format are left to
 * the Arrow library
 */
export function checkFooter(file: Uint8Array): void {
  const end = file.length - magic.length - 4;
  if (end < 8 || text(file.subarray(0, 6)) !== magic || text(file.subarray(-6)) !== magic) return;
  const length = new DataView(file.buffer, file.byteOffset + end, 4).getInt32(0, true);
  if (length < 4 || length > end - 8) throw new RangeError(`its footer has ${length} bytes`);
  const flat = new Flat(file.subarray(end - length, end));
  const schema = flat.table(flat.root, 1);
  if (schema) checkSchema(flat, schema);
  for (const index of [2, 3]) {
    const blocks = flat.list(flat.root, index, 24);
    for (let i = 0; i < blocks.length; ++i) {
      const { offset, bytes } = flat.block(blocks.first + 24 * i);
      if (!(offset >= 8 && bytes >= 8 && offset + bytes <= end)) throw new RangeError('a batch lies outside the file');
      // Before the message its length, and before that a mark that files older than Arrow 0.15 have
      // not.
      const marked = file[offset] === 0xff && file[offset + 3] === 0xff;
      checkMessage(file.subarray(offset + (marked ? 8 : 4), offset + bytes));
    }
  }
}
