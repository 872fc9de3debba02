// Two copies of the package in one process, as when two dependencies bring one each.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';

import { inProcess } from '../runner/process';

const root = join(__dirname, '..', '..');
// Below the project, so that the copy finds the packages it depends on.
const folder = mkdtempSync(join(root, 'dist-test', 'copy-'));
beforeAll(() => {
  const binary = join('build', 'Release', 'upsilon.node');
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  mkdirSync(dirname(join(folder, binary)), { recursive: true });
  cpSync(join(root, binary), join(folder, binary));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(program: string): string {
  const directories = JSON.stringify([root, folder].map((directory) => join(directory, 'dist')));
  return execFileSync(process.execPath, ['-e', `const directories = ${directories};${program}`], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
}

test('they understand each other', () => {
  const output = run(`
    const [first, second] = directories.map((directory) => require(directory + '/index.js'));
    const assert = require('node:assert');
    assert.notStrictEqual(first.linear, second.linear);
    const x = first.tensor([[1, 2]]);
    assert.deepStrictEqual(second.linear(x, [[3, 4]]).toArray(), [[11]]);
    assert.deepStrictEqual(second.linear(x, [[3, 4]], { out: first.zeros([1, 1]) }).toArray(), [[11]]);
    const graph = first.graph({ sources: [0], targets: [1], numNodes: 2 });
    assert.deepStrictEqual(second.spmm(graph, [[1], [2]]).toArray(), [[0], [1]]);
    const tree = first.tree({ mother: [-1, 0], offsets: [0, 2] });
    const weight = [[1]];
    assert.deepStrictEqual(second.treeConv(tree, [[1], [2]], { self: weight, parent: weight, daughters: weight }).toArray(), [[3], [3]]);
    const rows = first.ragged({ values: [[1], [2]], offsets: [0, 2] });
    assert.deepStrictEqual(second.setPool(rows, 'sum').toArray(), [[3]]);
    assert.throws(() => second.linear(x, [[1]]), second.ShapeError);
    assert.throws(() => first.linear(x, [[1]]), first.ShapeError);
    console.log('done');`);
  expect(output).toBe('done');
});

test('both in eight workers that are terminated amid operations; nothing is left', () => {
  const program = `
    const { workerData, parentPort } = require('node:worker_threads');
    for (const directory of workerData) {
      const ups = require(directory + '/index.js'), promises = require(directory + '/promises.js');
      const x = ups.zeros([1024, 64]), weight = new Float32Array(64 * 64);
      const repeat = () => promises.linear(x, ups.tensor(weight, { shape: [64, 64] })).then(repeat);
      repeat();
      const loop = () => { ups.linear(x, ups.tensor(weight, { shape: [64, 64] })); setImmediate(loop); };
      loop();
    }
    parentPort.postMessage('ready');`;
  inProcess(
    async ({ until }, { program, directories }) => {
      const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
      const all = directories.map((directory) => require(`${directory}/index.js`) as typeof import('upsilon-kernels'));
      for (let round = 0; round < 2; ++round) {
        const workers = Array.from({ length: 8 }, () => new Worker(program, { eval: true, workerData: directories }));
        const ready = (worker: Worker): Promise<void> =>
          new Promise((resolve, reject) => {
            worker.once('message', resolve);
            worker.once('error', reject);
          });
        await Promise.all(
          workers.map(async (worker, i) => {
            await ready(worker);
            await new Promise((resolve) => setTimeout(resolve, 5 * i));
            await worker.terminate();
          }),
        );
      }
      const counts = (): unknown[] => all.map((ups) => ups.counters());
      await until(() => all.every((ups) => Object.values(ups.counters()).every((count) => count === 0)), counts);
    },
    { program, directories: [root, folder].map((directory) => join(directory, 'dist')) },
  );
});

test('a plug-in comes from beside the binary, or from the CUDA package; UPSILON_PLUGIN_PATH goes before both', () => {
  const plugin = join(root, 'build', 'Release', 'libupsilon_emulated.so');
  if (!existsSync(plugin)) return;
  const names = `
    const ups = require(directories[1] + '/index.js');
    console.log(ups.devices().map(({ name }) => name).join());`;
  expect(run(names)).toBe('cpu');
  const musl = /musl/.test((process.report.getReport() as { sharedObjects: string[] }).sharedObjects.join());
  const name = `cuda-${process.platform}-${process.arch}${musl ? 'musl' : ''}`;
  const place = join(folder, 'node_modules', '@upsilon-kernels', name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: `@upsilon-kernels/${name}`, version: '0.0.0' }));
  cpSync(plugin, join(place, 'libupsilon_emulated.so'));
  expect(run(names)).toBe('cpu,emulated:0');
  expect(run(`process.env.UPSILON_PLUGIN_PATH = '/nowhere'; ${names}`)).toBe('cpu');
});
