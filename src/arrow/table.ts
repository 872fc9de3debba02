import {
  type Data,
  Field,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  type Vector,
} from 'apache-arrow';

import { shown } from '../runtime/check';
import { DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { mapFile } from '../runtime/memory';
import { isList } from '../tensor/column';
import { asRagged, checkBoundaries, Ragged } from '../tensor/ragged';
import { elementsOf } from '../tensor/shape';
import { asTensor, Tensor } from '../tensor/tensor';
import { checkFooter } from './footer';

/** Columns that become or come from a record batch. */
export type Columns = Readonly<Record<string, Tensor | Ragged>>;

/**
 * An Arrow IPC file as a table of views on the memory-mapped file: nothing is read before it is
 * looked at, and nothing is copied. Writing to the views changes memory, never the file.
 * @throws ValueError when the file cannot be read or is not an Arrow file
 */
export function open(file: string): Table {
  const bytes = mapFile(file, 'arrow.open');
  try {
    checkFooter(bytes);
    return tableFromIPC(bytes);
  } catch (error) {
    throw new ValueError(
      'arrow.open',
      'file',
      `${file} is not an Arrow file: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

const extensionName = 'ARROW:extension:name',
  extensionMetadata = 'ARROW:extension:metadata';
const fixedShape = 'arrow.fixed_shape_tensor';

/**
 * Rows of more than one dimension become one FixedSizeList whose field says the shape: Arrow's
 * canonical extension type.
 */
function column(name: string, value: Tensor | Ragged): { field: Field; data: Data } {
  if (!(value instanceof Ragged || value instanceof Tensor))
    throw new DTypeError('recordBatch', name, `${name} is ${shown(value)} (expected a tensor or ragged list)`);
  const values = value instanceof Ragged ? value.values : value;
  if (values.shape.length === 0)
    throw new ShapeError('recordBatch', name, `${name} is a scalar (expected at least one dimension)`);
  const row = values.shape.slice(1);
  const flat = row.length > 1 ? values.detach().reshape([values.shape[0], elementsOf(row)]) : values;
  const metadata =
    row.length > 0
      ? new Map([
          [extensionName, fixedShape],
          [extensionMetadata, JSON.stringify({ shape: row })],
        ])
      : undefined;
  if (!(value instanceof Ragged)) {
    const data = flat.toArrow().data[0] as Data;
    return { field: new Field(name, data.type, false, metadata), data };
  }
  checkBoundaries(value.offsets, values.shape[0], 'recordBatch', name);
  // The extension type is the list's element, so its field carries the shape.
  const child = flat.toArrow().data[0] as Data;
  const type = new List(new Field('item', child.type, false, metadata));
  const data = makeData({
    type,
    length: value.length,
    nullCount: 0,
    valueOffsets: value.offsets.data as Int32Array,
    child,
  } as never);
  return { field: new Field(name, type, false), data };
}

/**
 * A record batch of tensors and ragged lists, on their memory. Tensors of two and more dimensions
 * carry Arrow's `arrow.fixed_shape_tensor` metadata, so that other programs see their shape.
 * @throws ShapeError when columns are of different lengths
 */
export function recordBatch(columns: Columns): RecordBatch {
  if (typeof columns !== 'object' || columns === null)
    throw new ValueError('recordBatch', 'columns', `columns is ${shown(columns)} (expected tensors by name)`);
  const parts = Object.entries(columns).map(([name, value]) => column(name, value));
  const length = parts[0]?.data.length ?? 0;
  for (const { field, data } of parts) {
    if (data.length !== length)
      throw new ShapeError(
        'recordBatch',
        field.name,
        `${field.name} has ${data.length} rows but ${parts[0].field.name} has ${length}`,
      );
  }
  const fields = parts.map(({ field }) => field);
  const data = makeData({
    type: new Struct(fields),
    length,
    nullCount: 0,
    children: parts.map((part) => part.data),
  } as never);
  return new RecordBatch(new Schema(fields), data as never);
}

/** {@link recordBatch} as a table of one batch. */
export function table(columns: Columns): Table {
  return new Table(recordBatch(columns));
}

function shapeIn(metadata: Map<string, string>, name: string): number[] | undefined {
  if (metadata.get(extensionName) !== fixedShape) return undefined;
  try {
    const { shape } = JSON.parse(metadata.get(extensionMetadata) ?? '') as { shape: unknown };
    if (Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && (extent as number) >= 0))
      return shape as number[];
  } catch {
    // Said below, as for any other metadata that is not a shape.
  }
  throw new ValueError('arrow.tensors', name, `${name} has malformed ${fixedShape} metadata`);
}

/**
 * The columns of a table by name: lists become {@link Ragged}, everything else {@link Tensor}, with
 * the shapes that `arrow.fixed_shape_tensor` metadata say.
 * @param names - which columns; default all
 * @throws ValueError for nulls, or a name that the table has not; DTypeError for types that no
 *   operation knows
 */
export function tensors(source: Table | RecordBatch, names?: readonly string[]): Record<string, Tensor | Ragged> {
  const result = Object.create(null) as Record<string, Tensor | Ragged>;
  if (typeof source !== 'object' || source === null || !Array.isArray(source.schema?.fields))
    throw new DTypeError('arrow.tensors', 'source', `source is ${shown(source)} (expected an Arrow table)`);
  const fields = source.schema.fields;
  for (const name of names ?? fields.map((field) => String(field.name))) {
    const field = fields.find((candidate) => candidate.name === name);
    const vector: Vector | null = source.getChild(name);
    if (!field || !vector) throw new ValueError('arrow.tensors', name, `there is no column ${name}`);
    if (isList(vector)) {
      const list = asRagged(vector, 'arrow.tensors', name);
      const shape = shapeIn((field.type as List).children[0].metadata, name);
      result[name] = shape ? list.with(list.values.reshape([list.values.shape[0], ...shape])) : list;
    } else {
      const values = asTensor(vector, undefined, 'arrow.tensors', name);
      const shape = shapeIn(field.metadata, name);
      result[name] = shape ? values.reshape([values.shape[0], ...shape]) : values;
    }
  }
  return result;
}
