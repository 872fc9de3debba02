// A network on one event through the C interface: a C++ program of bench/native with its own clock
// and count of allocations.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Bench, Row } from '../bench';
import type { Tensors } from '../cases';
import { tensor } from '../library';
import { nativeProgram } from '../machine';
import { type Contestant, measure } from '../measure';

const run = promisify(execFile);

export interface EventNetwork {
  program: string;
  /** The peer's name, in bench/peers. */
  peer: string;
  /** What the program's file begins with. */
  counts: number[];
  /** In the order of the program's file. */
  inputs: Tensors;
  score: number;
  tolerance: number;
  nodes: number;
  flops: number;
}

interface Report {
  score: number;
  allocations: number | null;
  variant: string;
  us: number[];
}

/** Fills the row: score against the expected one, allocations, timings beside the peers. */
export async function timeEventProgram(network: EventNetwork, bench: Bench, row: Row): Promise<Row> {
  const program = nativeProgram(network.program);
  if ('problem' in program) return { ...row, problem: program.problem };
  const folder = mkdtempSync(join(tmpdir(), 'upsilon-event-')),
    file = join(folder, 'event');
  const parts = [Int32Array.from(network.counts), ...Object.values(network.inputs).map(({ data }) => data)];
  writeFileSync(
    file,
    Buffer.concat(parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength))),
  );
  const ask = async (calls: number): Promise<Report> =>
    JSON.parse((await run(program.path, [file, String(calls)], { maxBuffer: 2 ** 26 })).stdout) as Report;
  try {
    const first = await ask(100);
    row.error = Math.abs(first.score - network.score);
    row.variant = first.variant;
    row.flops = network.flops;
    row.figures = { 'allocations in 100 calls': first.allocations, particles: network.nodes };
    if (!(row.error <= network.tolerance)) row.problem = `the score is ${first.score} (expected ${network.score})`;
    if (first.allocations !== 0 && first.allocations !== null)
      row.problem = `${first.allocations} allocations in 100 calls (expected 0)`;
    const contestants: Contestant[] = [
      { name: 'upsilon', sample: async (calls) => (await ask(calls)).us.map((us) => us / 1e3) },
    ];
    if (bench.peers) {
      const expected = { y: tensor(Float32Array.of(network.score)) };
      const found = await bench.peers.openModel(network.peer, network.inputs, expected);
      contestants.push(...found.contestants);
      row.notes.push(...found.notes);
    }
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return row;
}
