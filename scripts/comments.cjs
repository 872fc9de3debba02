// Comment lines are at most 100 columns wide, in whatever language: `npm run lint` names those that
// are not. (The formatters leave comments as they are written.)
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const maxColumns = 100;
const comment = { slashes: /^\s*(\/\/|\/\*|\* )/, hash: /^\s*#(?!(include|define|if|el|endif|pragma|undef|error))/ };
const kinds = {
  '.ts .mjs .cjs .js .h .hpp .cc .cu .cuh .in': comment.slashes,
  '.py .sh .cmake .txt .yml': comment.hash,
};
const kindOf = (file) =>
  Object.entries(kinds).find(([extensions]) => extensions.split(' ').includes(path.extname(file)))?.[1];

const folders = ['bench', 'cmake', 'examples', 'kernels', 'native', 'scripts', 'src', 'test', 'tools'];
const foreign = /(^|\/)(node_modules|\.[^/]*)(\/|$)/;
const files = folders.flatMap((folder) =>
  fs
    .readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !foreign.test(file)),
);
let wrong = 0;
for (const file of files) {
  const kind = kindOf(file);
  if (kind === undefined) continue;
  fs.readFileSync(path.join(root, file), 'utf8')
    .split('\n')
    .forEach((line, i) => {
      if (!kind.test(line) || [...line].length <= maxColumns || line.includes('://')) return;
      console.error(`${file}:${i + 1}: a comment of ${[...line].length} columns (at most ${maxColumns})`);
      wrong += 1;
    });
}
process.exitCode = wrong > 0 ? 1 : 0;
