// A case of one operation, or of its forward and backward pass together.
import { Kernel, lastVariant, synchronize, type Tensor, zeros } from '../library';
import type { Bench, BenchCase, Row } from '../bench';
import { allOptions, type Case, describe, kernelOptions, makeInputs, makeOutputs, type Tensors } from '../cases';
import { type Contestant, measure, timed } from '../measure';
import { relativeError } from '../reference';
import type { Settings } from '../settings';
import { flopsOf } from '../work';

/**
 * Relative L2 error of a float32 result against the float64 reference; the conformance test is
 * stricter.
 */
const tolerance = 2e-5;
const smallWork = 3e7;

function call(at: Case, tensors: Tensors): () => void {
  const { parameters, inputs } = describe(at.operation)!;
  const given = parameters.slice(0, inputs).map(({ name }) => tensors[name]);
  const outputs = parameters.slice(inputs).map(({ name }) => tensors[name]);
  const wanted = outputs.map((output) => output !== undefined);
  const kernel = new Kernel(at.operation),
    options = kernelOptions(at.options);
  return () => void kernel.run(given, options, outputs, wanted);
}

function onDevice(tensors: Tensors, device: string): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.to(device)]));
}

const bytesIn = (tensors: Iterable<Tensor>): number =>
  [...tensors].reduce((total, tensor) => total + tensor.size * (tensor.dtype === 'float64' ? 8 : 4), 0);

export class OperationCase implements BenchCase {
  readonly suite: string;
  readonly small: boolean;

  /**
   * @param at - what is called
   * @param forward - the forward pass that is timed with it, when `at` is a backward pass
   * @param inputs - where the case does not say how they are made
   */
  constructor(
    private readonly at: Case,
    private readonly forward?: Case,
    private readonly inputs: () => Tensors = () => makeInputs(at),
  ) {
    this.suite = at.suite;
    const elements = Math.max(1, ...Object.values(at.dims));
    this.small = Math.max(this.flops, 20 * elements) <= smallWork;
  }

  get name(): string {
    const operation = this.forward
      ? `${this.forward.operation} and ${this.at.operation.replace(/^.*_(?=[^_]+$)/, '')}`
      : this.at.operation;
    return `${operation}: ${this.at.name}`;
  }

  private get flops(): number {
    return (
      flopsOf(this.at.operation, this.at.dims) + (this.forward ? flopsOf(this.forward.operation, this.at.dims) : 0)
    );
  }

  /** Inputs and outputs on the device, and what runs them once. */
  private make(device: string): { host: Tensors; tensors: Tensors; run: () => void } {
    const host = this.inputs();
    const tensors = onDevice({ ...copies(host, this.at), ...makeOutputs(this.at) }, device);
    const runs = [call(this.at, tensors)];
    if (this.forward) {
      const y = describe(this.forward.operation)!.parameters.filter((parameter) => parameter.output);
      for (const { name } of y) {
        const like = tensors[`d${name}`] as Tensor | undefined;
        if (like && !(name in tensors)) tensors[name] = zeros(like.shape, { dtype: like.dtype, device });
      }
      runs.unshift(call(this.forward, tensors));
    }
    const once = runs.length === 1 ? runs[0] : () => runs.forEach((run) => run());
    return {
      host,
      tensors,
      run:
        device === 'cpu'
          ? once
          : () => {
              once();
              synchronize(device);
            },
    };
  }

  prepare(settings: Settings): () => void {
    return this.make(settings.device).run;
  }

  async run(bench: Bench): Promise<Row> {
    const { settings } = bench;
    const { host, tensors, run } = this.make(settings.device);
    const { parameters, inputs } = describe(this.at.operation)!;
    const outputs = parameters.slice(inputs);
    const row: Row = {
      case: `${this.suite}/${this.name}`,
      timings: {},
      ours: 'upsilon',
      notes: [],
      flops: this.flops,
      parameters: { dims: this.at.dims, options: this.at.options },
      bytes:
        bytesIn(Object.values(tensors)) +
        bytesIn(outputs.filter(({ inPlace }) => inPlace).flatMap(({ name }) => tensors[name] ?? [])),
    };
    run();
    row.variant = lastVariant();
    const expected = await bench.reference.run(
      this.at.operation,
      parameters.slice(0, inputs).map(({ name }) => host[name]),
      kernelOptions(this.at.options),
      outputs.map(({ name, inPlace }) => (inPlace ? host[name] : tensors[name]?.to('cpu'))),
    );
    row.error = Math.max(
      0,
      ...outputs.map(({ name }, k) =>
        expected[k] ? relativeError(tensors[name].to('cpu').data as Float32Array, expected[k].data) : 0,
      ),
    );
    if (!(row.error <= tolerance)) {
      row.problem = `differs from the float64 reference by ${row.error.toPrecision(2)} (expected at most ${tolerance})`;
      return row;
    }
    const contestants: Contestant[] = [timed('upsilon', run)];
    if (bench.peers && settings.device === 'cpu') {
      const expectedByName: Tensors = {};
      outputs.forEach(({ name }, k) => {
        if (expected[k]) expectedByName[name] = tensors[name]!;
      });
      const found = await bench.peers.open({
        operation: this.at.operation,
        both: this.forward !== undefined,
        dims: this.at.dims,
        options: allOptions(this.at),
        outputs: outputs.map(({ name }) => name),
        inputs: host,
        expected: copies(expectedByName),
        absent: parameters.map(({ name }) => name).filter((name) => !(name in host)),
      });
      contestants.push(...found.contestants);
      row.notes.push(...found.notes);
    }
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
    return row;
  }
}

/**
 * Copies of what a call changes in place (of everything when no case is named), so that `tensors`
 * stays as it was.
 */
function copies(tensors: Tensors, at?: Case): Tensors {
  const changed =
    at &&
    new Set(
      describe(at.operation)!
        .parameters.filter(({ inPlace }) => inPlace)
        .map(({ name }) => name),
    );
  return Object.fromEntries(
    Object.entries(tensors).map(([name, value]) => {
      if (changed && !changed.has(name)) return [name, value];
      const copy = zeros(value.shape, { dtype: value.dtype });
      (copy.data as Float32Array).set(value.data as Float32Array);
      return [name, copy];
    }),
  );
}
