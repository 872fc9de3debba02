// Prints what compiling took, in processor seconds: for every operation and room its reference, its
// SIMD variants and its emulated device code, then the costliest sources. The build was configured
// with .ci/timed as its compiler launcher. Prints only: what a machine was busy with meanwhile
// moves these numbers by a fifth.
//   node scripts/compile-times.cjs build
'use strict';
const { readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');

const budget = 6; // of an operation; CONTRIBUTING.md says what for
const build = process.argv[2] ?? 'build';

// The object's name ends with the source's path below the root; `__` is a step up out of the folder
// of a CMakeLists.txt.
const isTimed = /(?:^|\/)((?:kernels|native|test|bench)\/.+\.(?:cc|cu))\.o\.seconds$/;
const kinds = [
  ['SIMD', /\.cpu\.cc$/],
  ['device', /\.cu$/],
  ['C++', /\.cc$/],
];

// The core and the addon are compiled as one: build/CMakeFiles/<target>.dir/Unity/unity_0_cxx.cxx
// includes their files. They are named by their folder.
const isWhole = /\/Unity\/[^/]+\.cxx\.o\.seconds$/;
function folderOfWhole(file) {
  const text = readFileSync(path.join(build, file.replace(/\.o\.seconds$/, '')), 'utf8');
  return `${/\/(native\/[^/"]+)\/[^/"]+\.cc"/.exec(text)[1]}/*.cc`;
}

function* timedSources() {
  for (const name of readdirSync(build, { recursive: true })) {
    const file = name.split(path.sep).join('/');
    const source =
      isTimed.exec(file)?.[1] ??
      (isWhole.test(file) ? folderOfWhole(file) : file.endsWith('.gch.seconds') ? 'precompiled headers' : undefined);
    if (!source) continue;
    const seconds = readFileSync(path.join(build, name), 'utf8').trim().split(/\s+/).map(Number);
    yield { source, seconds: seconds[0] + seconds[1] };
  }
}

// kernels/lib/dense/matmul.cpu.cc: lib/dense; kernels/linear/linear.cu: linear;
// native/core/gate.cc: native/core
function roomOf(source) {
  const [top, ...below] = path.posix.dirname(source).split('/');
  if (top !== 'kernels') return [top, below[0]].filter((part) => part && part !== '.').join('/') || source;
  return below[0] === 'lib' ? below.slice(0, 2).join('/') : below[0];
}

const rooms = new Map();
const sources = [...timedSources()].sort((a, b) => b.seconds - a.seconds);
for (const { source, seconds } of sources) {
  const room = roomOf(source === 'precompiled headers' ? `${source}/` : source);
  if (!rooms.has(room)) rooms.set(room, { room, total: 0, isOperation: /^kernels\/(?!lib\/)/.test(source) });
  const row = rooms.get(room);
  const kind = kinds.find(([, pattern]) => pattern.test(source))?.[0] ?? 'C++';
  row[kind] = (row[kind] ?? 0) + seconds;
  row.total += seconds;
}
if (sources.length === 0) {
  console.log(`${build} has no recorded times: configure it with CMAKE_CXX_COMPILER_LAUNCHER=.ci/timed`);
  process.exit(0);
}

const cell = (value) => (value === undefined ? '' : value.toFixed(1)).padStart(8);
const columns = ['C++', 'SIMD', 'device', 'total'];
console.log(`processor seconds${' '.repeat(13)}${columns.map((name) => name.padStart(8)).join('')}`);
for (const row of [...rooms.values()].sort((a, b) => b.total - a.total)) {
  const beyond = row.isOperation && (row['C++'] ?? 0) + (row.SIMD ?? 0) > budget;
  const note = beyond ? `  more than the budget of ${budget}` : '';
  console.log(`${row.room.padEnd(30)}${columns.map((name) => cell(row[name])).join('')}${note}`);
}
console.log('\nthe costliest sources');
for (const { source, seconds } of sources.slice(0, 12)) console.log(`${cell(seconds)}  ${source}`);
console.log(`\n${sources.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(0)} s for ${sources.length} files`);
