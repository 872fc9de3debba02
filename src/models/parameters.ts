// Parameters of networks by PyTorch's names: taken from files, checked, or drawn.
import { normal, uniform } from '../ops/random';
import { shown } from '../runtime/check';
import { cpu, deviceOf } from '../runtime/device';
import { dtypes } from '../runtime/dtype';
import { DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { load, type Source } from '../safetensors';
import { elementsOf, shapeText } from '../tensor/shape';
import { Tensor } from '../tensor/tensor';

/** Names and shapes, in PyTorch's order. @internal */
export type Shapes = Readonly<Record<string, readonly number[]>>;
export type Parameters = Readonly<Record<string, Tensor>>;

function isTensors(source: unknown): source is Parameters {
  return (
    typeof source === 'object' &&
    source !== null &&
    !ArrayBuffer.isView(source) &&
    !(source instanceof ArrayBuffer) &&
    !(source instanceof SharedArrayBuffer) &&
    Object.values(source).every((value) => value instanceof Tensor)
  );
}

/**
 * The tensors of a file, or tensors by name. The prefix `module.` that DataParallel adds to all
 * names is removed.
 * @internal
 */
export function tensorsOf(source: Source | Parameters): Parameters {
  const tensors = isTensors(source) ? source : load(source);
  const entries = Object.entries(tensors);
  if (entries.length === 0 || !entries.every(([name]) => name.startsWith('module.'))) return tensors;
  return Object.fromEntries(entries.map(([name, value]) => [name.slice('module.'.length), value]));
}

/** @internal */
export function missing(network: string, name: string): never {
  throw new ValueError(network, name, `there is no tensor ${name} in the file`);
}

/**
 * The parameters of a network: all of `shapes` and nothing else, of one type of elements.
 * @param besides - names that may be there too, and are not looked at
 * @internal
 */
export function parametersOf(
  network: string,
  tensors: Parameters,
  shapes: Shapes,
  device: string | undefined,
  besides?: RegExp,
): Parameters {
  const where = deviceOf(device ?? cpu.name, network).name;
  for (const name of Object.keys(tensors))
    if (!Object.hasOwn(shapes, name) && !besides?.test(name))
      throw new ValueError(network, name, `the file has a tensor ${name} (expected those of ${network} only)`);
  let first: Tensor | undefined;
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const found = Object.hasOwn(tensors, name) ? tensors[name] : missing(network, name);
      if (found.shape.length !== shape.length || found.shape.some((extent, d) => extent !== shape[d]))
        throw new ShapeError(network, name, `${name} is ${shapeText(found.shape)} (expected ${shapeText(shape)})`);
      const expected = first?.dtype ?? 'float32 or float64';
      if (!dtypes[found._dtype].floating || (first && found._dtype !== first._dtype))
        throw new DTypeError(network, name, `${name} is ${found.dtype} (expected ${expected})`);
      first ??= found;
      if (found.device === where) return [name, found];
      // On another device it is a new leaf: gradients belong to the copy that is trained there.
      const parameter = found.detach().to(where);
      parameter.requiresGrad = found.requiresGrad;
      return [name, parameter];
    }),
  );
}

/** @internal */
export function seedOf(network: string, options: { seed?: unknown } | undefined): number | bigint {
  const seed = options?.seed;
  if (typeof seed === 'number' || typeof seed === 'bigint') return seed;
  throw new ValueError(network, 'seed', `seed is ${shown(seed)} (expected a non-negative integer)`);
}

/**
 * How the numbers of one tensor are distributed; the tensor is then all `mean` where `spread` is 0.
 * @internal
 */
export interface Distribution {
  kind: 'normal' | 'uniform';
  mean: number;
  /** Standard deviation, or half the width. */
  spread: number;
}

/** Parameters to be trained, each from a stream of its own. @internal */
export function drawn(
  shapes: Shapes,
  seed: number | bigint,
  distributionOf: (name: string) => Distribution,
): Parameters {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], stream) => {
      const { kind, mean, spread } = distributionOf(name);
      const parameter =
        kind === 'normal'
          ? normal(shape, { seed, stream, mean, deviation: spread })
          : uniform(shape, { seed, stream, low: mean - spread, high: mean + spread });
      parameter.requiresGrad = true;
      return [name, parameter];
    }),
  );
}

/**
 * PyTorch's own initial values of a layer with `fanIn` inputs: uniform below 1 / sqrt(fanIn).
 * @internal
 */
export function byFanIn(fanIn: number): Distribution {
  return { kind: 'uniform', mean: 0, spread: 1 / Math.sqrt(fanIn) };
}

/** As PyTorch draws them: normalisations, whose names `norms` tells, begin at 1 and 0. @internal */
export function drawnAsInTorch(shapes: Shapes, seed: number | bigint, norms: RegExp): Parameters {
  return drawn(shapes, seed, (name) => {
    if (norms.test(name)) return constant(name.endsWith('weight') ? 1 : 0);
    return byFanIn(fanInOf(shapes[name.replace(/bias$/, 'weight')]));
  });
}

/** @internal */
export function constant(mean: number): Distribution {
  return { kind: 'uniform', mean, spread: 0 };
}

/**
 * Inputs of each output of a layer whose weight has this shape, as PyTorch counts them. @internal
 */
export function fanInOf(shape: readonly number[]): number {
  return elementsOf(shape.slice(1));
}

/** @internal */
export function countOf(parameters: Parameters): number {
  return Object.values(parameters).reduce((sum, { size }) => sum + size, 0);
}
