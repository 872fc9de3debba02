// What a call is bound to do: arithmetic by the formulas of kernels/<op>/work.json, bytes by its
// tensors.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from './machine';

export interface Work {
  flops: number;
  bytes: number;
}

const formulas: Record<string, { flops?: string }> = {};
for (const folder of readdirSync(join(root, 'kernels'))) {
  const file = join(root, 'kernels', folder, 'work.json');
  if (existsSync(file)) Object.assign(formulas, JSON.parse(readFileSync(file, 'utf8')));
}

/** Arithmetic operations; dimensions that a call does not have (layers of an mlp) count 0. */
export function flopsOf(operation: string, dims: Readonly<Record<string, number>>): number {
  const formula = formulas[operation]?.flops;
  if (formula === undefined) return 0;
  const names = [...new Set(formula.match(/[A-Za-z]\w*/g))].filter((name) => name !== 'min' && name !== 'max');
  // The formulas are files of this repository, and Python's interpreter reads them too.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const evaluate = new Function('min', 'max', ...names, `return ${formula};`) as (...values: unknown[]) => number;
  return evaluate(Math.min, Math.max, ...names.map((name) => dims[name] ?? 0));
}
