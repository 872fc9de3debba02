// Failures of the library as errors. The library names arguments and dimensions as its schemas do,
// and says which parts of a text are such names; here they get the names that users know.
import {
  camelCase,
  DeviceError,
  DTypeError,
  OutOfMemoryError,
  publicName,
  ShapeError,
  UpsilonError,
  ValueError,
} from './errors';

/** Whoever calls an operation of the library: several public functions may share one. */
export interface Caller {
  /** In the library. */
  readonly operation: string;
  /** What users call it. */
  readonly publicName: string;
  /** What users call a name of the schema. */
  argument(name: string): string;
}

const callers: Caller[] = [];
/**
 * Of each operation the last one that called it on a device, where faults are found after the call.
 */
const lastOnDevice = new Map<string, Caller>();

/** The number by which a call says whose it is. */
export function register(caller: Caller): number {
  return callers.push(caller) - 1;
}

export function noteDeviceCall(caller: number): void {
  lastOnDevice.set(callers[caller].operation, callers[caller]);
}

/** Whose failure it is: the caller's, or that of an earlier call which only came to light. */
function blamed(operation: string, caller: number): Caller {
  const now = callers[caller] as Caller | undefined;
  if (now?.operation === operation) return now;
  return lastOnDevice.get(operation) ?? { operation, publicName: publicName(operation), argument: camelCase };
}

/**
 * @param status - of `ups_status`
 * @param operation - of the library; `''` where none is to blame
 * @param argument - as the schema has it; `''` where none is to blame
 * @param parts - text and names by turns, beginning with text
 * @param caller - see {@link register}; -1 for none
 */
export function failureOf(
  status: number,
  operation: string,
  argument: string,
  parts: readonly string[],
  caller: number,
): UpsilonError {
  const who = blamed(operation, caller);
  const name = who.publicName,
    where = argument === '' ? '' : who.argument(argument);
  const text = parts.map((part, i) => (i % 2 === 1 ? who.argument(part) : part)).join('');
  switch (status) {
    case 1:
      return new ShapeError(name, where, text);
    case 2:
      return new DTypeError(name, where, text);
    case 3:
      return new ValueError(name, where, text);
    case 4:
      return new DeviceError(name, where, text);
    case 5:
      return new OutOfMemoryError(name, where, text);
    case 6:
      return new UpsilonError('ERR_UPSILON_UNSUPPORTED', name, where, text);
    case 8:
      return new UpsilonError('ERR_UPSILON_BUSY', name, where, text);
    default:
      return new UpsilonError('ERR_UPSILON_INTERNAL', name, where, text);
  }
}
