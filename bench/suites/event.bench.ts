// One event at a time through the C interface: the network of the selective background simulation on a tree of 41 particles,
// one thread, in a C++ program that counts its allocations (bench/native/one_event.cc). For peers on one thread run it with
// --threads 1.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { tableFromIPC } from 'apache-arrow';

import type { Bench, BenchCase, Row } from '../bench';
import type { Tensors } from '../cases';
import { safetensors, tensor } from '../library';
import { nativeProgram, root } from '../machine';
import { type Contestant, measure, type Timing } from '../measure';

const example = join(root, 'examples', 'selective-background-simulation');
const featureColumns = ['productionTime', 'x', 'y', 'z', 'energy', 'px', 'py', 'pz'];
const run = promisify(execFile);

/** The event nearest to 41 particles as the network takes it, with the weights and PyTorch's score. */
function prepare(): { inputs: Tensors; expected: number; nodes: number } {
  const weights = safetensors.load(join(example, 'model.safetensors'));
  const table = tableFromIPC(readFileSync(join(example, 'events.arrow')));
  const column = (name: string, event: number): number[] =>
    Array.from(table.getChild(name)!.get(event) as Iterable<number>);
  let event = 0,
    nodes = 0;
  for (let i = 0; i < table.numRows; ++i) {
    const size = (table.getChild('pdg')!.get(i) as { length: number }).length;
    if (Math.abs(size - 41) < Math.abs(nodes - 41)) [event, nodes] = [i, size];
  }
  const known = new Map<number, number>();
  (weights['tokens.pdg'].data as Int32Array).forEach((code, i) => known.set(code, i + 1));
  const tokens = Int32Array.from(column('pdg', event), (code) => known.get(code) ?? 0);
  const mean = weights['features.mean'].data,
    scale = weights['features.scale'].data;
  const features = new Float32Array(nodes * featureColumns.length);
  featureColumns.forEach((name, f) =>
    column(name, event).forEach((value, i) => {
      features[i * featureColumns.length + f] = (Math.fround(value) - Number(mean[f])) / Number(scale[f]);
    }),
  );
  const golden = safetensors.load(join(root, 'test', 'golden', 'pass-probability.safetensors'));
  const inputs: Tensors = {
    tokens: tensor(tokens),
    mother: tensor(Int32Array.from(column('mother', event))),
    features: tensor(features, { shape: [nodes, featureColumns.length] }),
    table: weights['embedding.weight'],
  };
  for (const layer of [1, 2, 3]) {
    for (const part of ['self', 'parent', 'daughters'])
      inputs[`${part}${layer}`] = weights[`conv${layer}.${part}.weight`]!;
    inputs[`bias${layer}`] = weights[`conv${layer}.bias`]!;
  }
  Object.assign(inputs, { output_weight: weights['output.weight'], output_bias: weights['output.bias'] });
  return { inputs, expected: Number(golden['passProbability'].data[event]), nodes };
}

class OneEvent implements BenchCase {
  readonly suite = 'event';
  readonly name = 'one event of 41 particles, whole network, C interface, one thread';
  readonly small = true;

  async run(bench: Bench): Promise<Row> {
    const row: Row = { case: `${this.suite}/${this.name}`, timings: {}, notes: [], ours: 'upsilon' };
    const program = nativeProgram('upsilon_one_event');
    if ('problem' in program) return { ...row, problem: program.problem };
    const { inputs, expected, nodes } = prepare();
    const [kinds, width] = inputs['table'].shape as [number, number];
    const hidden = inputs['self1'].shape[0];
    const folder = mkdtempSync(join(tmpdir(), 'upsilon-event-')),
      file = join(folder, 'event');
    const parts = [
      Int32Array.of(nodes, kinds, width, featureColumns.length, hidden),
      ...Object.values(inputs).map(({ data }) => data),
    ];
    writeFileSync(
      file,
      Buffer.concat(parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength))),
    );
    const ask = async (
      calls: number,
    ): Promise<{ passProbability: number; allocations: number | null; variant: string; us: number[] }> =>
      JSON.parse((await run(program.path, [file, String(calls)], { maxBuffer: 2 ** 26 })).stdout) as never;
    try {
      const first = await ask(100);
      row.error = Math.abs(first.passProbability - expected);
      row.variant = first.variant;
      if (!(row.error <= 1e-5)) row.problem = `the score is ${first.passProbability}, PyTorch's ${expected}`;
      row.figures = { 'allocations in 100 calls': first.allocations, particles: nodes };
      if (first.allocations !== 0 && first.allocations !== null)
        row.problem = `${first.allocations} allocations in 100 calls (expected 0)`;
      row.flops = 2 * nodes * hidden * 3 * (width + featureColumns.length + 2 * hidden);
      const contestants: Contestant[] = [
        { name: 'upsilon', sample: async (calls) => (await ask(calls)).us.map((us) => us / 1e3) },
      ];
      if (bench.peers) {
        const found = await bench.peers.openModel('event_network', inputs, { y: tensor(Float32Array.of(expected)) });
        contestants.push(...found.contestants);
        row.notes.push(...found.notes);
      }
      const timings: Record<string, Timing> = await measure(contestants, bench.effort);
      row.timings = timings;
      await bench.peers?.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return row;
  }
}

export function suite(): BenchCase[] {
  return [new OneEvent()];
}
