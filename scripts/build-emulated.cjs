// `npm run build:emulated`: the CUDA kernels compiled for the CPU, for tests, beside upsilon.node.
// Needs CMake; without it there is nothing to do, and the tests say that they skip the emulated
// device.
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { configure, hasCMake, root, run } = require('./machine.cjs');

if (!hasCMake()) {
  console.error('upsilon-kernels: CMake 3.20 is not found, so the emulated device is not built');
  process.exit(0);
}
// In the folder that CMake built the addon in, or one of its own where node-gyp did.
const folder = fs.existsSync(path.join(root, 'build', 'CMakeCache.txt')) ? 'build' : 'build-emulated';
const ownFolder = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DUPSILON_BUILD_ADDON=OFF',
  '-DUPSILON_BUILD_SHARED=OFF',
  `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${path.join(root, 'build', 'Release')}`,
];
const configured = configure(folder, ['-DUPSILON_EMULATED=ON', ...(folder === 'build' ? [] : ownFolder)]);
const jobs = String(os.availableParallelism());
process.exit(configured && run('cmake', ['--build', folder, '-j', jobs, '--target', 'upsilon_emulated']) ? 0 : 1);
