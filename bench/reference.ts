// Results of the reference in float64, from a worker thread of its own: a thread keeps the variant
// that was forced when it made its first call, so this one computes with the reference whatever the
// bench itself is told to measure.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import { Kernel, tensor, type Tensor } from './library';

type Column = { data: Float64Array | Int32Array | Uint8Array; shape: readonly number[] } | undefined;
interface Request {
  operation: string;
  inputs: Column[];
  options: Record<string, unknown>;
  outputs: Column[];
  wanted: boolean[];
}
type Answer = { outputs: Column[] } | { problem: string };

const asTensor = (column: Column): Tensor | undefined => column && tensor(column.data, { shape: column.shape });
const asColumn = (value: Tensor | undefined): Column =>
  value && {
    data: value.dtype.startsWith('float')
      ? Float64Array.from(value.data as Float32Array)
      : (value.data as Int32Array | Uint8Array).slice(),
    shape: value.shape,
  };

if (!isMainThread && parentPort) {
  const port = parentPort;
  port.on('message', ({ operation, inputs, options, outputs, wanted }: Request) => {
    try {
      const found = new Kernel(operation).run(inputs.map(asTensor), options, outputs.map(asTensor), wanted);
      port.postMessage({ outputs: found.map(asColumn) } satisfies Answer);
    } catch (error) {
      port.postMessage({ problem: (error as Error).message } satisfies Answer);
    }
  });
}

export class Reference {
  private worker: Worker | undefined;

  /** Starts the thread; call it after the main thread made a call. */
  async start(): Promise<void> {
    const before = process.env['UPSILON_FORCE'];
    process.env['UPSILON_FORCE'] = 'reference';
    try {
      this.worker = new Worker(__filename);
      const one: Column = { data: Float64Array.of(1), shape: [1, 1] };
      await this.ask({
        operation: 'linear_forward',
        inputs: [one, one, undefined],
        options: {},
        outputs: [undefined],
        wanted: [true],
      });
    } finally {
      if (before === undefined) delete process.env['UPSILON_FORCE'];
      else process.env['UPSILON_FORCE'] = before;
    }
  }

  private async ask(request: Request): Promise<Column[]> {
    this.worker!.postMessage(request);
    const [answer] = (await once(this.worker!, 'message')) as [Answer];
    if ('problem' in answer) throw new Error(answer.problem);
    return answer.outputs;
  }

  /**
   * The results, in schema order. `outputs`: tensors of their shapes, with what is read by an
   * update in place.
   */
  async run(
    operation: string,
    inputs: (Tensor | undefined)[],
    options: Record<string, unknown>,
    outputs: (Tensor | undefined)[],
  ): Promise<Column[]> {
    const wanted = outputs.map((output) => output !== undefined);
    return this.ask({ operation, inputs: inputs.map(asColumn), options, outputs: outputs.map(asColumn), wanted });
  }

  async stop(): Promise<void> {
    await this.worker?.terminate();
  }
}

/** |found - expected| / |expected| over all elements. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0,
    size = 0;
  for (let i = 0; i < expected.length; ++i) {
    difference += (found[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(difference / Math.max(size, 1e-60));
}
