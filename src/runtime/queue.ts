/** `pending`: calls under way off the thread; undefined while calls are synchronous. */
const queue: { pending: Promise<void>[] | undefined } = { pending: undefined };
export { queue };

/**
 * Runs `body` with every kernel call queued instead of awaited; gives what it returned and the
 * promises of its calls.
 */
export function collect<T>(body: () => T): { result?: T; error?: unknown; calls: Promise<void>[] } {
  const before = queue.pending;
  const calls: Promise<void>[] = (queue.pending = []);
  try {
    return { result: body(), calls };
  } catch (error) {
    return { error, calls };
  } finally {
    queue.pending = before;
  }
}

/**
 * Runs `check` when the calls made so far are done: at once, while calls are synchronous. What it
 * throws is theirs.
 */
export function afterwards(check: () => void): void {
  const { pending } = queue;
  if (pending) pending.push(Promise.all(pending).then(check));
  else check();
}

/**
 * Runs `body` with every kernel call awaited, also inside {@link collect}: for what is looked at or
 * kept at once.
 */
export function immediately<T>(body: () => T): T {
  const before = queue.pending;
  queue.pending = undefined;
  try {
    return body();
  } finally {
    queue.pending = before;
  }
}
