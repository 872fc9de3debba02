import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as arrow from 'apache-arrow';
import * as ups from 'upsilon-kernels';
import { native } from 'upsilon-kernels/internal/runtime/native';

import { thrown } from '../helpers';

const item = (type: arrow.DataType): arrow.Field => new arrow.Field('item', type, false);

function matrixColumn(values: Float32Array, width: number): arrow.Vector {
  const child = arrow.makeData({ type: new arrow.Float32(), length: values.length, nullCount: 0, data: values });
  const type = new arrow.FixedSizeList(width, item(child.type));
  return arrow.makeVector(arrow.makeData({ type, length: values.length / width, nullCount: 0, child } as never));
}

function listColumn(values: Float32Array, offsets: Int32Array): arrow.Vector {
  const child = arrow.makeData({ type: new arrow.Float32(), length: values.length, nullCount: 0, data: values });
  const type = new arrow.List(item(child.type));
  return arrow.makeVector(
    arrow.makeData({ type, length: offsets.length - 1, nullCount: 0, valueOffsets: offsets, child } as never),
  );
}

const folder = mkdtempSync(join(tmpdir(), 'upsilon-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('columns in one chunk are views: the same address', () => {
  const values = Float32Array.from({ length: 12 }, (_, i) => i);
  const flat = ups.tensor(arrow.makeVector(values));
  expect(native.addressOf(flat.data)).toBe(native.addressOf(values));
  const matrix = ups.tensor(matrixColumn(values, 4));
  expect(matrix.shape).toEqual([3, 4]);
  expect(native.addressOf(matrix.data)).toBe(native.addressOf(values));
  const cube = ups.tensor(ups.tensor(values, { shape: [3, 2, 2] }).toArrow());
  expect(cube.shape).toEqual([3, 2, 2]);
  expect(native.addressOf(cube.data)).toBe(native.addressOf(values));
});

test('a file that is mapped reaches the kernel at its own address', () => {
  const values = Float32Array.from({ length: 4000 }, (_, i) => i % 7);
  const table = ups.arrow.table({
    x: ups.tensor(values, { shape: [1000, 4] }),
    e: ups.tensor(Float64Array.from([...Array(1000).keys()])),
  });
  const file = join(folder, 'table.arrow');
  writeFileSync(file, arrow.tableToIPC(table, 'file'));
  const mapped = ups.arrow.open(file);
  const x = mapped.getChild('x')!;
  const memory = x.data[0].children[0].values as Float32Array;
  const tensor = ups.tensor(x);
  expect(native.addressOf(tensor.data)).toBe(native.addressOf(memory));
  expect(ups.linear(tensor, [[1, 1, 1, 1]]).data.slice(0, 3)).toEqual(new Float32Array([6, 15, 10]));
  expect(ups.arrow.tensors(mapped)).toMatchObject({ x: { shape: [1000, 4] }, e: { shape: [1000], dtype: 'float64' } });
});

test('slices begin where they begin, and copy nothing', () => {
  const values = Float32Array.from({ length: 12 }, (_, i) => i);
  const matrix = ups.tensor(matrixColumn(values, 4).slice(1, 3));
  expect(matrix.toArray()).toEqual([
    [4, 5, 6, 7],
    [8, 9, 10, 11],
  ]);
  expect(native.addressOf(matrix.data)).toBe(native.addressOf(values.subarray(4)));
  const list = ups.ragged(listColumn(values, Int32Array.of(0, 3, 3, 7, 12)).slice(1, 3));
  expect([...list.offsets.data]).toEqual([3, 3, 7]);
  expect(list.length).toBe(2);
  expect(native.addressOf(list.values.data)).toBe(native.addressOf(values));
});

test('padded buffers: the length of the column counts', () => {
  const table = arrow.tableFromIPC(arrow.tableToIPC(new arrow.Table({ x: arrow.makeVector(Int32Array.of(1, 2, 3)) })));
  const column = table.getChild('x')!;
  expect(ups.tensor(column).shape).toEqual([3]);
});

test('several chunks are gathered once', () => {
  const first = Float32Array.of(1, 2, 3, 4),
    second = Float32Array.of(5, 6);
  const column = matrixColumn(first, 2).concat(matrixColumn(second, 2));
  expect(ups.tensor(column).toArray()).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const list = ups.ragged(
    listColumn(first, Int32Array.of(0, 1, 4))
      .slice(1, 2)
      .concat(listColumn(second, Int32Array.of(0, 0, 2))),
  );
  expect([...list.offsets.data]).toEqual([0, 3, 3, 5]);
  expect([...list.values.data]).toEqual([2, 3, 4, 5, 6]);
});

test('nulls are refused with their number and the name of the column', () => {
  const column = arrow.vectorFromArray([1, null, 3, null], new arrow.Float32());
  const error = thrown(() => ups.tensor(column, { name: 'energy' }));
  expect(error).toBeInstanceOf(ups.ValueError);
  expect(error.message).toBe('tensor: energy has 2 nulls (expected none)');
  expect(ups.tensor(column.slice(2, 3)).toArray()).toEqual([3]);
  const table = new arrow.Table({ energy: column });
  expect(thrown(() => ups.arrow.tensors(table)).message).toContain('energy has 2 nulls');
  expect(thrown(() => ups.linear(column, [[1]])).message).toContain('x has 2 nulls');
});

test('types that no operation knows, and memory that is not what it claims', () => {
  for (const column of [
    arrow.vectorFromArray(['a']),
    arrow.vectorFromArray([true]),
    arrow.makeVector(Uint16Array.of(1)),
    listColumn(Float32Array.of(1), Int32Array.of(0, 1)),
  ]) {
    expect(thrown(() => ups.tensor(column))).toBeInstanceOf(ups.DTypeError);
  }
  const lie = arrow.makeVector(
    new arrow.Data(new arrow.Float32(), 0, 2, 0, [undefined, Float64Array.of(1, 2)] as never),
  );
  expect(thrown(() => ups.tensor(lie))).toBeInstanceOf(ups.DTypeError);
  const short = arrow.makeVector(
    arrow.makeData({ type: new arrow.Float32(), length: 9, nullCount: 0, data: Float32Array.of(1, 2) }),
  );
  expect(thrown(() => ups.tensor(short))).toBeInstanceOf(ups.ValueError);
});

test('empty columns', () => {
  expect(ups.tensor(arrow.makeVector(new Float32Array(0))).shape).toEqual([0]);
  expect(ups.tensor(matrixColumn(new Float32Array(0), 3)).shape).toEqual([0, 3]);
  expect(ups.ragged(listColumn(new Float32Array(0), Int32Array.of(0))).length).toBe(0);
  expect(ups.linear(matrixColumn(new Float32Array(0), 3), [[1, 2, 3]]).shape).toEqual([0, 1]);
  expect(
    ups.tensor(new arrow.Table(new arrow.Schema([new arrow.Field('x', new arrow.Float32())])).getChild('x')!).shape,
  ).toEqual([0]);
});

test('toArrow and back keep memory and shape', () => {
  for (const data of [
    Float32Array.of(1, 2, 3, 4),
    Float64Array.of(1, 2, 3, 4),
    Int32Array.of(1, 2, 3, 4),
    BigInt64Array.of(1n, 2n, 3n, 4n),
    Uint8Array.of(1, 2, 3, 4),
  ]) {
    const there = ups.tensor(data, { shape: [2, 2] }).toArrow();
    const back = ups.tensor(there);
    expect(back.shape).toEqual([2, 2]);
    expect(native.addressOf(back.data)).toBe(native.addressOf(data));
  }
  const list = ups.ragged({
    values: ups.tensor([
      [1, 2],
      [3, 4],
    ]),
    offsets: Int32Array.of(0, 0, 2),
  });
  const back = ups.ragged(list.toArrow());
  expect(native.addressOf(back.values.data)).toBe(native.addressOf(list.values.data));
  expect([...back.offsets.data]).toEqual([0, 0, 2]);
});

test('record batches carry the shapes of tensors through IPC', () => {
  const batch = ups.recordBatch({
    image: ups.tensor(
      Float32Array.from({ length: 12 }, (_, i) => i),
      { shape: [2, 3, 2] },
    ),
    hits: ups.ragged({
      values: ups.tensor(new Float32Array(12), { shape: [3, 2, 2] }),
      offsets: Int32Array.of(0, 1, 3),
    }),
    label: ups.tensor(Int32Array.of(7, 8)),
  });
  expect(batch.schema.fields[0].metadata.get('ARROW:extension:name')).toBe('arrow.fixed_shape_tensor');
  const back = ups.arrow.tensors(arrow.tableFromIPC(arrow.tableToIPC(new arrow.Table(batch))));
  expect((back['image'] as ups.Tensor).shape).toEqual([2, 3, 2]);
  expect((back['hits'] as ups.Ragged).values.shape).toEqual([3, 2, 2]);
  expect((back['label'] as ups.Tensor).toArray()).toEqual([7, 8]);
  expect(thrown(() => ups.recordBatch({ a: ups.tensor([1]), b: ups.tensor([1, 2]) }))).toBeInstanceOf(ups.ShapeError);
});

test('invalid files', () => {
  const file = join(folder, 'broken.arrow');
  expect(thrown(() => ups.arrow.open(join(folder, 'absent')))).toBeInstanceOf(ups.ValueError);
  expect(thrown(() => ups.arrow.open(folder))).toBeInstanceOf(ups.ValueError);
  writeFileSync(file, arrow.tableToIPC(ups.arrow.table({ x: ups.tensor(new Float32Array(100)) }), 'file'));
  truncateSync(file, 300);
  expect(thrown(() => ups.arrow.open(file))).toBeInstanceOf(ups.ValueError);
});

test('a file whose lists claim billions of entries is refused before anything is built from it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'upsilon-'));
  const file = join(folder, 'x.arrow');
  const table = ups.arrow.table({
    x: ups.zeros([4, 3]),
    list: ups.ragged({ values: [1, 2, 3, 4], offsets: [0, 1, 2, 3, 4] }),
  });
  const whole = arrow.tableToIPC(table, 'file');
  const footer = new DataView(whole.buffer, whole.byteOffset).getInt32(whole.length - 10, true);
  let refused = 0;
  for (let at = whole.length - 10 - footer; at < whole.length - 10; at += 4) {
    const broken = whole.slice();
    new DataView(broken.buffer).setInt32(at, 0x7ffffff0, true);
    writeFileSync(file, broken);
    try {
      ups.arrow.open(file);
    } catch (error) {
      if (!(error instanceof ups.UpsilonError)) throw error;
      ++refused;
    }
  }
  expect(refused).toBeGreaterThan(10);
  writeFileSync(file, whole);
  expect(ups.arrow.open(file).numRows).toBe(4);
  rmSync(folder, { recursive: true });
});

test('reshape finds the size that is left out', () => {
  const x = ups.zeros([4, 6]);
  expect(x.reshape([-1, 1]).shape).toEqual([24, 1]);
  expect(x.reshape([2, -1]).shape).toEqual([2, 12]);
  for (const shape of [
    [-1, 5],
    [-1, -1],
    [-1, 0],
    [-2, -12],
  ])
    expect(thrown(() => x.reshape(shape))).toBeInstanceOf(ups.ShapeError);
  expect(ups.zeros([0]).reshape([-1, 3]).shape).toEqual([0, 3]);
});
