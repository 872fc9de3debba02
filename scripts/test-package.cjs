// Packs the package as it would be published (after `npm run prebuild`), installs it without
// running any script into an empty project, and uses it there: require, import, types, and the CUDA
// package if it was built.
'use strict';
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { platform, root } = require('./machine.cjs');

if (!fs.existsSync(path.join(root, 'prebuilds', platform(), 'upsilon.node'))) {
  console.error('no prebuilt binary found: `npm run prebuild` makes it');
  process.exit(1);
}
const project = fs.mkdtempSync(path.join(os.tmpdir(), 'upsilon-package-'));
const cudaPackage = path.join(root, 'packages', `cuda-${platform()}`);
const hasCuda = fs.existsSync(path.join(cudaPackage, 'libupsilon_cuda.so'));

function packed(folder) {
  const args = ['pack', '--json', '--pack-destination', project];
  const output = execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  // What prepare prints stands before the list.
  const [{ filename, size, files }] = JSON.parse(output.slice(output.lastIndexOf('\n[') + 1));
  console.log(`${filename}: ${files.length} files, ${Math.round(size / 1024)} KiB`);
  return path.join(project, filename);
}

function inProject(command, ...args) {
  execFileSync(command, args, { cwd: project, stdio: ['ignore', 'inherit', 'inherit'] });
}

try {
  const packages = [packed(root), ...(hasCuda ? [packed(cudaPackage)] : [])];
  fs.writeFileSync(path.join(project, 'package.json'), '{ "name": "empty", "private": true }\n');
  inProject('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', ...packages);
  // The .in keeps the TypeScript file out of this repository's own compilations: it belongs to a
  // user's project.
  for (const name of ['required.cjs', 'imported.mjs', 'typed.ts.in'])
    fs.copyFileSync(path.join(root, 'test', 'package', name), path.join(project, name.replace('.in', '')));
  inProject(process.execPath, 'required.cjs', ...(hasCuda ? ['--cuda-package'] : []));
  inProject(process.execPath, 'imported.mjs');
  const strict = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--types', 'node'];
  const typeRoots = ['--typeRoots', path.join(root, 'node_modules', '@types')];
  for (const module of [
    ['--module', 'nodenext'],
    ['--module', 'commonjs', '--moduleResolution', 'node10'],
  ])
    inProject(process.execPath, require.resolve('typescript/bin/tsc'), ...strict, ...module, ...typeRoots, 'typed.ts');
  console.log('types: nodenext and node10');
} finally {
  fs.rmSync(project, { recursive: true });
}
