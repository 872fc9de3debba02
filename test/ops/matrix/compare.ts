// Results of any form as a list of plain arrays.
import * as ups from 'upsilon-kernels';

export interface Part {
  path: string;
  shape: readonly number[];
  dtype: ups.DType;
  values: number[];
}

/** Every tensor of a result, by name. */
export function tensorsOf(result: unknown, path = ''): [string, ups.Tensor][] {
  if (result === undefined || typeof result !== 'object' || result === null) return [];
  if (result instanceof ups.Tensor) return [[path, result]];
  if (result instanceof ups.Ragged)
    return [...tensorsOf(result.values, `${path}.values`), ...tensorsOf(result.offsets, `${path}.offsets`)];
  if (result instanceof ups.Graph) {
    const { rowOffsets, sources, weights, nodeOffsets, mother } = result;
    return tensorsOf({ rowOffsets, sources, weights, nodeOffsets, mother }, path);
  }
  return Object.entries(result).flatMap(([name, value]) => tensorsOf(value, `${path}.${name}`));
}

export function partOf(path: string, tensor: ups.Tensor): Part {
  const values = Array.from(tensor.to('cpu').data as Float64Array, Number);
  return { path, shape: tensor.shape, dtype: tensor.dtype, values };
}

export function partsOf(result: unknown): Part[] {
  return tensorsOf(result).map(([path, tensor]) => partOf(path, tensor));
}

/** The parts of a gradient that lies in a larger one: what is around it is 0. */
export function gradientOf(name: string, gradient: ups.Tensor | undefined, begin: number, size: number): Part {
  if (!gradient) return { path: name, shape: [], dtype: 'float32', values: [] };
  const { dtype, values } = partOf(name, gradient);
  const rest = [...values.slice(0, begin), ...values.slice(begin + size)];
  expect(rest.filter((value) => value !== 0)).toEqual([]);
  // A zero's sign may go lost where it is added to zeros.
  return { path: name, shape: [size], dtype, values: values.slice(begin, begin + size).map((value) => value + 0) };
}

/**
 * @param tolerance - of floating numbers, relative to 1 and to the number; 0 for the same bits
 */
export function compare(found: readonly Part[], expected: readonly Part[], tolerance: number): void {
  const frame = ({ path, shape, dtype }: Part) => ({ path, shape, dtype });
  expect(found.map(frame)).toEqual(expected.map(frame));
  found.forEach(({ path, dtype, values }, p) => {
    if (tolerance === 0 || !dtype.startsWith('float')) {
      expect({ path, values }).toEqual({ path, values: expected[p].values });
      return;
    }
    const wrong = values.findIndex((value, i) => {
      const wanted = expected[p].values[i];
      if (!Number.isFinite(wanted)) return !Object.is(value, wanted);
      return !(Math.abs(value - wanted) <= tolerance * (1 + Math.abs(wanted)));
    });
    if (wrong >= 0) expect({ path, at: wrong, values }).toEqual({ path, at: wrong, values: expected[p].values });
  });
}
