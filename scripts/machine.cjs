// What the install and packaging scripts need to know of the machine they run on.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options }).status === 0;
}

// The first lines a command prints, or null when it is not there or fails.
function answer(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout : null;
}

// "linux-x64", "linux-x64musl", "darwin-arm64": the folder below prebuilds/, as
// src/runtime/native.ts looks for it.
function platform() {
  const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
  return `${process.platform}-${process.arch}${musl ? 'musl' : ''}`;
}

// Whether a binary can be loaded. Tried in a child process: one that was made for another C
// library, or that crashes, must not take the installer along.
function loads(file) {
  return fs.existsSync(file) && run(process.execPath, ['-e', 'require(process.argv[1])', file], { stdio: 'ignore' });
}

function hasCMake() {
  const version = /version (\d+)\.(\d+)/.exec(answer('cmake', ['--version']) ?? '');
  return version !== null && Number(version[1]) * 100 + Number(version[2]) >= 320;
}

function findNvcc() {
  const folders = [process.env.CUDA_PATH, process.env.CUDA_HOME, '/usr/local/cuda'].filter(Boolean);
  const candidates = ['nvcc', ...folders.map((folder) => path.join(folder, 'bin', 'nvcc'))];
  return candidates.find((nvcc) => answer(nvcc, ['--version']) !== null);
}

// Compute capabilities of the GPUs of this machine, as CMake wants them: "90", "80;90". "" without
// any.
function gpuArchitectures() {
  const capabilities = answer('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader']) ?? '';
  return [...new Set(capabilities.match(/\d+\.\d+/g))].map((capability) => capability.replace('.', '')).join(';');
}

// Whether this processor lacks AVX-512, as far as the operating system tells. Kernels that cannot
// run here are a third of what there is to compile.
function lacksAvx512() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return false;
  const flags = /^flags\s*:(.*)$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' ') ?? [];
  return flags.includes('avx2') && !['f', 'bw', 'dq', 'vl'].every((set) => flags.includes(`avx512${set}`));
}

// Configures a build folder; a folder left over from another tool, place or generator is made anew.
function configure(folder, options) {
  const generator = answer('ninja', ['--version']) ? ['-G', 'Ninja'] : [];
  const args = [
    '-S',
    '.',
    '-B',
    folder,
    ...generator,
    '--log-level=NOTICE',
    ...options,
    ...(process.env.UPSILON_CMAKE_OPTIONS ?? '').split(' ').filter(Boolean),
    `-DNODE_EXECUTABLE=${process.execPath}`,
  ];
  const where = path.join(root, folder);
  if (fs.existsSync(where) && !fs.existsSync(path.join(where, 'CMakeCache.txt'))) fs.rmSync(where, { recursive: true });
  if (run('cmake', args, { stdio: ['ignore', 'ignore', fs.existsSync(where) ? 'ignore' : 'inherit'] })) return true;
  fs.rmSync(where, { recursive: true, force: true });
  return run('cmake', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

module.exports = {
  answer,
  configure,
  findNvcc,
  gpuArchitectures,
  hasCMake,
  lacksAvx512,
  loads,
  platform,
  root,
  run,
};
