// Walks the tape from a result back to its inputs.
import { ShapeError, ValueError } from '../runtime/errors';
import { noGrad, type Traced } from './tape';

/** A tensor as the walk sees it. */
export interface Node<T> extends Traced<T> {
  grad: T | undefined;
  readonly shape: readonly number[];
  readonly size: number;
}

/** What has to be done with gradients. */
export interface Arithmetic<T> {
  /** Ones, of the same shape, type and device. */
  onesLike: (tensor: T) => T;
  copyOf: (tensor: T) => T;
  /** `to += source` */
  addTo: (source: T, to: T) => void;
  /** Whether the one may be written to where the other is wanted. */
  shareMemory: (one: T, other: T) => boolean;
}

/**
 * Tensors in an order in which each comes after everything computed from it. No recursion: networks
 * may be deep.
 */
function laterFirst<T extends Node<T>>(root: T): T[] {
  const order: T[] = [];
  const seen = new Set<T>([root]);
  const path: { tensor: T; next: number }[] = [{ tensor: root, next: 0 }];
  while (path.length > 0) {
    const top = path[path.length - 1];
    const inputs = top.tensor._origin?.inputs ?? [];
    if (top.next === inputs.length) {
      order.push(top.tensor);
      path.pop();
      continue;
    }
    const input = inputs[top.next++];
    if (input?._requiresGrad && !seen.has(input)) {
      seen.add(input);
      path.push({ tensor: input, next: 0 });
    }
  }
  return order.reverse();
}

function check<T extends Node<T>>(root: T, given: T | undefined): void {
  if (!root._requiresGrad)
    throw new ValueError('backward', 'requiresGrad', 'nothing that this tensor was computed from has requiresGrad');
  const text = `[${root.shape.join(', ')}]`;
  if (!given && root.size !== 1)
    throw new ShapeError(
      'backward',
      'gradient',
      `gradient is missing and the tensor is ${text} (only a scalar can do without)`,
    );
  if (
    given &&
    (given.shape.length !== root.shape.length || given.shape.some((extent, d) => extent !== root.shape[d]))
  ) {
    throw new ShapeError('backward', 'gradient', `gradient is [${given.shape.join(', ')}] but the tensor is ${text}`);
  }
}

/** Adds to `grad` of every tensor with `requiresGrad` that `root` was computed from. @internal */
export function backward<T extends Node<T>>(root: T, given: T | undefined, arithmetic: Arithmetic<T>): void {
  check(root, given);
  const { onesLike, copyOf, addTo, shareMemory } = arithmetic;
  noGrad(() => {
    // Gradients so far, and whether their memory is ours to add to.
    const found = new Map<T, { gradient: T; own: boolean }>();
    found.set(root, { gradient: given ?? onesLike(root), own: given === undefined });
    const add = (tensor: T, gradient: T, own: boolean): void => {
      const before = found.get(tensor);
      if (!before) {
        found.set(tensor, { gradient, own });
        return;
      }
      if (!before.own) {
        before.gradient = copyOf(before.gradient);
        before.own = true;
      }
      addTo(gradient, before.gradient);
    };
    for (const tensor of laterFirst(root)) {
      const here = found.get(tensor);
      found.delete(tensor);
      if (!here) continue;
      if (!tensor._origin) {
        if (tensor.grad) addTo(here.gradient, tensor.grad);
        else tensor.grad = here.own ? here.gradient : copyOf(here.gradient);
        continue;
      }
      const { inputs, backward: towardsInputs } = tensor._origin;
      const gradients = towardsInputs(
        here.gradient,
        inputs.map((input) => input?._requiresGrad ?? false),
      );
      inputs.forEach((input, i) => {
        const gradient = gradients[i];
        // A gradient that was only passed on (a reshape) is still in use elsewhere.
        if (input?._requiresGrad && gradient) add(input, gradient, !shareMemory(gradient, here.gradient));
      });
    }
  });
}
