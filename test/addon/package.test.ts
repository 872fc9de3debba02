import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

function run(...options: string[]): string {
  return execFileSync(process.execPath, options, { cwd: root, encoding: 'utf8' }).trim();
}

test('require and import give the same functions, by name and as default', () => {
  const program = `
    import ups, { linear, random } from 'upsilon-kernels';
    import { linear as later } from 'upsilon-kernels/promises';
    import { createRequire } from 'node:module';
    const required = createRequire(import.meta.url)('upsilon-kernels');
    const y = await later([[1, 2]], [[3, 4]]);
    console.log(linear === ups.linear, linear === required.linear, typeof random.normal, y.item());`;
  expect(run('--input-type=module', '-e', program)).toBe('true true function 11');
});

test('loading starts no thread and opens no device', () => {
  const program = `
    const { readdirSync } = require('node:fs');
    const count = () => (process.platform === 'linux' ? readdirSync('/proc/self/task').length : 0);
    const before = count();
    require('upsilon-kernels');
    console.log(count() - before);`;
  expect(run('-e', program)).toBe('0');
});
