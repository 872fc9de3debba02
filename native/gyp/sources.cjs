// Prints the sources that binding.gyp compiles, one per line: `node native/gyp/sources.cjs reference|rest`. The globs
// are those of CMakeLists.txt.
'use strict';
const { readdirSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..', '..');
const sourcesIn = (folder) =>
  readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith('.cc'))
    .sort()
    .map((name) => `${folder}/${name}`);
const kernelFolders = readdirSync(path.join(root, 'kernels'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => `kernels/${entry.name}`)
  .sort();

const kernels = kernelFolders.flatMap(sourcesIn);
const isReference = (file) => !file.endsWith('.cpu.cc') && !file.startsWith('kernels/common/');
const lists = {
  reference: kernels.filter(isReference),
  rest: [...sourcesIn('native/addon'), ...sourcesIn('native/core'), ...kernels.filter((file) => !isReference(file))],
};
console.log(lists[process.argv[2]].join('\n'));
