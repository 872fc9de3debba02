// All peers of one case as contestants. What is not installed is said once and left out.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { safetensors } from '../library';
import type { Tensors } from '../cases';
import type { Contestant } from '../measure';
import type { Settings } from '../settings';
import { OnnxRuntime } from './onnx';
import { PythonProcess } from './python';

export interface Opened {
  operation: string;
  /** Forward and backward together. */
  both: boolean;
  dims: Record<string, number>;
  options: Record<string, unknown>;
  inputs: Tensors;
  /** Right results by the names of the outputs. */
  expected: Tensors;
  outputs: string[];
  /** Arguments that are left out. */
  absent: string[];
}

export class Peers {
  readonly versions: Record<string, unknown> = {};
  /** What is missing, one line each. */
  readonly missing: string[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'upsilon-bench-'));
  private python: PythonProcess | undefined;
  private onnx: OnnxRuntime | undefined;

  static async start(settings: Settings): Promise<Peers> {
    const peers = new Peers();
    try {
      const python = await PythonProcess.start(settings.python, settings.threads);
      peers.python = python;
      const found = await python.ask<Record<string, string | null>>({ do: 'hello', threads: settings.threads });
      Object.assign(peers.versions, found);
      for (const [name, version] of Object.entries(found))
        if (version === null) peers.missing.push(`Python has no ${name}`);
    } catch (error) {
      await peers.python?.stop();
      peers.python = undefined;
      peers.missing.push(`no peers in Python: ${(error as Error).message}`);
    }
    const onnx = OnnxRuntime.find(settings.threads);
    if ('problem' in onnx) peers.missing.push(onnx.problem);
    else {
      peers.onnx = onnx;
      peers.versions['onnxruntime-node'] = onnx.version;
      if (!peers.versions['onnx'])
        peers.missing.push("onnxruntime-node is here, but its models are built by Python's onnx");
    }
    return peers;
  }

  async open(wanted: Opened): Promise<{ contestants: Contestant[]; notes: string[] }> {
    const contestants: Contestant[] = [],
      notes: string[] = [];
    const python = this.python;
    if (!python) return { contestants, notes };
    const inputs = join(this.folder, 'inputs.safetensors'),
      expected = join(this.folder, 'expected.safetensors');
    safetensors.save(inputs, wanted.inputs);
    safetensors.save(expected, wanted.expected);
    const { operation, options, dims, absent, outputs, both } = wanted;
    if (this.versions['torch']) {
      try {
        const found = await python.ask<{ peers: string[]; left_out: Record<string, string> }>({
          do: 'open',
          operation,
          inputs,
          expected,
          outputs,
          absent,
          options,
          dims,
          both,
        });
        for (const name of found.peers) contestants.push(python.contestant(name));
        for (const [name, why] of Object.entries(found.left_out)) notes.push(`${name} is left out: ${why}`);
      } catch (error) {
        notes.push(`peers in Python are left out: ${(error as Error).message}`);
      }
    }
    if (this.onnx && this.versions['onnx'] && !both) {
      try {
        const { models } = await python.ask<{ models: { name: string; model: string; feeds: string }[] }>({
          do: 'model',
          operation,
          inputs,
          absent,
          options,
          dims,
          folder: this.folder,
        });
        const result = Object.values(wanted.expected)[0];
        for (const model of models) {
          const opened = await this.onnx.open(model, result);
          if (typeof opened === 'string') notes.push(`${model.name} is left out: ${opened}`);
          else contestants.push(opened);
        }
      } catch (error) {
        notes.push(`onnxruntime is left out: ${(error as Error).message}`);
      }
    }
    return { contestants, notes };
  }

  /** For suites that build models of their own. */
  async openModel(
    operation: string,
    inputs: Tensors,
    expected: Tensors,
  ): Promise<{ contestants: Contestant[]; notes: string[] }> {
    return this.open({
      operation,
      both: false,
      dims: {},
      options: {},
      inputs,
      expected,
      outputs: Object.keys(expected),
      absent: [],
    });
  }

  async close(): Promise<void> {
    if (this.python) await this.python.ask({ do: 'close' });
    await this.onnx?.close();
  }

  async stop(): Promise<void> {
    await this.python?.stop();
    await this.onnx?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
