// npm's install step: leaves a binary that loads, or explains in one paragraph why it could not.
//   a prebuilt binary of this platform, else CMake, else node-gyp.
// It compiles what this machine can run: kernels for the instruction sets of its processor, and the
// CUDA plug-in where there is a GPU, for that GPU. `npm run build:emulated` and `npm run prebuild`
// make the rest.
//   UPSILON_BUILD_FROM_SOURCE=1   passes the prebuilt binary over
//   UPSILON_CUDA=ON | OFF         the CUDA plug-in even without a GPU (then for every target), or
//                                 not at all
//   UPSILON_CMAKE_OPTIONS="-D..." further options of CMake
//   UPSILON_SKIP_INSTALL=1        does nothing
//   UPSILON_REQUIRE_BUILD=1       makes a missing binary an error
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const {
  configure,
  findNvcc,
  gpuArchitectures,
  hasCMake,
  lacksAvx512,
  loads,
  platform,
  root,
  run,
} = require('./machine.cjs');

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
  const gpu = gpuArchitectures();
  const nvcc = env.UPSILON_CUDA === 'ON' || (gpu && env.UPSILON_CUDA !== 'OFF') ? findNvcc() : undefined;
  say(`building with CMake${nvcc ? ', and the CUDA plug-in with nvcc (UPSILON_CUDA=OFF leaves it out)' : ''}`);
  const configured = configure('build', [
    '-DCMAKE_BUILD_TYPE=Release',
    '-DUPSILON_BUILD_SHARED=OFF',
    '-DUPSILON_EMULATED=OFF',
    `-DUPSILON_AVX512=${lacksAvx512() ? 'OFF' : 'ON'}`,
    `-DUPSILON_CUDA=${nvcc ? 'ON' : 'OFF'}`,
    ...(nvcc && gpu ? [`-DCMAKE_CUDA_ARCHITECTURES=${gpu}`] : []),
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
