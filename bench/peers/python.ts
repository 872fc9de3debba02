// The process of serve.py, asked line by line.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

import { root } from '../machine';
import type { Contestant } from '../measure';

export class PythonProcess {
  private waiting: { resolve: (answer: unknown) => void; reject: (error: Error) => void } | undefined;
  private ended: Error | undefined;
  private readonly lines: Interface;

  private constructor(
    private readonly process: ChildProcessByStdio<Writable, Readable, null>,
    name: string,
  ) {
    this.lines = createInterface({ input: process.stdout });
    this.lines.on('line', (line) => {
      const answer = JSON.parse(line) as { problem?: string };
      const asked = this.waiting;
      this.waiting = undefined;
      if (answer.problem !== undefined) asked?.reject(new Error(answer.problem));
      else asked?.resolve(answer);
    });
    const end = (why: string): void => {
      this.ended = new Error(why);
      this.waiting?.reject(this.ended);
      this.waiting = undefined;
    };
    process.on('error', (error) => end(`${name} does not start: ${error.message}`));
    process.on('exit', (code) => end(`${name} ended with status ${code}`));
    process.stdin.on('error', () => end(`${name} does not listen any more`));
  }

  static async start(program: string | undefined, threads: number): Promise<PythonProcess> {
    const own = join(root, 'bench', 'peers', '.venv', 'bin', 'python');
    const python = program ?? (existsSync(own) ? own : 'python3');
    const count = String(threads);
    const child = spawn(python, ['-W', 'ignore', join(root, 'bench', 'peers', 'serve.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count, MKL_NUM_THREADS: count },
    });
    return Promise.resolve(new PythonProcess(child, python));
  }

  ask<T>(request: Record<string, unknown>): Promise<T> {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise<T>((resolve, reject) => {
      this.waiting = { resolve: resolve as (answer: unknown) => void, reject };
      this.process.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  contestant(name: string): Contestant {
    return {
      name,
      sample: async (calls) => (await this.ask<{ ms: number[] }>({ do: 'sample', peer: name, calls })).ms,
    };
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    await new Promise<void>((resolve) => {
      this.process.once('exit', () => resolve());
      this.process.stdin.end();
    });
  }
}
