// FlatBuffers, read with care. Format: FlatBuffers documentation, "FlatBuffer Internals".

/** A FlatBuffer whose offsets are followed only as long as they stay inside. */
export class Flat {
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private u32(at: number): number {
    return this.view.getUint32(at, true);
  }

  get root(): number {
    return this.u32(0);
  }

  /** Where field `index` of a table is, or 0. */
  private field(table: number, index: number): number {
    const slots = table - this.view.getInt32(table, true);
    const at = 4 + 2 * index;
    const offset = at < this.view.getUint16(slots, true) ? this.view.getUint16(slots + at, true) : 0;
    return offset && table + offset;
  }

  table(table: number, index: number): number {
    const at = this.field(table, index);
    return at && at + this.u32(at);
  }

  /**
   * First element and length of a list; throws when elements of that size would not fit into the
   * buffer.
   */
  list(table: number, index: number, bytes: number): { first: number; length: number } {
    const at = this.table(table, index);
    if (at === 0) return { first: 0, length: 0 };
    const length = this.u32(at);
    if (at + 4 + length * bytes > this.view.byteLength) throw new RangeError(`a list has ${length} entries`);
    return { first: at + 4, length };
  }

  tables(table: number, index: number): number[] {
    const { first, length } = this.list(table, index, 4);
    return Array.from({ length }, (_, i) => first + 4 * i + this.u32(first + 4 * i));
  }

  block(at: number): { offset: number; bytes: number } {
    return { offset: Number(this.view.getBigInt64(at, true)), bytes: this.view.getInt32(at + 8, true) };
  }

  byte(table: number, index: number): number {
    const at = this.field(table, index);
    return at && this.view.getUint8(at);
  }

  /** A field of 64 bits, or 0. */
  long(table: number, index: number): number {
    const at = this.field(table, index);
    return at && Number(this.view.getBigInt64(at, true));
  }

  text(table: number, index: number): string {
    const { first, length } = this.list(table, index, 1);
    return new TextDecoder().decode(new Uint8Array(this.view.buffer, this.view.byteOffset + first, length));
  }
}
