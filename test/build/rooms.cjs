// Fails where a file includes what lies above it, or a kernel reads its call by position instead of
// by name, and names the line. What may include what:
//   kernels/lib/<room>    the rooms named for it below, native/core, native/cuda; no operation
//   kernels/<operation>   its own folder, kernels/lib, native/core, native/cuda; no other operation
//   native/core           itself; never a kernel
//   node test/build/rooms.cjs
'use strict';
const { readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..', '..');
// Beside itself and lib/kernel.h. A room that is not named here fails.
const below = {
  simd: [],
  math: ['simd', 'cuda'],
  cuda: [],
  segments: ['simd', 'math', 'cuda'],
  dense: ['simd', 'math', 'cuda', 'segments'],
  graph: ['simd', 'math', 'cuda', 'segments'],
  convolution: ['simd', 'math', 'cuda', 'dense'],
  attention: ['simd', 'math', 'cuda'],
};
const isSource = /\.(h|cuh|cc|cu)$/;
const sourcesIn = (folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .map((name) => `${folder}/${name.split(path.sep).join('/')}`)
    .filter((name) => isSource.test(name));

function whyNot(file, included) {
  const [top, room] = included.split('/');
  if (file.startsWith('native/core/')) {
    return top === 'lib' || operations.has(top) ? 'the core knows no kernel' : undefined;
  }
  const [, from, fromRoom] = file.split('/');
  if (from !== 'lib') {
    return operations.has(top) && top !== from ? 'what two operations share belongs into kernels/lib' : undefined;
  }
  if (operations.has(top)) return 'kernels/lib includes no operation';
  if (top !== 'lib' || included === 'lib/kernel.h' || file === 'kernels/lib/kernel.h' || room === fromRoom) return undefined;
  if (!(fromRoom in below)) return `the room ${fromRoom} is not named in test/build/rooms.cjs`;
  return below[fromRoom].includes(room) ? undefined : `${fromRoom} lies below ${room}`;
}

// Arguments, dimensions and options go by the names of the schema (native/core/named_call.h).
const byPosition = /\bcall\.(tensors|dims)\[|\bcall\.data<[^>]*>\(|\bcall\.option<|\bcall\.given\([^")]*\)/;

const operations = new Set(readdirSync(path.join(root, 'kernels')).filter((name) => !/^lib$|\./.test(name)));
let includes = 0;
const problems = [];
for (const file of [...sourcesIn('kernels'), ...sourcesIn('native/core')]) {
  readFileSync(path.join(root, file), 'utf8')
    .split('\n')
    .forEach((line, at) => {
      if (file.startsWith('kernels/') && byPosition.test(line)) problems.push(`${file}:${at + 1}: reads a call by position`);
      const included = /^\s*#\s*include\s+"([^"]+)"/.exec(line)?.[1];
      if (!included) return;
      ++includes;
      const problem = whyNot(file, included);
      if (problem) problems.push(`${file}:${at + 1}: includes ${included}, but ${problem}`);
    });
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`${includes} includes, none of what lies above; every call is read by name`);
