import { collect } from '../runtime/queue';

/** An operation, or a group of them, giving promises. */
export type Promised<T> = T extends (...args: infer A) => infer R
  ? (...args: A) => Promise<R>
  : { [K in keyof T]: Promised<T[K]> };

/**
 * The same function with its kernel calls off the main thread. Arguments are looked at and results
 * are made right away, only the kernels run later, in order; so a function needs no second
 * definition. A rejection has the caller's stack.
 */
function promisedFunction(operation: (...args: unknown[]) => unknown): (...args: unknown[]) => Promise<unknown> {
  const call = (...args: unknown[]): Promise<unknown> => {
    const site: { stack?: string } = {};
    Error.captureStackTrace(site, call);
    const { result, error, calls } = collect(() => operation(...args));
    // Calls queued before a later one was refused still run; their errors are not reported.
    if (error !== undefined) return Promise.allSettled(calls).then(() => Promise.reject(error as Error));
    return Promise.all(calls).then(
      () => result,
      (reason: unknown) => {
        if (reason instanceof Error)
          reason.stack = `${reason.name}: ${reason.message}\n${(site.stack ?? '').split('\n').slice(1).join('\n')}`;
        throw reason;
      },
    );
  };
  return Object.defineProperty(call, 'name', { value: operation.name });
}

export function promised<T extends object>(operations: T): Promised<T> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(operations)) {
    result[name] = typeof value === 'function' ? promisedFunction(value as never) : promised(value as object);
  }
  return result as Promised<T>;
}
