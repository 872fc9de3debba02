// Gradients in reverse, on a tape: every operation records how to get from the gradient of its
// result to those of its inputs. The recording is a graph of tensors; nothing is global but the
// switch of noGrad. Of a tensor only what is recorded is known here, so that the class can use the
// tape.
import { shown } from '../runtime/check';
import { ValueError } from '../runtime/errors';

/**
 * Gradients of the inputs, in their order, from the gradient of the result. `needed` says which are
 * wanted.
 */
export type Backward<T> = (gradient: T, needed: readonly boolean[]) => readonly (T | undefined)[];

/** How a tensor came to be. */
export interface Origin<T> {
  readonly inputs: readonly (T | undefined)[];
  readonly backward: Backward<T>;
}

/** What the tape writes on a tensor. */
export interface Traced<T> {
  _requiresGrad: boolean;
  _origin: Origin<T> | undefined;
}

let recording = true;

/** Functions that return before their body has run. */
const laterBodies = ['AsyncFunction', 'GeneratorFunction', 'AsyncGeneratorFunction'];

/**
 * Runs `body` without recording: its results have no gradient and keep no inputs alive.
 * @returns what `body` returns
 * @throws TypeError for an async function, the rest of which would run after recording began again;
 *   ValueError for what is no function
 */
export function noGrad<T>(body: () => T): T {
  if (typeof body !== 'function')
    throw new ValueError('noGrad', 'body', `body is ${shown(body)} (expected a function)`);
  const kind = (body as { [Symbol.toStringTag]?: string })[Symbol.toStringTag];
  if (kind !== undefined && laterBodies.includes(kind)) {
    const found = kind === 'GeneratorFunction' ? 'a generator' : 'an async function';
    const text = `body is ${found}, which would go on after noGrad has returned (expected a function that is done when it returns; wrap what lies between two awaits)`;
    throw Object.assign(new TypeError(`noGrad: ${text}`), {
      code: 'ERR_UPSILON_VALUE',
      operation: 'noGrad',
      argument: 'body',
    });
  }
  const before = recording;
  recording = false;
  try {
    return body();
  } finally {
    recording = before;
  }
}

/** @internal */
export function wantsGradient(inputs: readonly ({ readonly _requiresGrad: boolean } | undefined)[]): boolean {
  if (!recording) return false;
  for (let i = 0; i < inputs.length; ++i) if (inputs[i]?._requiresGrad) return true;
  return false;
}

/** Notes that `result` was computed from `inputs`, if a gradient may be wanted. @internal */
export function record<T extends Traced<T>>(result: T, inputs: readonly (T | undefined)[], backward: Backward<T>): T {
  if (wantsGradient(inputs)) {
    result._requiresGrad = true;
    result._origin = { inputs, backward };
  }
  return result;
}
