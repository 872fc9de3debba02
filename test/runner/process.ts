import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** What a body is given instead of what its file imports. */
export interface Tools {
  ups: typeof import('upsilon-kernels');
  promises: typeof import('upsilon-kernels/promises');
  /** Of `node:assert/strict`. */
  assert: Record<'equal' | 'deepEqual', (found: unknown, expected: unknown) => void> & { ok(condition: boolean): void };
  addressOf: typeof import('upsilon-kernels/internal/runtime/native').native.addressOf;
  /** Collects garbage until `condition` holds; when it never does, the test fails with `state`. */
  until(condition: () => boolean, state: () => unknown): Promise<void>;
}
export type Body<Argument> = (tools: Tools, argument: Argument) => void | Promise<void>;

/**
 * Runs `body` in a process of its own, where nothing is but what `body` makes. This is for tests
 * that look at what a process has altogether: blocks of memory, threads. Test files share a
 * process, and with it the garbage of the files before, which goes when the engine likes.
 * @param body - travels as text, so it sees its parameters and nothing of its file; fails by
 *   `assert`
 * @param argument - becomes JSON on the way
 */
export function inProcess(body: Body<undefined>): void;
export function inProcess<Argument>(body: Body<Argument>, argument: Argument): void;
export function inProcess<Argument>(body: Body<Argument>, argument?: Argument): void {
  const child = JSON.stringify(join(__dirname, 'child.js'));
  const program = `void require(${child}).run(${body.toString()}, ${JSON.stringify(argument)});`;
  execFileSync(process.execPath, ['--expose-gc', '-'], { input: program, encoding: 'utf8', stdio: 'pipe' });
}
