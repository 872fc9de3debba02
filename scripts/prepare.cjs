// Compiles the TypeScript of a source checkout after its dependencies are installed, and before it
// is packed. Without the TypeScript compiler (npm ci --omit=dev) this does nothing, and the scripts
// that need dist/ report it.
'use strict';
const { run } = require('./machine.cjs');

let compiler;
try {
  compiler = require.resolve('typescript/bin/tsc');
} catch {
  console.error('upsilon-kernels: TypeScript is not installed, so dist/ is not compiled');
  process.exit(0);
}
process.exit(run(process.execPath, [compiler, '-p', 'tsconfig.json']) ? 0 : 1);
