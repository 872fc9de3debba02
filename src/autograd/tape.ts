// Gradients in reverse, on a tape: every operation records how to get from the gradient of its result to those of its
// inputs. The recording is a graph of tensors; nothing is global but the switch of noGrad.
import { Kernel } from '../operation/kernel';
import { shown } from '../runtime/check';
import { ShapeError, ValueError } from '../runtime/errors';
import { filled, shapeText, Tensor } from '../tensor/tensor';

/** Gradients of the inputs, in their order, from the gradient of the result. `needed` says which are asked for. */
export type Backward = (gradient: Tensor, needed: readonly boolean[]) => readonly (Tensor | undefined)[];

/** How a tensor came to be. */
export interface Origin {
  readonly inputs: readonly (Tensor | undefined)[];
  readonly backward: Backward;
}

let recording = true;

/**
 * Runs `body` without recording: what it computes has no gradient, and keeps no inputs alive.
 * @returns what `body` returns
 */
export function noGrad<T>(body: () => T): T {
  if (typeof body !== 'function')
    throw new ValueError('noGrad', 'body', `body is ${shown(body)} (expected a function)`);
  const before = recording;
  recording = false;
  try {
    return body();
  } finally {
    recording = before;
  }
}

/** @internal */
export function wantsGradient(inputs: readonly (Tensor | undefined)[]): boolean {
  if (!recording) return false;
  for (let i = 0; i < inputs.length; ++i) if (inputs[i]?._requiresGrad) return true;
  return false;
}

/** Notes that `result` was computed from `inputs`, if a gradient may be wanted. @internal */
export function record(result: Tensor, inputs: readonly (Tensor | undefined)[], backward_: Backward): Tensor {
  if (wantsGradient(inputs)) {
    result._requiresGrad = true;
    result._origin = { inputs, backward: backward_ };
  }
  return result;
}

let accumulate: Kernel | undefined;
/** `to += source`. The kernel is made here because this module may be loaded by the one that has its class. @internal */
export function addTo(source: Tensor, to: Tensor): void {
  (accumulate ??= new Kernel('accumulate')).run([source], undefined, [to]);
}

/** Tensors in an order in which each comes after everything computed from it. No recursion: networks may be deep. */
function laterFirst(root: Tensor): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>([root]);
  const path: { tensor: Tensor; next: number }[] = [{ tensor: root, next: 0 }];
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

/** @internal */
export function backward(root: Tensor, given: Tensor | undefined): void {
  if (!root._requiresGrad)
    throw new ValueError('backward', 'requiresGrad', 'nothing that this tensor was computed from has requiresGrad');
  if (!given && root.size !== 1)
    throw new ShapeError(
      'backward',
      'gradient',
      `gradient is missing and the tensor is ${shapeText(root.shape)} (only a scalar can do without)`,
    );
  if (
    given &&
    (given.shape.length !== root.shape.length || given.shape.some((extent, d) => extent !== root.shape[d]))
  ) {
    throw new ShapeError(
      'backward',
      'gradient',
      `gradient is ${shapeText(given.shape)} but the tensor is ${shapeText(root.shape)}`,
    );
  }
  noGrad(() => {
    // Gradients so far, and whether their memory is ours to add to.
    const found = new Map<Tensor, { gradient: Tensor; own: boolean }>();
    found.set(root, { gradient: given ?? filled(root, 1), own: given === undefined });
    const add = (tensor: Tensor, gradient: Tensor, own: boolean): void => {
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
        if (input?._requiresGrad && gradient) add(input, gradient, gradient._memory !== here.gradient._memory);
      });
    }
  });
}

function copyOf(tensor: Tensor): Tensor {
  const copy = filled(tensor, 0);
  addTo(tensor, copy);
  return copy;
}
