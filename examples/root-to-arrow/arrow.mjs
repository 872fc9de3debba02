import {
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
} from 'apache-arrow';

const typeOf = new Map([
  [Float32Array, Float32],
  [Float64Array, Float64],
  [Int32Array, Int32],
  [BigInt64Array, Int64],
]);

/** Arrow's form of a column: the same arrays. */
function dataOf({ name, values, offsets, unit }) {
  const type = new (typeOf.get(values.constructor))();
  const metadata = unit ? new Map([['unit', unit]]) : undefined;
  const elements = makeData({ type, length: values.length, nullCount: 0, data: values });
  if (!offsets) return { field: new Field(name, type, false, metadata), data: elements };
  const list = new List(new Field('item', type, false));
  const data = makeData({
    type: list,
    length: offsets.length - 1,
    nullCount: 0,
    valueOffsets: Int32Array.from(offsets),
    child: elements,
  });
  return { field: new Field(name, list, false, metadata), data };
}

export function tableOf(columns) {
  const parts = columns.map(dataOf);
  const schema = new Schema(parts.map(({ field }) => field));
  const length = columns[0]?.rows ?? 0;
  const data = makeData({
    type: new Struct(schema.fields),
    length,
    nullCount: 0,
    children: parts.map((part) => part.data),
  });
  return new Table([new RecordBatch(schema, data)]);
}
