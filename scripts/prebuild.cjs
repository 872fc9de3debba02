// Makes the binaries that are published: prebuilds/<platform>/upsilon.node, which travels in the
// package, and, where nvcc is found, packages/cuda-<platform>/libupsilon_cuda.so, which is an
// optional package of its own.
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { configure, findNvcc, loads, platform, root, run } = require('./machine.cjs');

function must(done, what) {
  if (done) return;
  console.error(`upsilon-kernels: ${what}`);
  process.exit(1);
}

function publish(built, folder) {
  const copy = path.join(folder, path.basename(built));
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(built, copy);
  must(run('strip', process.platform === 'darwin' ? ['-x', copy] : ['--strip-unneeded', copy]), `cannot strip ${copy}`);
  console.log(`${path.relative(root, copy)}: ${Math.round(fs.statSync(copy).size / 1024)} KiB`);
  return copy;
}

const nvcc = process.env.UPSILON_CUDA === 'OFF' ? undefined : findNvcc();
const configured = configure('build', [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DUPSILON_BUILD_SHARED=OFF',
  '-DUPSILON_STATIC_RUNTIME=ON',
  '-DUPSILON_AVX512=ON',
  `-DUPSILON_CUDA=${nvcc ? 'ON' : 'OFF'}`,
]);
must(configured, 'CMake could not configure the build');
const targets = ['upsilon_node', ...(nvcc ? ['upsilon_cuda'] : [])];
const jobs = String(os.availableParallelism());
must(run('cmake', ['--build', 'build', '-j', jobs, '--target', ...targets]), 'the build failed');

const release = path.join(root, 'build', 'Release');
const addon = publish(path.join(release, 'upsilon.node'), path.join(root, 'prebuilds', platform()));
must(loads(addon), `${addon} cannot be loaded`);

if (nvcc) {
  const folder = path.join(root, 'packages', `cuda-${platform()}`);
  const { version } = require('../package.json');
  const plugin = require(path.join(folder, 'package.json'));
  must(plugin.version === version, `${plugin.name} is version ${plugin.version}, the package is ${version}`);
  publish(path.join(release, 'libupsilon_cuda.so'), folder);
  fs.copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'));
}
