import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

import { RecordBatch, Schema, Table, tableToIPC } from 'apache-arrow';

import { type Columns, recordBatch } from './table';

/**
 * Writes columns as an Arrow IPC file. The file appears under its name only when complete: a
 * process that has an older one mapped keeps it. Programs that are ES modules have another copy of
 * apache-arrow than this package, whose `tableToIPC` writes damaged files from tables of this one;
 * this function is the safe way.
 * @param notes - the schema's metadata
 * @throws ShapeError when columns are of different lengths; DeviceError for tensors that are not on
 *   the CPU
 */
export function save(file: string, columns: Columns, notes: Readonly<Record<string, string>> = {}): void {
  const batch = recordBatch(columns);
  const schema = new Schema(batch.schema.fields, new Map(Object.entries(notes)));
  const bytes = tableToIPC(new Table([new RecordBatch(schema, batch.data as never)]), 'file');
  const unfinished = `${file}.${process.pid}.unfinished`;
  const handle = openSync(unfinished, 'w');
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at, Math.min(bytes.length - at, 2 ** 30));
    fsyncSync(handle);
    closeSync(handle);
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}
