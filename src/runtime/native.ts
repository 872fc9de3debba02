import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { TypedArray } from './dtype';
import { UpsilonError } from './errors';
import { failureOf } from './failure';

/**
 * One dimension of a parameter: `B+1` is `{ sum: ['B'], constant: 1 }`, `M1|M0` is `{ firstOf:
 * ['M1', 'M0'] }`, `H^concat*F` is `{ product: [{ name: 'H', option: 2 }, { name: 'F', option: -1
 * }] }`: H counts where the option of that index is set.
 */
export interface DimensionDescription {
  sum: string[];
  firstOf: string[];
  product: { name: string; option: number }[];
  constant: number;
}
export interface ParameterDescription {
  name: string;
  type: 'real' | 'float32' | 'float64' | 'int32' | 'int64' | 'uint8';
  optional: boolean;
  output: boolean;
  inPlace: boolean;
  /** As in messages: `[N, Fin]`. */
  shape: string;
  rule: string;
  /** What the rule names first: a dimension or another argument. */
  ruleOf: string;
  /** Whether the first of `dims` stands for any number of leading dimensions. */
  leading: boolean;
  dims: DimensionDescription[];
}
export interface OptionDescription {
  name: string;
  type: 'choice' | 'boolean' | 'int32' | 'int64' | 'uint64' | 'float32' | 'float64';
  choices: string[];
  default: number;
}
export interface OperationDescription {
  name: string;
  schema: string;
  /** Space-separated. */
  variants: string;
  inputs: number;
  parameters: ParameterDescription[];
  options: OptionDescription[];
}
export interface NativeBlock {
  /**
   * Names the block in calls; absent where the engine forbids memory of others and `buffer` is its
   * own.
   */
  id?: number;
  /** Host blocks. */
  buffer?: ArrayBuffer;
  /** Device blocks: an object whose end releases the block. */
  keeper?: object;
}
/** See native/addon/frame.h. */
export interface FrameLayout {
  buffer: ArrayBuffer;
  maxOptions: number;
  maxTensors: number;
  optionsAt: number;
  tensorsAt: number;
  tensorStride: number;
}
export interface DeviceDescription {
  name: string;
  kind: 'cpu' | 'cuda' | 'emulated';
  model: string;
  isa?: string;
  threads?: number;
  memory?: number;
}
export interface Counters {
  blocks: number;
  blockBytes: number;
  arrowExports: number;
  arrowImports: number;
}

interface Native {
  initialize(makeError: typeof failureOf): FrameLayout;
  operations(): OperationDescription[];
  call(...arrays: TypedArray[]): void;
  callAsync(...arrays: TypedArray[]): Promise<void>;
  block(bytes: number, deviceType: number, deviceId: number): NativeBlock;
  mapFile(path: string): NativeBlock;
  dispose(id: number, buffer?: ArrayBuffer): boolean;
  addressOf(array: TypedArray): bigint;
  devices(): DeviceDescription[];
  version(): string;
  unavailableBecause(deviceType: number): string | undefined;
  setThreads(threads: number): void;
  setPrecision(precision: number): void;
  setPluginDirectory(directory: string): void;
  synchronize(deviceType: number, deviceId: number): void;
  counters(): Counters;
  lastVariant(): string;
}

function usesMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return !report?.header?.glibcVersionRuntime;
}

/**
 * `linux-x64`, `darwin-arm64`, `linux-x64musl`: how folders and packages with binaries are called.
 */
function platformName(): string {
  return `${process.platform}-${process.arch}${usesMusl() ? 'musl' : ''}`;
}

/**
 * Tries the places where a binary may be: one built here, one that came with the package, one of
 * its own package.
 */
function load(): Native {
  const root = join(__dirname, '..', '..');
  const built = join(root, 'build', 'Release', 'upsilon.node');
  const tried: string[] = [];
  const attempt = (place: string): Native | undefined => {
    try {
      return require(place) as Native;
    } catch (error) {
      tried.push(`  ${place}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
      return undefined;
    }
  };
  const local = existsSync(built) ? attempt(built) : undefined;
  if (local) return local;
  const platform = platformName();
  const shipped = join(root, 'prebuilds', platform, 'upsilon.node');
  const found = (existsSync(shipped) ? attempt(shipped) : undefined) ?? attempt(`@upsilon-kernels/${platform}`);
  if (found) return found;
  throw new UpsilonError(
    'ERR_UPSILON_NO_BINARY',
    '',
    '',
    `upsilon-kernels has no native binary that loads on ${platform} with Node ${process.version}.\n` +
      `Tried:\n${tried.join('\n')}\n` +
      'If the package was installed with --no-optional or --omit=optional, install it again without. On a platform\n' +
      'without a prebuilt binary it is compiled from source, which needs CMake and a C++20 compiler (g++ 11 or\n' +
      'clang 14): run `npm rebuild upsilon-kernels`.',
  );
}

export const native = load();
export const frameLayout = native.initialize(failureOf);

let pluginsSought = false;

/**
 * Says where the CUDA package is, if it is installed: a plug-in that lies neither beside the binary
 * nor where UPSILON_PLUGIN_PATH says is looked for there. Called before the first use of a device,
 * so that programs on the CPU do not pay for the search.
 */
export function seekPlugins(): void {
  if (pluginsSought) return;
  pluginsSought = true;
  if (process.env['UPSILON_PLUGIN_PATH']) return;
  try {
    native.setPluginDirectory(dirname(require.resolve(`@upsilon-kernels/cuda-${platformName()}/package.json`)));
  } catch {
    // It is not installed; the library reports that itself when a device is requested.
  }
}
