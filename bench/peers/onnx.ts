// onnxruntime-node, when it is installed under bench/: a session per model, its output written into
// a tensor that is reused.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { safetensors, type Tensor } from '../library';
import { root } from '../machine';
import { type Contestant, timedAsync } from '../measure';
import { relativeError } from '../reference';

interface OnnxTensor {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}
interface Session {
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OnnxTensor>, fetches?: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor>>;
  release(): Promise<void>;
}
interface Runtime {
  InferenceSession: { create(path: string, options: Record<string, unknown>): Promise<Session> };
  Tensor: new (type: string, data: unknown, dims: readonly number[]) => OnnxTensor;
}

const typeNames: Readonly<Record<string, string>> = {
  float32: 'float32',
  float64: 'float64',
  int32: 'int32',
  int64: 'int64',
};
const tolerance = 2e-4;

export class OnnxRuntime {
  private sessions: Session[] = [];

  private constructor(
    private readonly runtime: Runtime,
    readonly version: string,
    private readonly threads: number,
  ) {}

  static find(threads: number): OnnxRuntime | { problem: string } {
    const require = createRequire(join(root, 'bench', 'package.json'));
    try {
      const main = require.resolve('onnxruntime-node');
      const packageFile = join(dirname(main), '..', 'package.json');
      const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };
      return new OnnxRuntime(require('onnxruntime-node') as Runtime, version, threads);
    } catch (error) {
      return { problem: `no onnxruntime-node: ${(error as Error).message.split('\n')[0]}` };
    }
  }

  /** A contestant, or why it cannot take part. */
  async open(
    { name, model, feeds }: { name: string; model: string; feeds: string },
    expected?: Tensor,
  ): Promise<Contestant | string> {
    const session = await this.runtime.InferenceSession.create(model, {
      executionProviders: ['cpu'],
      intraOpNumThreads: this.threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    this.sessions.push(session);
    const inputs = Object.fromEntries(
      Object.entries(safetensors.load(feeds)).map(([key, tensor]) => [
        key,
        new this.runtime.Tensor(typeNames[tensor.dtype], tensor.data.slice(), tensor.shape),
      ]),
    );
    const output = session.outputNames[0];
    const first = (await session.run(inputs))[output];
    if (expected) {
      const error = relativeError(first.data, expected.data as Float32Array);
      if (!(error <= tolerance)) return `its result differs by ${error.toPrecision(2)}`;
    }
    const reused = { [output]: new this.runtime.Tensor('float32', new Float32Array(first.data.length), first.dims) };
    return timedAsync(name, () => session.run(inputs, reused));
  }

  async close(): Promise<void> {
    for (const session of this.sessions) await session.release();
    this.sessions = [];
  }
}
