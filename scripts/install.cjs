// npm's install step: leaves a binary that loads, or says in one paragraph why there is none.
//   a prebuilt binary of this platform, else CMake, else node-gyp.
// UPSILON_BUILD_FROM_SOURCE=1 passes the prebuilt binary over, UPSILON_CUDA=OFF leaves the CUDA plug-in out,
// UPSILON_SKIP_INSTALL=1 does nothing, UPSILON_REQUIRE_BUILD=1 makes a missing binary an error.
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { configure, findNvcc, hasCMake, loads, platform, root, run } = require('./machine.cjs');

const { env } = process;
const say = (text) => console.error(`upsilon-kernels: ${text}`);
const isCheckout = fs.existsSync(path.join(root, 'src', 'index.ts'));
const built = path.join(root, 'build', 'Release', 'upsilon.node');
const jobs = String(os.availableParallelism());

function hasPrebuilt() {
  if (isCheckout || env.UPSILON_BUILD_FROM_SOURCE) return false;
  return loads(path.join(root, 'prebuilds', platform(), 'upsilon.node'));
}

function buildWithCMake() {
  if (!hasCMake()) return false;
  const nvcc = env.UPSILON_CUDA === 'OFF' ? undefined : findNvcc();
  say(`building with CMake${nvcc ? ', and the CUDA plug-in with nvcc (UPSILON_CUDA=OFF leaves it out)' : ''}`);
  const configured = configure('build', [
    '-DCMAKE_BUILD_TYPE=Release',
    '-DUPSILON_BUILD_SHARED=OFF',
    `-DUPSILON_EMULATED=${isCheckout ? 'ON' : 'OFF'}`,
    `-DUPSILON_CUDA=${nvcc ? 'ON' : 'OFF'}`,
  ]);
  const build = (target) => run('cmake', ['--build', 'build', '-j', jobs, '--target', target]);
  if (!configured || !build('upsilon_loadable') || !loads(built)) return false;
  if (nvcc && !build('upsilon_cuda')) say('the CUDA plug-in could not be built; everything else works without it');
  return true;
}

function findNodeGyp() {
  if (env.npm_config_node_gyp) return env.npm_config_node_gyp; // the copy that npm carries
  const besideNode = path.join(path.dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'node_modules');
  for (const place of [root, besideNode]) {
    try {
      return require.resolve('node-gyp/bin/node-gyp.js', { paths: [place] });
    } catch {
      continue;
    }
  }
  return undefined;
}

function buildWithNodeGyp() {
  const nodeGyp = findNodeGyp();
  if (!nodeGyp) return false;
  say('building with node-gyp');
  if (fs.existsSync(path.join(root, 'build', 'CMakeCache.txt')))
    fs.rmSync(path.join(root, 'build'), { recursive: true });
  const options = [`--nodedir=${path.join(root, 'native', 'gyp')}`, '--jobs', jobs, '--loglevel=warn'];
  return run(process.execPath, [nodeGyp, 'configure', 'build', ...options]) && loads(built);
}

if (env.UPSILON_SKIP_INSTALL) process.exit(0);
if (hasPrebuilt() || buildWithCMake() || buildWithNodeGyp()) process.exit(0);
say(
  `there is no native binary for ${platform()} with Node ${process.version}, and none could be built here. Building ` +
    'needs a C++20 compiler (g++ 11 or clang 14, or later) and either CMake 3.20 or Python 3. Once they are there, ' +
    '`npm rebuild upsilon-kernels` tries again; until then the package throws when it is first imported.',
);
process.exit(env.UPSILON_REQUIRE_BUILD ? 1 : 0);
