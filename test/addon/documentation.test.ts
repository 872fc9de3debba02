import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// The JavaScript on the pages a user reads is whole programs, and they run.
const root = join(__dirname, '..', '..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? `docs/${name}` : [])),
];
const programs = pages.flatMap((page) => {
  const blocks = [...readFileSync(join(root, page), 'utf8').matchAll(/^```js\n(.*?)^```$/gms)];
  return blocks.map(([, program], i) => [`${page}, ${i + 1}`, program] as const);
});

test('there are programs', () => {
  expect(programs.length).toBeGreaterThan(1);
});

test.each(programs)('%s', (_, program) => {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(output).not.toBe('');
});
