import { type ErrorCode, UpsilonError } from '../runtime/errors';

/** What is wrong with a command line: it is said without a stack, and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An error as plain data, for another thread, which would lose its class. */
export interface ErrorParts {
  usage: boolean;
  code?: ErrorCode;
  operation: string;
  argument: string;
  message: string;
}

export function partsOf(error: unknown): ErrorParts {
  const { code, operation, argument } = error instanceof UpsilonError ? error : { operation: '', argument: '' };
  const message = error instanceof Error ? error.message : String(error);
  return { usage: error instanceof UsageError, code, operation, argument, message };
}

export function errorFrom({ usage, code, operation, argument, message }: ErrorParts): Error {
  if (usage) return new UsageError(message);
  if (code === undefined) return new Error(message);
  // The message begins with the operation already.
  return Object.assign(new UpsilonError(code, '', argument, message), { operation });
}
