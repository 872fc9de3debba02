// Formats the C, C++ and CUDA sources: `node scripts/clang-format.cjs --check | --write`. The
// binary comes from npm, so that everybody has the same version of it.
'use strict';
const { run } = require('./machine.cjs');
const { filesBelow } = require('./sources.cjs');

const files = ['native', 'kernels', 'test', 'tools', 'bench', 'examples']
  .flatMap(filesBelow)
  .filter((name) => /\.(c|cc|cuh?|h|hpp)$/.test(name) && !/\/build[^/]*\//.test(name));
const mode = process.argv[2] === '--write' ? ['-i'] : ['--dry-run', '--Werror'];
const clangFormat = require.resolve('clang-format-node/package.json').replace(/package\.json$/, 'build/cli.js');
process.exit(run(process.execPath, [clangFormat, ...mode, ...files]) ? 0 : 1);
