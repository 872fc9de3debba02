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

/**
 * Base of all errors that the library throws. Its message says what was found, what was expected,
 * and where.
 */
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

/**
 * The same error of an allocation, now naming the operation and the argument that needed the
 * memory, by their public names.
 * @internal
 */
export function failedAllocation(error: unknown, operation: string, argument: string): unknown {
  if (!(error instanceof UpsilonError) || error.operation !== '') return error;
  const before = error.message;
  error.message =
    error instanceof OutOfMemoryError
      ? `${operation}: could not allocate memory for ${argument}: ${before}`
      : `${operation}: ${argument}: ${before}`;
  error.stack = error.stack?.replace(before, () => error.message);
  Object.assign(error, { operation, argument });
  return error;
}
