import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'upsilon-decorrelation-'));
const picture = join(folder, 'decorrelation.svg');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Numbers behind `name` in the lines that begin with `start`. */
function figures(output: string, start: string, name: string): number[] {
  const lines = output.split('\n').filter((line) => line.trimStart().startsWith(start));
  return lines.map((line) => Number(new RegExp(`${name} ([0-9.e+-]+)`).exec(line)?.[1]));
}

test('the study of decorrelation: the loss falls, and the term takes away what the score tells of the mass', () => {
  const output = execFileSync(
    process.execPath,
    [
      join('examples', 'decorrelation', 'study.mjs'),
      ...['--strengths', '0,30', '--seeds', '1', '--epochs', '10', '--picture', picture],
    ],
    { cwd: root, encoding: 'utf8' },
  );
  const [, first, last] = /cross entropy without the term: ([0-9.]+) to ([0-9.]+)/.exec(output) ?? [];
  expect(Number(last)).toBeLessThan(Number(first));
  const [without] = figures(output, 'strength 0 ', 'distance correlation'),
    [strong] = figures(output, 'strength 30', 'distance correlation');
  expect(strong).toBeLessThan(without / 2);
  const [power] = figures(output, 'strength 0 ', '1/background');
  expect(power).toBeGreaterThan(5);
  expect(existsSync(picture)).toBe(true);
  expect(readFileSync(picture, 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);
});
