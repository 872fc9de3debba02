// What the machine offers, and how much of it is used.
import { shown } from './check';
import { CUDA, deviceOf } from './device';
import { ValueError } from './errors';
import { type DeviceDescription, native, seekPlugins } from './native';

/**
 * The devices of this machine; the CPU is always the first. Opens the CUDA plug-in if it is
 * available.
 */
export function devices(): DeviceDescription[] {
  seekPlugins();
  return native.devices();
}

/** Version, the variants of every operation, and why CUDA cannot be used (absent when it can). */
export function info(): { version: string; variants: Record<string, string[]>; cudaUnavailableBecause?: string } {
  const variants: Record<string, string[]> = {};
  for (const operation of native.operations()) variants[operation.name] = operation.variants.split(' ').filter(Boolean);
  seekPlugins();
  const because = native.unavailableBecause(CUDA);
  return { version: native.version(), variants, ...(because === undefined ? {} : { cudaUnavailableBecause: because }) };
}

/**
 * How many CPU threads operations called from this JavaScript thread may use: 1 to 4096, or -1 for
 * the default, which is all cores, and for calls off the main thread all but one, which is left to
 * the event loop. A number from 1 on holds for both. Results have the same bits for any number.
 * @throws ValueError for other numbers
 */
export function setThreads(threads: number): void {
  native.setThreads(threads);
}

/** How products of matrices are computed on CUDA devices; sums are float32 always. */
export type Precision = 'fp32' | 'tf32' | 'bf16';
const precisions: readonly Precision[] = ['fp32', 'tf32', 'bf16'];

/**
 * Sets the precision of matrix products on CUDA devices, for operations called from this JavaScript
 * thread from now on: `'fp32'` (the default) multiplies float32 numbers as they are; `'tf32'`
 * rounds the factors to 10 bits of mantissa (relative error about 5e-4) and `'bf16'` to 7 bits
 * (4e-3), for tensor cores. Both add up in float32. The CPU always computes in float32.
 * @throws ValueError for anything else
 */
export function setPrecision(precision: Precision): void {
  const index = precisions.indexOf(precision);
  if (index < 0) {
    const text = `precision is ${shown(precision)} (expected ${precisions.join(', ')})`;
    throw new ValueError('setPrecision', 'precision', text);
  }
  native.setPrecision(index);
}

/** The variant that ran last on this JavaScript thread: `'avx2'`, `'reference'`, `'cuda'`... */
export function lastVariant(): string {
  return native.lastVariant();
}

/**
 * Waits for a device, and throws any error that its kernels have reported since the last call (such
 * as an index out of range).
 */
export function synchronize(device: string): void {
  const { type, id } = deviceOf(device, 'synchronize');
  native.synchronize(type, id);
}

/**
 * What is alive in this process: native blocks and their bytes, and Arrow C exports and imports not
 * yet released.
 */
export function counters(): { blocks: number; blockBytes: number; arrowExports: number; arrowImports: number } {
  return native.counters();
}
