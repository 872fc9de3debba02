// One event at a time through the C interface: the network of the selective background simulation
// on a tree of 41 particles, one thread, in a C++ program that counts its allocations
// (bench/native/tree_event.cc). For peers on one thread run it with
// --threads 1.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { tableFromIPC } from 'apache-arrow';

import type { Bench, BenchCase, Row } from '../bench';
import type { Tensors } from '../cases';
import { safetensors, tensor } from '../library';
import { root } from '../machine';
import { timeEventProgram } from './eventProgram';

const example = join(root, 'examples', 'selective-background-simulation');
const featureColumns = ['productionTime', 'x', 'y', 'z', 'energy', 'px', 'py', 'pz'];

/**
 * The event nearest to 41 particles as the network takes it, with the weights and PyTorch's score.
 */
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

  run(bench: Bench): Promise<Row> {
    const { inputs, expected, nodes } = prepare();
    const [kinds, width] = inputs['table'].shape as [number, number],
      features = featureColumns.length,
      hidden = inputs['self1'].shape[0];
    return timeEventProgram(
      {
        program: 'upsilon_tree_event',
        peer: 'event_network',
        counts: [nodes, kinds, width, features, hidden],
        inputs,
        score: expected,
        tolerance: 1e-5,
        nodes,
        flops: 2 * nodes * hidden * 3 * (width + features + 2 * hidden),
      },
      bench,
      { case: `${this.suite}/${this.name}`, timings: {}, notes: [], ours: 'upsilon' },
    );
  }
}

export function suite(): BenchCase[] {
  return [new OneEvent()];
}
