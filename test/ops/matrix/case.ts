// What the matrix knows of an operation: small inputs, and a call that takes them from wherever
// they are.
import * as ups from 'upsilon-kernels';

import { numbers } from '../../helpers';

/** The package, or its promises: the same names. */
export type Api = any;
export type Inputs = Record<string, ups.Tensor>;
export type Outputs = Record<string, ups.Tensor>;

export interface Source {
  shape: number[];
  dtype: ups.DType;
  values: readonly number[];
}

export interface Case {
  /** As exported: `'random.uniform'`. */
  operation: string;
  /** What of it is called, where an operation has several cases. */
  of?: string;
  inputs: Record<string, Source>;
  /** @param out - `{ out }`, or nothing, to be spread into the options */
  call(api: Api, inputs: Inputs, out: Outputs, device: string): unknown;
  /**
   * Memory that results can be written to, by the option's name; `'result'` is what the first
   * result needs.
   */
  out?: 'result' | Record<string, Omit<Source, 'values'>>;
  /** Inputs that have a gradient. */
  gradients?: string[];
  /** Of devices, where it is computed in another order. */
  tolerance?: number;
  /** The code of the error where devices cannot do it; otherwise they give what the CPU gives. */
  onDevice?: ups.ErrorCode;
  /** Whether there is a promised form (default true). */
  promised?: false;
}

let seed = 0;

/** Numbers in [-1, 1), others for every input. */
export function reals(...shape: number[]): Source {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return { shape, dtype: 'float32', values: numbers(count, ++seed) };
}

/** Numbers in (0, 1). */
export function shares(...shape: number[]): Source {
  const { values, ...source } = reals(...shape);
  return { ...source, values: values.map((value) => 0.05 + 0.45 * (value + 1)) };
}

export function list(dtype: ups.DType, values: number[], shape = [values.length]): Source {
  return { shape, dtype, values };
}

export function int32(...values: number[]): Source {
  return list('int32', values);
}

/** Boundaries of three events of 3, 0 and 4 rows. */
export const offsets = int32(0, 3, 3, 7);

/** Momenta of particles {GeV}: px, py, pz, E. */
export function momenta(count: number): Source {
  const { values } = reals(count, 3);
  const rows = Array.from({ length: count }, (_, i) => {
    const p = values.slice(3 * i, 3 * i + 3);
    return [...p, Math.hypot(...p, 0.14)];
  });
  return list('float32', rows.flat(), [count, 4]);
}
