import { Kernel } from '../operation/kernel';
import { KnownOptions, shown } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { ShapeError, ValueError } from '../runtime/errors';
import { tensor } from '../tensor/create';
import { shapeText } from '../tensor/shape';
import { asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';

export interface ShowerObservablesOptions {
  /** Cells below count as empty, in the showers' unit. Default 0.1. */
  threshold?: number;
  /**
   * `[B, 2]`: where the showers' axes are, (y, x) {cells}. Default: their own centres of gravity.
   */
  axis?: TensorLike;
  /** Rings of the radial profile. Default: as many as fit into the larger half of a layer. */
  rings?: number;
  /** Their width {cells}. Default 1. */
  ringWidth?: number;
  /** Of the spectrum, at most 256. Default 40. */
  bins?: number;
  /** Where the spectrum begins, in the showers' unit. Default 0.1. */
  lowest?: number;
  /** Where it ends. Default 1000. */
  highest?: number;
}

/**
 * What B showers of `[Z, Y, X]` cells are known by; z is the depth. Energies are in the showers'
 * unit.
 */
export interface ShowerObservables {
  /** `[B]`: the visible energy. */
  energy: Tensor;
  /** int32 `[B]`: how many cells are at or above the threshold. */
  hits: Tensor;
  /** `[B, Z]`: the energy of every layer. */
  longitudinal: Tensor;
  /** `[B, R]`: the energy in rings round the axis, over all layers. */
  radial: Tensor;
  /**
   * `[B, 3]`: the centre of gravity (z, y, x) {cells}, the middle of cell i at i; the middle of all
   * cells without energy.
   */
  centre: Tensor;
  /** int32 `[B, S]`: how many cells have energies between two edges. */
  spectrum: Tensor;
  /**
   * float64 `[S + 1]`: the edges, evenly spaced in their logarithms; the lower one belongs to the
   * bin.
   */
  edges: Tensor;
}

const name = 'showerObservables';
const kernel = new Kernel('shower_observables', undefined, name);
const knownOptions = new KnownOptions('threshold', 'axis', 'rings', 'ringWidth', 'bins', 'lowest', 'highest');
const most = { rings: 2 ** 20, bins: 256 };

function count(value: number, option: 'rings' | 'bins'): number {
  if (Number.isInteger(value) && value >= 1 && value <= most[option]) return value;
  throw new ValueError(name, option, `${option} is ${shown(value)} (expected 1 to ${most[option]})`);
}

/**
 * Visible energy, hits, longitudinal and radial profile, centre of gravity and cell-energy spectrum
 * of showers, in one pass over the cells, with float64 sums. NaN in a cell is a hit, and makes the
 * energies that it is part of NaN. There are no gradients: visible energy and profiles are sums
 * over cells.
 * @param showers - `[B, Z, Y, X]`, z the depth; normally {MIP}
 * @throws ShapeError, DTypeError; ValueError for options out of range and an axis that is not
 *   finite
 */
export function showerObservables(showers: TensorLike, options: ShowerObservablesOptions = {}): ShowerObservables {
  knownOptions.check(options, name);
  const cells = asTensor(showers, undefined, name, 'showers');
  if (cells.shape.length !== 4)
    throw new ShapeError(name, 'showers', `showers is ${shapeText(cells.shape)} (expected [B, Z, Y, X])`);
  const [B, Z, Y, X] = cells.shape;
  const { threshold = 0.1, ringWidth = 1, lowest = 0.1, highest = 1000 } = options;
  // A width that the kernel refuses must not be met as a number of rings.
  const outermost = Math.ceil(Math.max(Y, X) / 2 / ringWidth) || 1;
  const rings = count(options.rings ?? Math.min(Math.max(outermost, 1), most.rings), 'rings'),
    bins = count(options.bins ?? 40, 'bins');
  const { axis } = options;
  const about =
    axis === undefined ? undefined : asTensor(axis, Array.isArray(axis) ? cells._dtype : undefined, name, 'axis');
  const make = (shape: number[], dtype = cells._dtype): Tensor => empty(dtype, shape, cells._device, name, 'showers');
  const int32 = dtypeCode['int32'];
  const [energy, hits, longitudinal, centre, radial, spectrum] = kernel.run(
    [cells, about],
    { threshold, ringWidth, lowest, highest },
    [make([B]), make([B], int32), make([B, Z]), make([B, 3]), make([B, rings]), make([B, bins], int32)],
  ) as Tensor[];
  const edges = tensor(Float64Array.from({ length: bins + 1 }, (_, s) => lowest * (highest / lowest) ** (s / bins)));
  return { energy, hits, longitudinal, radial, centre, spectrum, edges };
}
