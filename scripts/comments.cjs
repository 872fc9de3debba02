// Comment lines are at most 100 columns wide, in whatever language: `npm run lint` names those that
// are not. (The formatters leave comments as they are written.)
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./machine.cjs');
const { filesBelow } = require('./sources.cjs');

const maxColumns = 100;
const slashes = /^\s*(\/\/|\/\*|\* )/;
const hash = /^\s*#(?!(include|define|if|el|endif|pragma|undef|error))/;
const beginOf = {
  ...Object.fromEntries(
    ['ts', 'mjs', 'cjs', 'js', 'h', 'hpp', 'cc', 'cu', 'cuh', 'in'].map((kind) => [`.${kind}`, slashes]),
  ),
  // Programs have no extension.
  ...Object.fromEntries(['.py', '.sh', '.cmake', '.txt', '.yml', ''].map((kind) => [kind, hash])),
};
const folders = ['.ci', 'bench', 'cmake', 'examples', 'kernels', 'native', 'scripts', 'src', 'test', 'tools'];

let wrong = 0;
for (const file of ['CMakeLists.txt', 'eslint.config.mjs', 'jest.config.cjs', ...folders.flatMap(filesBelow)]) {
  const begin = beginOf[path.extname(file)];
  if (begin === undefined) continue;
  fs.readFileSync(path.join(root, file), 'utf8')
    .split('\n')
    .forEach((line, i) => {
      const columns = [...line].length;
      if (!begin.test(line) || columns <= maxColumns || line.includes('://')) return;
      console.error(`${file}:${i + 1}: a comment of ${columns} columns (at most ${maxColumns})`);
      wrong += 1;
    });
}
process.exitCode = wrong > 0 ? 1 : 0;
