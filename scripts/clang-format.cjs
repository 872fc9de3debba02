// Formats the C, C++ and CUDA sources: `node scripts/clang-format.cjs --check | --write`. The
// binary comes from npm, so that everybody has the same version of it.
'use strict';
const { readdirSync } = require('node:fs');
const path = require('node:path');
const { root, run } = require('./machine.cjs');

function sourcesBelow(folder) {
  return readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => /\.(c|cc|cuh?|h|hpp)$/.test(name) && !/(^|\/)(build|node_modules|\.)[^/]*\//.test(name))
    .map((name) => path.join(folder, name));
}

const files = ['native', 'kernels', 'test', 'tools', 'bench', 'examples'].flatMap((folder) => {
  try {
    return sourcesBelow(folder);
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
});
const mode = process.argv[2] === '--write' ? ['-i'] : ['--dry-run', '--Werror'];
const clangFormat = require.resolve('clang-format-node/package.json').replace(/package\.json$/, 'build/cli.js');
process.exit(run(process.execPath, [clangFormat, ...mode, ...files]) ? 0 : 1);
