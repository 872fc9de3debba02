// What every public operation does: turn arguments into tensors, run the forward kernel, record the
// backward one. That backward belongs to forward is read off the names: a gradient is `d` plus the
// name of what it is the gradient of.
import { record, wantsGradient } from '../autograd/tape';
import { KnownOptions } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { publicName, ValueError } from '../runtime/errors';
import type { OptionValues, Plan } from '../runtime/plan';
import { asTensor, Tensor, type TensorLike } from '../tensor/tensor';
import { Kernel } from './kernel';

/** Where the backward kernel's inputs come from, and whose gradients its outputs are. */
interface BackwardPlan {
  sources: { from: 'input' | 'output' | 'gradient' | 'extra'; index: number; name: string }[];
  /**
   * For every output of backward the forward input it belongs to; -1 for an output that is not a
   * gradient.
   */
  gradientOf: number[];
  /** Which of forward's outputs are made: the first, and those that backward asks for. */
  kept: boolean[];
}

/** More inputs of backward than forward has: the transposed graph. */
export type Extra = (name: string) => Tensor;

const onlyTheFirst = [true, ...new Array<boolean>(8).fill(false)];

/** An operation with its gradient. */
export class Operation {
  readonly publicName: string;
  private readonly forward: Kernel;
  private readonly backward: Kernel;
  private backwardPlan: BackwardPlan | undefined;
  private knownOptions: KnownOptions | undefined;

  /**
   * @param tensorOptions - the options that are arguments of the kernel: `'bias'`
   * @param words - what users call the arguments, by their names in the schema, where that differs
   * @param as - what users call the operation, where that differs
   */
  constructor(
    readonly name: string,
    private readonly tensorOptions: readonly string[] = [],
    words?: Readonly<Record<string, string>>,
    as?: string,
  ) {
    this.publicName = as ?? publicName(name);
    this.forward = new Kernel(`${name}_forward`, words, as);
    this.backward = new Kernel(`${name}_backward`, words, as);
  }

  /**
   * Refuses options that the call would ignore.
   * @param choices - the names of those that the kernel has; default the schema's
   */
  checkOptions(options: unknown, choices: readonly string[] = this.forward.description.optionNames): void {
    if (options === undefined) return;
    this.knownOptions ??= new KnownOptions(...this.tensorOptions, ...choices, 'out');
    this.knownOptions.check(options, this.publicName);
  }

  /**
   * @param inputs - in schema order
   * @param state - the outputs behind the first, where they are updated in place
   */
  run(
    inputs: readonly (TensorLike | undefined)[],
    options?: OptionValues,
    out?: TensorLike,
    extra?: Extra,
    state?: readonly (Tensor | undefined)[],
  ): Tensor {
    const plan = this.forward.description;
    const tensors = toTensors(inputs, plan, this.publicName);
    const traced = wantsGradient(tensors);
    const first = out === undefined ? undefined : toOutput(out, this.publicName);
    const given = first || state ? [first, ...(state ?? [])] : undefined;
    // Of the outputs behind the first those that are given, and for the gradient those that it
    // needs.
    const wanted = traced ? (this.backwardPlan ??= this.matchNames()).kept : onlyTheFirst;
    const results = this.forward.run(tensors, options, given, wanted);
    const result = results[0]!;
    if (first) {
      result._origin = undefined;
      result._requiresGrad = false;
    }
    return traced ? this.trace(tensors, results, options, extra) : result;
  }

  private trace(
    tensors: readonly (Tensor | undefined)[],
    results: readonly (Tensor | undefined)[],
    options: OptionValues | undefined,
    extra: Extra | undefined,
  ): Tensor {
    // As they are now: the caller may use the object again.
    const kept = options && { ...options };
    return record(results[0]!, tensors, (gradient, needed) =>
      this.differentiate(tensors, results, gradient, needed, kept, extra),
    );
  }

  private differentiate(
    inputs: readonly (Tensor | undefined)[],
    results: readonly (Tensor | undefined)[],
    gradient: Tensor,
    needed: readonly boolean[],
    options: OptionValues | undefined,
    extra: Extra | undefined,
  ): (Tensor | undefined)[] {
    const { sources, gradientOf } = (this.backwardPlan ??= this.matchNames());
    const arguments_ = sources.map(({ from, index, name }) =>
      from === 'input'
        ? inputs[index]
        : from === 'output'
          ? results[index]
          : from === 'gradient'
            ? gradient
            : extra?.(name),
    );
    const wanted = gradientOf.map((input) => input >= 0 && needed[input]);
    const found = this.backward.run(arguments_, options, undefined, wanted);
    const gradients: (Tensor | undefined)[] = inputs.map(() => undefined);
    gradientOf.forEach((input, k) => {
      if (input >= 0) gradients[input] = found[k];
    });
    return gradients;
  }

  private matchNames(): BackwardPlan {
    const forward = this.forward.description,
      backward = this.backward.description;
    const inputs = forward.names.slice(0, forward.inputs),
      outputs = forward.names.slice(forward.inputs);
    const sources = backward.names.slice(0, backward.inputs).map((name): BackwardPlan['sources'][number] => {
      if (inputs.includes(name)) return { from: 'input', index: inputs.indexOf(name), name };
      if (outputs.includes(name)) return { from: 'output', index: outputs.indexOf(name), name };
      if (name.startsWith('d') && outputs.includes(name.slice(1))) return { from: 'gradient', index: 0, name };
      return { from: 'extra', index: 0, name };
    });
    return {
      sources,
      gradientOf: backward.names.slice(backward.inputs).map((name) => inputs.indexOf(name.slice(1))),
      kept: outputs.map((name, k) => k === 0 || backward.names.includes(name)),
    };
  }
}

function areTensors(inputs: readonly (TensorLike | undefined)[]): inputs is readonly (Tensor | undefined)[] {
  for (let i = 0; i < inputs.length; ++i) {
    const input = inputs[i];
    if (input !== undefined && !(input instanceof Tensor)) return false;
  }
  return true;
}

/**
 * Arguments as tensors. Lists of numbers take the element type that the others and the schema ask
 * for.
 */
function toTensors(
  inputs: readonly (TensorLike | undefined)[],
  plan: Plan,
  operation: string,
): readonly (Tensor | undefined)[] {
  if (areTensors(inputs)) return inputs;
  const tensors: (Tensor | undefined)[] = new Array<Tensor | undefined>(inputs.length);
  let lists = false;
  for (let i = 0; i < inputs.length; ++i) {
    const input = inputs[i];
    if (input === undefined || input instanceof Tensor) tensors[i] = input;
    else if (input === null) tensors[i] = undefined;
    else if (Array.isArray(input)) lists = true;
    else tensors[i] = asTensor(input, undefined, operation, plan.publicNames[i]);
  }
  if (lists) {
    const real = plan.realType(tensors);
    for (let i = 0; i < inputs.length; ++i) {
      if (!Array.isArray(inputs[i])) continue;
      const type = plan.types[i];
      tensors[i] = asTensor(inputs[i]!, type === 'real' ? real : dtypeCode[type], operation, plan.publicNames[i]);
    }
  }
  return tensors;
}

/**
 * A tensor to write into: it must be memory that the caller keeps, not a list that would be copied.
 */
export function toOutput(out: TensorLike, operation: string, argument = 'out'): Tensor {
  const refuse = (found: string, expected: string): never => {
    throw new ValueError(operation, argument, `${argument} ${found} (expected ${expected})`);
  };
  if (out instanceof Tensor) {
    if (out._requiresGrad && !out._origin) refuse('has requiresGrad', 'a tensor that is not a parameter');
    return out;
  }
  if (Array.isArray(out)) refuse('is a list of numbers', 'a tensor or typed array');
  return asTensor(out, undefined, operation, argument);
}
