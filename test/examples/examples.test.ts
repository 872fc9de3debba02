// The examples run, learn, and read files that hold what they say.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as ups from 'upsilon-kernels';

const folder = mkdtempSync(join(tmpdir(), 'upsilon-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));
const examples = join(__dirname, '..', '..', 'examples');
const run = (...words: string[]): string =>
  execFileSync(
    process.execPath,
    words.map((word, i) => (i === 0 ? join(examples, word) : word)),
    { encoding: 'utf8' },
  );
const numbersOf = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].map(([, found]) => Number(found));

describe('continuum-suppression', () => {
  test('learns more than thrust knows', () => {
    const picture = join(folder, 'continuum-suppression.svg');
    const output = run('continuum-suppression/train.mjs', '--epochs', '6', '--picture', picture);
    const [after, before] = numbersOf(output, /^fused .*: AUC ([\d.]+)/gm);
    const [thrust] = numbersOf(output, /^thrust alone: AUC ([\d.]+)/gm);
    expect(thrust).toBeGreaterThan(0.85);
    expect(after).toBeGreaterThan(thrust);
    expect(before).toBeGreaterThan(thrust);
    expect(readFileSync(picture, 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);
  });
});

describe('decay-reconstruction', () => {
  test('learns, twice the same', () => {
    const picture = join(folder, 'decay-reconstruction.svg');
    const train = (): string => run('decay-reconstruction/train.mjs', '--quick', '--picture', picture);
    const output = train();
    const losses = numbersOf(output, /^step \d+: loss ([\d.]+)/gm);
    expect(losses.length).toBeGreaterThan(5);
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]);
    expect(readFileSync(picture, 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);
    const withoutTimes = (text: string): string => text.replace(/[\d.]+ s( in all)?$/gm, '');
    expect(withoutTimes(train())).toBe(withoutTimes(output));
  });

  test("the file's truth: daughters' momenta add up to their mothers' masses", () => {
    const table = ups.arrow.open(join(examples, 'decay-reconstruction', 'events.arrow'));
    const list = (name: string): any => table.getChild(name)!;
    const masses: Record<number, number> = { 22: 0, 211: 0.13957, 321: 0.493677 };
    const found: Record<number, number[]> = { 111: [], 421: [], 521: [] };
    expect(table.numRows).toBeGreaterThan(1000);
    for (let row = 0; row < 1000; ++row) {
      const [px, py, pz, charge, mother, pdg] = ['px', 'py', 'pz', 'charge', 'mother', 'pdg'].map((name) =>
        Array.from(list(name).get(row).toArray() as ArrayLike<number>),
      );
      const sums = pdg.map(() => [0, 0, 0, 0, 0]);
      px.forEach((_, i) => {
        // The other B's particles may be anything; only those of the forced decay and of pi0 have a
        // mother.
        if (mother[i] < 0) return;
        const p = [px[i], py[i], pz[i]];
        const all = [Math.hypot(masses[Math.abs(pdg[i])], ...p), ...p, charge[i]];
        for (let node = mother[i]; node >= 0; node = mother[node]) sums[node] = sums[node].map((x, k) => x + all[k]);
      });
      const daughters = (node: number): number => mother.filter((one) => one === node).length;
      for (let node = px.length; node < pdg.length; ++node) {
        const [energy, x, y, z, total] = sums[node];
        const code = Math.abs(pdg[node]);
        found[code].push(Math.sqrt(energy ** 2 - x ** 2 - y ** 2 - z ** 2));
        expect(total).toBe(code === 521 ? Math.sign(pdg[node]) : 0);
        expect(daughters(node)).toBe(code === 421 ? 3 : 2);
      }
      expect(pdg.filter((code) => Math.abs(code) === 521)).toHaveLength(1);
      expect(pdg.filter((code) => Math.abs(code) === 421)).toHaveLength(1);
    }
    const share = (values: number[], mass: number, within: number): number =>
      values.filter((value) => Math.abs(value - mass) < within).length / values.length;
    expect(share(found[111], 0.134977, 0.02)).toBeGreaterThan(0.95);
    expect(share(found[421], 1.86484, 0.05)).toBeGreaterThan(0.95);
    expect(share(found[521], 5.27941, 0.1)).toBeGreaterThan(0.95);
  });
});
