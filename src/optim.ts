import { Kernel } from './operation/kernel';
import { KnownOptions, shown } from './runtime/check';
import { cpu } from './runtime/device';
import { dtypeCode } from './runtime/dtype';
import { ValueError } from './runtime/errors';
import { filled, Tensor } from './tensor/tensor';

/** The tensors to train, each with `requiresGrad`. */
export type Parameters = Iterable<Tensor> | Readonly<Record<string, Tensor>>;

function listOf(parameters: Parameters): Tensor[] {
  if (typeof parameters !== 'object' || parameters === null) {
    const text = `parameters is ${shown(parameters)} (expected tensors with requiresGrad)`;
    throw new ValueError('optim', 'parameters', text);
  }
  const list = Symbol.iterator in parameters ? [...(parameters as Iterable<Tensor>)] : Object.values(parameters);
  const places = new Map<Tensor, number>();
  list.forEach((parameter, place) => {
    if (!(parameter instanceof Tensor) || !parameter.requiresGrad)
      throw new ValueError('optim', 'parameters', `parameter ${place} is not a tensor with requiresGrad`);
    const first = places.get(parameter);
    if (first !== undefined) {
      const text = `parameters ${first} and ${place} are the same tensor (expected each once)`;
      throw new ValueError('optim', 'parameters', text);
    }
    places.set(parameter, place);
  });
  return list;
}

abstract class Optimizer {
  protected readonly parameters: readonly Tensor[];
  /** Steps taken so far, per parameter; a parameter without a gradient is skipped. */
  protected readonly steps: number[];

  constructor(parameters: Parameters) {
    this.parameters = listOf(parameters);
    this.steps = this.parameters.map(() => 0);
  }

  /** Clears the gradients. Call it before every `backward()`, which adds to them. */
  zeroGrad(): void {
    for (const parameter of this.parameters) parameter.grad = undefined;
  }

  /** Updates every parameter that has a gradient, in place. */
  step(): void {
    this.parameters.forEach((parameter, i) => {
      if (parameter.grad) this.update(parameter, parameter.grad, i, ++this.steps[i]);
    });
  }

  /**
   * Takes a step with a parameter without elements, so that wrong settings are refused where they
   * are given.
   */
  protected checkSettings(): void {
    const nothing = filled({ _dtype: dtypeCode['float32'], shape: [0], _device: cpu }, 0, 'optim', 'parameters');
    this.update(nothing, nothing, -1, 1);
  }

  protected abstract update(parameter: Tensor, gradient: Tensor, index: number, step: number): void;
}

/** Settings of {@link Adam}, as PyTorch's. */
export interface AdamOptions {
  /** Default 0.001. */
  learningRate?: number;
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Default 0. */
  weightDecay?: number;
  /**
   * Whether weight decay is decoupled from the gradient (AdamW, arXiv:1711.05101). Default false.
   */
  decoupled?: boolean;
}

const knownAdamOptions = new KnownOptions('learningRate', 'beta1', 'beta2', 'epsilon', 'weightDecay', 'decoupled');

/**
 * Adam of Kingma and Ba, arXiv:1412.6980, each step one pass over the memory.
 * @throws ValueError for settings out of range: learning rate, epsilon and weight decay from 0 on,
 *   betas from 0 to below 1; for a parameter that is given twice
 */
export class Adam extends Optimizer {
  private static readonly kernel = new Kernel('adam');
  private readonly state: { mean: Tensor; square: Tensor }[];
  options: AdamOptions;

  constructor(parameters: Parameters, options: AdamOptions = {}) {
    super(parameters);
    knownAdamOptions.check(options, 'adam');
    this.options = options;
    this.state = this.parameters.map((parameter) => ({
      mean: filled(parameter, 0, 'optim', 'parameters'),
      square: filled(parameter, 0, 'optim', 'parameters'),
    }));
    this.checkSettings();
  }

  protected update(parameter: Tensor, gradient: Tensor, index: number, step: number): void {
    const { mean, square } = this.state[index] ?? { mean: parameter, square: parameter };
    Adam.kernel.run([gradient], { ...this.options, step }, [parameter, mean, square]);
  }
}

/** Settings of {@link Sgd}, as PyTorch's. */
export interface SgdOptions {
  /** Default 0.01. */
  learningRate?: number;
  /** Default 0. */
  momentum?: number;
  /** Default 0. */
  weightDecay?: number;
  /** Default false. */
  nesterov?: boolean;
}

const knownSgdOptions = new KnownOptions('learningRate', 'momentum', 'weightDecay', 'nesterov');

/**
 * Stochastic gradient descent with momentum.
 * @throws ValueError for settings below 0, for nesterov without momentum, and for a parameter that
 *   is given twice
 */
export class Sgd extends Optimizer {
  private static readonly kernel = new Kernel('sgd');
  private readonly velocity: (Tensor | undefined)[];
  options: SgdOptions;

  constructor(parameters: Parameters, options: SgdOptions = {}) {
    super(parameters);
    knownSgdOptions.check(options, 'sgd');
    this.options = options;
    this.velocity = this.parameters.map((parameter) =>
      options.momentum ? filled(parameter, 0, 'optim', 'parameters') : undefined,
    );
    this.checkSettings();
  }

  protected update(parameter: Tensor, gradient: Tensor, index: number, step: number): void {
    const velocity = this.velocity[index];
    Sgd.kernel.run([gradient], { ...this.options, step }, [parameter, velocity], [true, velocity !== undefined]);
  }
}
