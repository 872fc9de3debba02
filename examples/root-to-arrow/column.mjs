/**
 * A column while it is read: elements in a typed array that grows, and for lists where they end.
 * `name`, `array`, `length`, `offsets` (undefined for one number per row), `unit`
 */
export class Column {
  constructor(name, Array, isList, unit) {
    Object.assign(this, { name, array: new Array(1024), length: 0, offsets: isList ? [0] : undefined, unit });
  }

  /** One row: a number, or a list of them. */
  add(row) {
    if (!this.offsets) {
      this.append([row]);
      return;
    }
    this.append(row ?? []);
    this.offsets.push(this.length);
  }

  /** Elements of many rows at once. */
  append(elements) {
    if (this.length + elements.length > this.array.length) {
      const larger = new this.array.constructor(2 * (this.length + elements.length));
      larger.set(this.array.subarray(0, this.length));
      this.array = larger;
    }
    // 64-bit integers arrive as numbers or as BigInts, depending on their size.
    const isBig = this.array instanceof BigInt64Array;
    const converted = isBig
      ? Array.from(elements, BigInt)
      : typeof elements[0] === 'bigint'
        ? Array.from(elements, Number)
        : elements;
    this.array.set(converted, this.length);
    this.length += elements.length;
  }

  get values() {
    return this.array.subarray(0, this.length);
  }

  get rows() {
    return this.offsets ? this.offsets.length - 1 : this.length;
  }
}
