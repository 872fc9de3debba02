// The table on the terminal, the JSON file, and the comparison with an earlier one.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import type { Row } from './bench';
import { bandwidthFor, type Ceilings } from './machine';

export interface Results {
  machine: Record<string, unknown>;
  settings: Record<string, unknown>;
  ceilings: Ceilings | undefined;
  peers: Record<string, unknown> | undefined;
  rows: (Row & Derived)[];
}

/** What follows from a row and the ceilings. */
export interface Derived {
  median_ms?: number;
  floor_ms?: number;
  share_of_ceiling?: number;
  best_peer?: string;
  ratio?: number;
}

export function derive(row: Row, ceilings: Ceilings | undefined): Row & Derived {
  const found: Row & Derived = { ...row };
  const mine = row.ours === undefined ? undefined : row.timings[row.ours];
  if (!mine) return found;
  found.median_ms = mine.median_ms;
  if (ceilings && row.bytes !== undefined) {
    found.floor_ms = 1e3 * Math.max((row.flops ?? 0) / ceilings.flops, row.bytes / bandwidthFor(ceilings, row.bytes));
    found.share_of_ceiling = found.floor_ms / mine.median_ms;
  }
  for (const [name, timing] of Object.entries(row.timings)) {
    if (name.startsWith('upsilon')) continue;
    const ratio = timing.median_ms / mine.median_ms;
    if (found.ratio === undefined || ratio < found.ratio) Object.assign(found, { ratio, best_peer: name });
  }
  return found;
}

export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  if (ms >= 1) return `${ms.toPrecision(3)} ms`;
  return ms >= 1e-3 ? `${(ms * 1e3).toPrecision(3)} us` : `${(ms * 1e6).toPrecision(3)} ns`;
}

function speed(row: Row, ms: number): string {
  if (row.flops && row.flops >= (row.bytes ?? 0)) return `${(row.flops / ms / 1e6).toPrecision(3)} GFLOP/s`;
  return row.bytes ? `${(row.bytes / ms / 1e6).toPrecision(3)} GB/s` : '';
}

export const header = `${'case'.padEnd(84)}${'median'.padStart(10)}${'p99'.padStart(10)}${'speed'.padStart(17)}${'ceiling'.padStart(9)}  against`;

export function lines(row: Row & Derived, earlier: (Row & Derived) | undefined): string[] {
  const printed: string[] = [];
  if (row.problem !== undefined) printed.push(`${row.case.padEnd(84)}  FAILED: ${row.problem}`);
  for (const [name, timing] of Object.entries(row.timings)) {
    const mine = name === row.ours;
    const start = (mine ? row.case : `    ${name}`).padEnd(84);
    const numbers = duration(timing.median_ms).padStart(10) + duration(timing.p99_ms).padStart(10);
    const share = mine && row.share_of_ceiling !== undefined ? `${Math.round(100 * row.share_of_ceiling)} %` : '';
    const ratio = mine || row.median_ms === undefined ? '' : `  ${(timing.median_ms / row.median_ms).toPrecision(3)}x`;
    printed.push(`${start}${numbers}${speed(row, timing.median_ms).padStart(17)}${share.padStart(9)}${ratio}`);
  }
  if (Object.keys(row.timings).length === 0 && row.figures) printed.push(row.case);
  for (const [name, value] of Object.entries(row.figures ?? {})) printed.push(`    ${name}: ${String(value)}`);
  for (const note of row.notes) printed.push(`    ${note}`);
  if (earlier?.median_ms !== undefined && row.median_ms !== undefined) {
    const change = row.median_ms / earlier.median_ms;
    printed.push(
      `    before: ${duration(earlier.median_ms)}, now ${change < 1 ? `${(1 / change).toPrecision(3)}x faster` : `${change.toPrecision(3)}x as long`}`,
    );
  }
  return printed;
}

export function readResults(path: string): Results {
  return JSON.parse(readFileSync(path, 'utf8')) as Results;
}

export function writeText(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

export function writeResults(path: string, results: Results): void {
  writeText(path, `${JSON.stringify(results, null, 1)}\n`);
}
