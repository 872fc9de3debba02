// Fails when binding.gyp and CMakeLists.txt do not make the addon of the same sources, when one of
// the sources that are there is not among them, or when they do not agree on which are the
// reference that no vectoriser may touch. Reads what the two builds compiled.
//   node test/build/same_sources.cjs <build folder of node-gyp> <build folder of CMake>
'use strict';
const assert = require('node:assert');
const { readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');

const [gypBuild, cmakeBuild] = process.argv.slice(2);

// Release/obj.target/<target>/<source without .cc>.o
function compiledByGyp(target) {
  const folder = path.join(gypBuild, 'Release', 'obj.target', target);
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.o'))
    .map((name) => name.replace(/\.o$/, '.cc'));
}

// CMake compiles the core and the addon as one file each, which includes their sources.
function sourcesOf({ command, file }) {
  const files = file.endsWith('.cc')
    ? [file]
    : [...readFileSync(file, 'utf8').matchAll(/^#include "(.+\.cc)"$/gm)].map(([, included]) => included);
  return files.map((name) => ({ command, file: /\/((?:kernels|native)\/(?:[^/]+\/)*[^/]+)$/.exec(name)[1] }));
}

const commands = JSON.parse(readFileSync(path.join(cmakeBuild, 'compile_commands.json'), 'utf8'))
  .filter(({ command }) => /-o CMakeFiles\/upsilon_(objects|node)\.dir\//.test(command))
  .filter(({ file }) => /\.cc$|\/Unity\/[^/]+\.cxx$/.test(file))
  .flatMap(sourcesOf);
const isUnvectorised = ({ command }) => command.includes('-fno-tree-vectorize');
const files = (list) => list.map(({ file }) => file).sort();

const reference = compiledByGyp('upsilon_reference').sort();
const rest = compiledByGyp('upsilon').sort();
const root = path.join(__dirname, '..', '..');
const there = ['kernels', 'native/addon', 'native/core'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `${folder}/${name}`),
);
assert.deepStrictEqual([...reference, ...rest].sort(), there.sort());
assert.deepStrictEqual(reference, files(commands.filter(isUnvectorised)));
assert.deepStrictEqual(rest, files(commands.filter((entry) => !isUnvectorised(entry))));
console.log(`node-gyp and CMake compile the same: ${reference.length} reference sources, ${rest.length} others`);
