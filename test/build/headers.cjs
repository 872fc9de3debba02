// Fails where a shared header of the kernels does not include what it needs: each is compiled as
// the only one of a source. (An operation's <op>.h and <op>_call.h are the first that its own
// sources include.)
//   node test/build/headers.cjs [build folder of CMake, for the paths of the installed names]
'use strict';
const { execFile } = require('node:child_process');
const { mkdtempSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');

const root = path.join(__dirname, '..', '..');
const build = path.resolve(process.argv[2] ?? path.join(root, 'build'));
const compiler = process.env.CXX ?? 'c++';
const flags = ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-Wall', '-Wextra', '-Wno-psabi', '-Wno-unknown-pragmas'];
// Functions of a header that nobody calls here.
flags.push('-Wno-unused-function', '-Wno-unused-const-variable', '-Werror');
for (const folder of ['native/include', 'native', 'native/core', 'kernels', 'native/cuda'])
  flags.push(`-I${path.join(root, folder)}`);
flags.push(`-I${path.join(build, 'include')}`);

// Parts of each_isa.h.
const parts = new Set(['lib/precompiled.h', 'lib/simd/each_isa.h', 'lib/simd/next_isa.h', 'lib/simd/simd.h']);
const headers = readdirSync(path.join(root, 'kernels'), { recursive: true })
  .map((name) => name.split(path.sep).join('/'))
  .filter((name) => /^lib\/.*\.h$|\.simd\.h$|\.cuh$/.test(name) && !parts.has(name));

const scratch = mkdtempSync(path.join(os.tmpdir(), 'upsilon-headers-'));
function sourceOf(header, index) {
  const file = path.join(scratch, `${index}.cc`);
  const text = header.endsWith('.simd.h')
    ? `#define UPS_SIMD_SOURCE "${file}"\n#include "lib/simd/each_isa.h"\n#include "${header}"\n`
    : `#include "${header}"\n`;
  writeFileSync(file, text);
  return file;
}

async function main() {
  const problems = [];
  const waiting = headers.map((header, index) => ({ header, file: sourceOf(header, index) }));
  const work = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { header, file } = next;
      await promisify(execFile)(compiler, [...flags, file]).catch(({ stderr }) => {
        problems.push(`kernels/${header} does not compile on its own:\n${stderr.split('\n').slice(0, 6).join('\n')}`);
      });
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, work));
  rmSync(scratch, { recursive: true });
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exit(1);
  console.log(`${headers.length} headers compile on their own`);
}
void main();
