/** Calls under way off the thread; undefined while calls are synchronous. */
export let pending: Promise<void>[] | undefined;

/** Runs `body` with every kernel call queued instead of awaited; gives what it returned and the promises of its calls. */
export function collect<T>(body: () => T): { result?: T; error?: unknown; calls: Promise<void>[] } {
  const before = pending;
  const calls: Promise<void>[] = (pending = []);
  try {
    return { result: body(), calls };
  } catch (error) {
    return { error, calls };
  } finally {
    pending = before;
  }
}

/** Runs `check` when the calls made so far are done: at once, while calls are synchronous. What it throws is theirs. */
export function afterwards(check: () => void): void {
  if (pending) pending.push(Promise.all(pending).then(check));
  else check();
}

/** Runs `body` with every kernel call awaited, also inside {@link collect}: for what is looked at or kept at once. */
export function immediately<T>(body: () => T): T {
  const before = pending;
  pending = undefined;
  try {
    return body();
  } finally {
    pending = before;
  }
}
