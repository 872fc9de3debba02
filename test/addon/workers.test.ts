import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import * as ups from 'upsilon-kernels';

import { collectGarbage } from '../helpers';

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

test('workers are terminated amid their operations', async () => {
  for (let round = 0; round < 2; ++round) {
    const workers = Array.from({ length: 8 }, () => new Worker(program, { eval: true, workerData: entry }));
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))));
    await new Promise((resolve) => setTimeout(resolve, 30 + 60 * round));
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  await collectGarbage();
  expect(ups.counters()).toMatchObject({ blocks: 0, blockBytes: 0 });
});
