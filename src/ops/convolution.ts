// What conv1d ... convTranspose3d share: the geometry along the axes, and views of one native
// operation's three axes.
import { Operation, toOutput } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { camelCase, ShapeError, ValueError } from '../runtime/errors';
import { shapeText } from '../tensor/shape';
import { asTensor, empty, type Tensor, type TensorLike } from '../tensor/tensor';
import type { Activation } from './activation';

/** One number for all axes, or one for each. */
export type PerAxis = number | readonly number[];
/**
 * Places before and after: one number for all, or for each axis one number or `[before, after]`.
 */
export type Padding = number | readonly (number | readonly [number, number])[];

/** Options of every convolution. */
export interface SharedOptions {
  /** `[channels]` */
  bias?: TensorLike;
  /** Default 1. */
  stride?: PerAxis;
  /** Default 1. */
  dilation?: PerAxis;
  /** Default 1. */
  groups?: number;
  activation?: Activation;
  out?: TensorLike;
  /**
   * Where to write mean and variance of every channel of every sample of the result, for the
   * normalisation that follows, which then need not compute them: `[B, Cout, 2]` of float64. They
   * carry no gradient.
   */
  moments?: TensorLike;
}

/** Along one axis. @internal */
export interface Axis {
  input: number;
  kernel: number;
  stride: number;
  dilation: number;
}

const most = 2 ** 31 - 1;

/** An integer of an option, at least `least`. @internal */
export function integer(value: unknown, least: number, operation: string, argument: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ValueError(
    operation,
    argument,
    `${argument} is ${shown(value)} (expected an integer of at least ${least}, or one for each axis)`,
  );
}

/** One integer for each of `rank` axes. @internal */
export function perAxis(
  value: unknown,
  rank: number,
  otherwise: number,
  least: number,
  operation: string,
  argument: string,
): number[] {
  if (value === undefined) return new Array<number>(rank).fill(otherwise);
  if (!Array.isArray(value)) return new Array<number>(rank).fill(integer(value, least, operation, argument));
  if (value.length !== rank)
    throw new ValueError(operation, argument, `${argument} has ${value.length} numbers (expected ${rank})`);
  return value.map((one: unknown) => integer(one, least, operation, argument));
}

/** `[before, after]` for each of `rank` axes. @internal */
export function paddings(value: unknown, rank: number, operation: string): [number, number][] {
  const both = (one: unknown): [number, number] => {
    if (!Array.isArray(one)) {
      const same = integer(one, 0, operation, 'padding');
      return [same, same];
    }
    if (one.length !== 2)
      throw new ValueError(
        operation,
        'padding',
        `padding has ${one.length} numbers for an axis (expected [before, after])`,
      );
    return [integer(one[0], 0, operation, 'padding'), integer(one[1], 0, operation, 'padding')];
  };
  if (!Array.isArray(value)) return Array.from({ length: rank }, () => both(value ?? 0));
  if (value.length !== rank)
    throw new ValueError(
      operation,
      'padding',
      `padding has ${value.length} entries (expected ${rank}, each a number or [before, after])`,
    );
  return value.map(both);
}

const axisNames = ['D', 'H', 'W'] as const;

/** One public function. @internal */
export class Convolution<Options extends SharedOptions> {
  private readonly name: string;
  private readonly operation: Operation;
  /** Whether the weight is `[Cin, Cout / groups, ...]` instead of `[Cout, Cin / groups, ...]`. */
  private readonly transposed: boolean;
  private readonly known: KnownOptions;

  /**
   * @param kernel - the native operation of all ranks
   * @param rank - how many axes x has beside samples and channels
   * @param extents - the result's extent along each axis, and what lies before it
   */
  constructor(
    kernel: 'conv' | 'conv_transpose',
    private readonly rank: number,
    private readonly extents: (
      axes: readonly Axis[],
      options: Options,
      name: string,
    ) => { extent: number; before: number }[],
    names: readonly string[],
  ) {
    this.name = `${camelCase(kernel)}${rank}d`;
    this.transposed = kernel === 'conv_transpose';
    this.operation = new Operation(kernel, ['bias'], undefined, this.name);
    this.known = new KnownOptions(
      'bias',
      'stride',
      'padding',
      'dilation',
      'groups',
      'activation',
      'out',
      'moments',
      ...names,
    );
  }

  run(given: TensorLike, givenWeight: TensorLike, options: Options): Tensor {
    const { name, rank } = this;
    this.known.check(options, name);
    const x = asTensor(given, undefined, name, 'x');
    const like = (value: TensorLike, argument: string): Tensor =>
      asTensor(value, Array.isArray(value) ? x._dtype : undefined, name, argument);
    const weight = like(givenWeight, 'weight');
    const bias = options.bias === undefined || options.bias === null ? undefined : like(options.bias, 'bias');
    this.checkRank(x, 'x', 'samples, channels');
    this.checkRank(weight, 'weight', this.transposed ? 'Cin, Cout / groups' : 'Cout, Cin / groups');
    const groups = integer(options.groups ?? 1, 1, name, 'groups');
    const channels = x.shape[1];
    const [inputs, outputs] = this.transposed ? [0, 1] : [1, 0];
    const [inGroup, ofWeight] = [channels / groups, weight.shape[inputs]];
    if (!Number.isInteger(inGroup) || !Number.isInteger(weight.shape[0] / groups))
      throw new ShapeError(
        name,
        'groups',
        `groups is ${groups} but x is ${shapeText(x.shape)} and weight ${shapeText(weight.shape)} ` +
          `(expected a divisor of ${channels} and of ${weight.shape[0]})`,
      );
    if (ofWeight !== (this.transposed ? channels : inGroup))
      throw new ShapeError(
        name,
        'weight',
        `weight is ${shapeText(weight.shape)} but x is ${shapeText(x.shape)}, which has ${channels} channels ` +
          `in ${groups} groups (expected ${this.transposed ? channels : inGroup} in dimension ${inputs} of weight)`,
      );
    const ofGroup = this.transposed ? weight.shape[outputs] : weight.shape[outputs] / groups;
    if (bias && (bias.shape.length !== 1 || bias.shape[0] !== ofGroup * groups))
      throw new ShapeError(
        name,
        'bias',
        `bias is ${shapeText(bias.shape)} but weight is ${shapeText(weight.shape)} (expected bias [${ofGroup * groups}])`,
      );

    const stride = perAxis(options.stride, rank, 1, 1, name, 'stride');
    const dilation = perAxis(options.dilation, rank, 1, 1, name, 'dilation');
    const axes = stride.map((step, a) => ({
      input: x.shape[2 + a],
      kernel: weight.shape[2 + a],
      stride: step,
      dilation: dilation[a],
    }));
    const found = this.extents(axes, options, name);
    found.forEach(({ extent, before }, a) => {
      if (extent >= 1 && Number.isSafeInteger(extent) && before <= most) return;
      throw new ShapeError(
        name,
        'x',
        `x is ${shapeText(x.shape)} and weight ${shapeText(weight.shape)}, which gives ${extent} along axis ${2 + a} ` +
          '(expected at least 1)',
      );
    });

    const ones = new Array<number>(3 - rank).fill(1);
    const ofResult = found.map(({ extent }) => extent);
    const shape = [x.shape[0], ofGroup * groups, ...ofResult];
    const inner = [x.shape[0], groups, ofGroup, ...ones, ...ofResult];
    const values: Record<string, unknown> = { activation: options.activation };
    axisNames.slice(3 - rank).forEach((axis, a) => {
      values[`stride${axis}`] = stride[a];
      values[`dilation${axis}`] = dilation[a];
      values[`padding${axis}`] = found[a].before;
    });
    const [first, second] = this.transposed ? [inGroup, ofGroup] : [ofGroup, inGroup];
    const result = this.operation.run(
      [
        x.reshape([x.shape[0], groups, inGroup, ...ones, ...x.shape.slice(2)]),
        weight.reshape([groups, first, second, ...ones, ...weight.shape.slice(2)]),
        bias,
      ],
      values,
      options.out === undefined
        ? empty(x._dtype, inner, x._device, this.name, 'out')
        : this.output('out', options.out, shape, inner),
      undefined,
      [
        options.moments === undefined
          ? undefined
          : this.output('moments', options.moments, [...shape.slice(0, 2), 2], [...inner.slice(0, 3), 2]),
      ],
    );
    return result.reshape(shape);
  }

  private checkRank(value: Tensor, argument: string, first: string): void {
    if (value.shape.length === this.rank + 2) return;
    throw new ShapeError(
      this.name,
      argument,
      `${argument} is ${shapeText(value.shape)} (expected ${this.rank + 2} dimensions: ${first} and ${this.rank} more)`,
    );
  }

  private output(argument: string, out: TensorLike, shape: readonly number[], inner: number[]): Tensor {
    const given = toOutput(out, this.name, argument);
    if (given.shape.length === shape.length && given.shape.every((extent, d) => extent === shape[d]))
      return given.reshape(inner);
    throw new ShapeError(
      this.name,
      argument,
      `${argument} is ${shapeText(given.shape)} (expected ${shapeText(shape)})`,
    );
  }
}
