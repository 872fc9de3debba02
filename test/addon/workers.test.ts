import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { inProcess } from '../runner/process';

const entry = join(__dirname, '..', '..', 'dist', 'index.js');
const program = `
  const { parentPort, workerData } = require('node:worker_threads');
  const ups = require(workerData);
  const promises = require(workerData.replace('index.js', 'promises.js'));
  const x = ups.tensor(new Float32Array(2048 * 64).fill(1), { shape: [2048, 64] });
  const weight = ups.tensor(new Float32Array(64 * 64).fill(1), { shape: [64, 64] });
  ups.linear(x, weight);
  for (let i = 0; i < 50; ++i) promises.linear(x, weight);
  promises.linear(x, weight).then((y) => parentPort.postMessage(y.data[0]));
`;

test('eight workers use the library at once', async () => {
  const workers = Array.from({ length: 8 }, () => new Worker(program, { eval: true, workerData: entry }));
  const results = await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  expect(results).toEqual(Array(8).fill(64));
  await Promise.all(workers.map((worker) => worker.terminate()));
});

/** Works until it is terminated, with blocks of synchronous calls and of promises. */
const endless = `
  const { parentPort, workerData } = require('node:worker_threads');
  const ups = require(workerData);
  const promises = require(workerData.replace('index.js', 'promises.js'));
  const x = ups.zeros([2048, 64]), weight = ups.zeros([64, 64]);
  const repeat = () => promises.linear(x, weight).then(repeat);
  const loop = () => { ups.linear(x, weight); setImmediate(loop); };
  repeat();
  loop();
  parentPort.postMessage('at work');
`;

test('workers are terminated while they load and amid their operations, and nothing of them is left', () => {
  inProcess(
    async ({ ups, until }, { program, entry }) => {
      const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
      for (const sign of ['online', 'message', 'message']) {
        const workers = Array.from({ length: 8 }, () => new Worker(program, { eval: true, workerData: entry }));
        await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once(sign, resolve))));
        await Promise.all(workers.map((worker) => worker.terminate()));
      }
      await until(() => ups.counters().blocks === 0 && ups.counters().blockBytes === 0, ups.counters);
    },
    { program: endless, entry },
  );
});
