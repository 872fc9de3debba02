// What this machine is and what it can do at most (bench/native/ceilings.cc).
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

export const root = join(__dirname, '..');

export interface Ceilings {
  threads: number;
  isa: string;
  /** Float32 operations per second, a multiply-add counting two. */
  flops: number;
  /** Bytes per second by size of the working set {bytes}. */
  bandwidth: { bytes: number; read: number; copy: number }[];
}

/** The path of a program of the bench, built if need be; a sentence when it cannot be had. */
export function nativeProgram(name: string): { path: string } | { problem: string } {
  // Where the package was built by CMake, its objects are there already.
  const shared = join(root, 'build');
  const own = join(shared, 'bench');
  const folder = existsSync(join(shared, 'CMakeCache.txt')) ? shared : own;
  const path = join(folder, 'Release', name);
  if (spawnSync('cmake', ['--version'], { stdio: 'ignore' }).status !== 0) {
    return existsSync(path) ? { path } : { problem: `${name} is missing, and CMake is not available to build it` };
  }
  const options = ['ADDON', 'SHARED'].map((part) => `-DUPSILON_BUILD_${part}=OFF`);
  options.push('-DUPSILON_EMULATED=OFF', '-DUPSILON_CUDA=OFF', '-DCMAKE_BUILD_TYPE=Release');
  const commands = [
    ['-S', root, '-B', folder, '-DUPSILON_BUILD_BENCHES=ON', ...(folder === own ? options : [])],
    ['--build', folder, '--parallel', String(Math.min(2, cpus().length)), '--target', name],
  ];
  for (const words of commands) {
    const done = spawnSync('cmake', words, { encoding: 'utf8' });
    if (done.status !== 0) {
      const said = `${done.stdout}${done.stderr}`.trim().split('\n').slice(-6).join('\n');
      return { problem: `${name} could not be built:\n${said}` };
    }
  }
  return { path };
}

export function measureCeilings(threads: number, milliseconds: number): Ceilings | { problem: string } {
  const program = nativeProgram('upsilon_ceilings');
  if ('problem' in program) return program;
  return JSON.parse(
    execFileSync(program.path, [String(threads), String(milliseconds)], { encoding: 'utf8' }),
  ) as Ceilings;
}

/** Bandwidth of the smallest measured memory level that holds a working set. */
export function bandwidthFor(ceilings: Ceilings, bytes: number): number {
  const level = ceilings.bandwidth.find((entry) => entry.bytes >= bytes) ?? ceilings.bandwidth.at(-1)!;
  return Math.max(level.read, level.copy);
}

export function describeMachine(): Record<string, unknown> {
  let commit: string | undefined;
  const git = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' });
  if (git.status === 0) commit = git.stdout.trim();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return {
    processor: cpus()[0]?.model,
    cores: cpus().length,
    memory_GB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    version,
    commit,
    date: new Date().toISOString(),
  };
}
