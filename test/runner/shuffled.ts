/**
 * The elements in an order that `seed` decides: D. Knuth's algorithm P with the mulberry32
 * generator.
 */
export function shuffled<T>(list: readonly T[], seed: number): T[] {
  const result = [...list];
  let state = seed | 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  for (let last = result.length - 1; last > 0; --last) {
    const other = Math.floor(uniform() * (last + 1));
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}
