// Inputs and outputs in memory of every kind: their own, and views on a part of more.
import * as ups from 'upsilon-kernels';

import type { Case, Inputs, Outputs, Source } from './case';

const { rowsOf } = require('upsilon-kernels/internal/tensor/views') as {
  rowsOf(whole: ups.Tensor, begin: number, end: number): ups.Tensor;
};

/** What nobody may read: it would be seen in every result. */
function junk(dtype: ups.DType): number {
  return dtype.startsWith('float') ? NaN : dtype === 'uint8' ? 255 : -77;
}

/** A tensor somewhere, and what it is a view on: itself, or tensors that hold more. */
export interface Placed {
  tensor: ups.Tensor;
  whole: ups.Tensor;
  /** Where the elements begin in `whole`. */
  begin: number;
}
export type Place = (source: Source, device: string, requiresGrad?: boolean) => Placed;

function fill(tensor: ups.Tensor, values: readonly number[], begin: number): void {
  const big = tensor.dtype === 'int64';
  values.forEach((value, i) => ((tensor.data as any)[begin + i] = big ? BigInt(value) : value));
}

export const own: Place = ({ shape, dtype, values }, device, requiresGrad = false) => {
  const here = ups.zeros(shape, { dtype });
  fill(here, values, 0);
  const tensor = ups.tensor(here, { device, requiresGrad });
  return { tensor, whole: tensor, begin: 0 };
};

/** The middle one of `count` rows, which are a view on the last three. */
function view(count: number): Place {
  return ({ shape, dtype, values }, device, requiresGrad = false) => {
    const here = ups.zeros([count, ...shape], { dtype });
    (here.data as any).fill(junk(dtype));
    const begin = (count - 2) * values.length;
    fill(here, values, begin);
    const whole = ups.tensor(here, { device, requiresGrad });
    const rows = rowsOf(whole, count - 3, count);
    return { tensor: rowsOf(rows, 1, 2).reshape(shape), whole, begin };
  };
}

/** Memory of the JavaScript engine. */
export const inArray = view(3);
/** From 16 KB on memory is a native block. */
export const inBlock: Place = (source, device, requiresGrad) =>
  view(3 + Math.ceil(16384 / Math.max(source.values.length, 1)))(source, device, requiresGrad);

export function placeAll(
  inputs: Case['inputs'],
  place: Place,
  device: string,
  gradients: readonly string[] = [],
): { tensors: Inputs; placed: Record<string, Placed> } {
  const placed = Object.fromEntries(
    Object.entries(inputs).map(([name, source]) => [name, place(source, device, gradients.includes(name))]),
  );
  const tensors = Object.fromEntries(Object.entries(placed).map(([name, { tensor }]) => [name, tensor]));
  return { tensors, placed };
}

/** Outputs of NaN (integers of junk), and a check that nothing beside them was written. */
export function outputsFor(
  shapes: Record<string, Omit<Source, 'values'>>,
  place: Place,
  device: string,
): { out: Outputs; untouched: () => boolean } {
  const placed = Object.entries(shapes).map(([name, { shape, dtype }]): [string, Placed] => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    return [name, place({ shape, dtype, values: new Array<number>(size).fill(junk(dtype)) }, device)];
  });
  return {
    out: Object.fromEntries(placed.map(([name, { tensor }]) => [name, tensor])),
    untouched: () =>
      placed.every(([, { tensor, whole, begin }]) => {
        const all = [...whole.to('cpu').data].map(Number);
        const rest = [...all.slice(0, begin), ...all.slice(begin + tensor.size)];
        return rest.every((value) => Object.is(value, junk(tensor.dtype)));
      }),
  };
}
