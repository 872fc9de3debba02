// Prints the sources that binding.gyp compiles, one per line: `node native/gyp/sources.cjs
// reference|rest`. The globs are those of CMakeLists.txt. With `defines`, what they are compiled
// with on this machine.
'use strict';
const { readdirSync } = require('node:fs');
const path = require('node:path');
const { lacksAvx512 } = require('../../scripts/machine.cjs');

const root = path.join(__dirname, '..', '..');
const sourcesIn = (folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .map((name) => `${folder}/${name.split(path.sep).join('/')}`)
    .filter((name) => name.endsWith('.cc'))
    .sort();

const kernels = sourcesIn('kernels');
const isReference = (file) => !file.endsWith('.cpu.cc') && !file.startsWith('kernels/lib/');
const lists = {
  reference: kernels.filter(isReference),
  rest: [...sourcesIn('native/addon'), ...sourcesIn('native/core'), ...kernels.filter((file) => !isReference(file))],
};
lists.defines = ['UPS_BUILDING', ...(lacksAvx512() ? ['UPS_WITHOUT_AVX512'] : [])];
console.log(lists[process.argv[2]].join('\n'));
