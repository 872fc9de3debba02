/** What every error of the library tells besides its message. */
export type ErrorCode =
  | 'ERR_UPSILON_SHAPE'
  | 'ERR_UPSILON_DTYPE'
  | 'ERR_UPSILON_VALUE'
  | 'ERR_UPSILON_DEVICE'
  | 'ERR_UPSILON_OUT_OF_MEMORY'
  | 'ERR_UPSILON_UNSUPPORTED'
  | 'ERR_UPSILON_INTERNAL'
  | 'ERR_UPSILON_BUSY'
  | 'ERR_UPSILON_NO_BINARY';

/** Base of all errors that the library throws. Its message says what was found, what was wanted, and where. */
export class UpsilonError extends Error {
  /** Stable for programs, as Node's own codes. */
  readonly code: ErrorCode;
  /** The operation that was called, `'graphConv'`; `''` where none is to blame. */
  readonly operation: string;
  /** The argument that does not fit, `'weight'`; `''` where none is to blame. */
  readonly argument: string;

  constructor(code: ErrorCode, operation: string, argument: string, text: string) {
    super(operation ? `${operation}: ${text}` : text);
    this.code = code;
    this.operation = operation;
    this.argument = argument;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

/** The shape of a tensor does not fit. */
export class ShapeError extends UpsilonError {
  constructor(operation: string, argument: string, text: string) {
    super('ERR_UPSILON_SHAPE', operation, argument, text);
  }
}

/** The element type of a tensor or column does not fit. */
export class DTypeError extends UpsilonError {
  constructor(operation: string, argument: string, text: string) {
    super('ERR_UPSILON_DTYPE', operation, argument, text);
  }
}

/** A value is not allowed: an index out of range, an unknown option, nulls, a malformed file. */
export class ValueError extends UpsilonError {
  constructor(operation: string, argument: string, text: string) {
    super('ERR_UPSILON_VALUE', operation, argument, text);
  }
}

/** A device cannot be used, or a tensor lives on another one. */
export class DeviceError extends UpsilonError {
  constructor(operation: string, argument: string, text: string) {
    super('ERR_UPSILON_DEVICE', operation, argument, text);
  }
}

/** Memory is exhausted. */
export class OutOfMemoryError extends UpsilonError {
  constructor(operation: string, argument: string, text: string) {
    super('ERR_UPSILON_OUT_OF_MEMORY', operation, argument, text);
  }
}

/** `graph_conv` -> `graphConv`: an operation has one name on every floor. @internal */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The public name of a C operation: its direction is an internal matter. @internal */
export function publicName(operation: string): string {
  return camelCase(operation.replace(/_(forward|backward)$/, ''));
}

/** How users know the parts of an operation of the C library, where that is not by their own names. */
interface PublicNames {
  operation: string;
  words: Readonly<Record<string, string>>;
}
const renamed = new Map<string, PublicNames>();

/**
 * Says what messages call an operation of the C library and its arguments.
 * @param words - public names of arguments by those of the schema
 * @param name - of the operation; default {@link publicName}
 * @internal
 */
export function publish(operation: string, words: Readonly<Record<string, string>>, name?: string): void {
  const known = renamed.get(operation);
  const all = Object.assign(Object.create(null) as Record<string, string>, known?.words, words);
  renamed.set(operation, { operation: name ?? known?.operation ?? publicName(operation), words: all });
}

/** The same error, said of another operation: of several that share a kernel the one that was called. @internal */
export function saidOf(error: unknown, operation: string): unknown {
  if (!(error instanceof UpsilonError) || error.operation === '' || error.operation === operation) return error;
  const before = error.message;
  error.message = `${operation}${before.slice(error.operation.length)}`;
  error.stack = error.stack?.replace(before, () => error.message);
  (error as { operation: string }).operation = operation;
  return error;
}

/** The order is that of `ups_status`. @internal */
export function errorOf(status: number, operation: string, argument: string, text: string): UpsilonError {
  const names = renamed.get(operation);
  const name = names?.operation ?? publicName(operation);
  const translated = (word: string): string => names?.words[word] ?? camelCase(word);
  const where = translated(argument);
  // Only texts about an operation name arguments; others may quote a file's name, which stays as it is.
  const said = operation
    ? text.replace(/'[^']*'|\b[A-Za-z]\w*\b/g, (word) => (word.startsWith("'") ? word : translated(word)))
    : text;
  switch (status) {
    case 1:
      return new ShapeError(name, where, said);
    case 2:
      return new DTypeError(name, where, said);
    case 3:
      return new ValueError(name, where, said);
    case 4:
      return new DeviceError(name, where, said);
    case 5:
      return new OutOfMemoryError(name, where, said);
    case 6:
      return new UpsilonError('ERR_UPSILON_UNSUPPORTED', name, where, said);
    case 8:
      return new UpsilonError('ERR_UPSILON_BUSY', name, where, said);
    default:
      return new UpsilonError('ERR_UPSILON_INTERNAL', name, where, said);
  }
}
