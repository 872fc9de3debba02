// npm run bench: chooses the cases, measures the machine, then each case, and prints as it goes.
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';

import type { Results } from './report';
import { readSettings, type Settings } from './settings';

/** Of every suite that has a picture and enough rows. */
async function draw({ rows, machine }: Results, settings: Settings): Promise<void> {
  const { pictures } = await import('./suites/all');
  const { writeText } = await import('./report');
  for (const { suite, file, draw } of pictures) {
    const svg = draw(
      rows.filter((row) => row.case.startsWith(`${suite}/`)),
      machine,
    );
    if (svg === undefined) continue;
    const path = resolve(settings.pictures, file);
    writeText(path, svg);
    console.log(`picture: ${relative(process.cwd(), path)}`);
  }
}

async function main(): Promise<number> {
  const settings = readSettings(process.argv.slice(2), availableParallelism());
  if (typeof settings === 'string') {
    console.log(settings);
    return settings.startsWith('npm') ? 0 : 2;
  }
  if (settings.from !== undefined) {
    const { header, lines, readResults } = await import('./report');
    const stored = readResults(resolve(settings.from));
    console.log(header);
    for (const row of stored.rows) for (const line of lines(row, undefined)) console.log(line);
    await draw(stored, settings);
    return 0;
  }
  // Read by the library when a thread makes its first call, hence before it is loaded.
  if (settings.variant !== undefined) process.env['UPSILON_FORCE'] = settings.variant;
  const { info, setThreads, tensor, linear } = await import('./library');
  const { quick, thorough } = await import('./measure');
  const { describeMachine, measureCeilings } = await import('./machine');
  const { Peers } = await import('./peers/peers');
  const { Reference } = await import('./reference');
  const report = await import('./report');
  const { allSuites } = await import('./suites/all');

  const chosen = allSuites().filter(
    (entry) =>
      (settings.filters.length === 0 ||
        settings.filters.some((filter) => `${entry.suite}/${entry.name}`.includes(filter))) &&
      (!settings.quick || entry.small),
  );
  if (settings.list) {
    for (const entry of chosen) console.log(`${entry.suite}/${entry.name}`);
    return 0;
  }
  if (chosen.length === 0) {
    console.log('no case fits (--list names them all)');
    return 2;
  }
  if (!settings.allCores) setThreads(settings.threads);
  linear(tensor([[1]]), tensor([[1]]));
  if (settings.benny) {
    await (await import('./benny')).runBenny(chosen, settings);
    return 0;
  }

  const machine = describeMachine();
  console.log(
    `upsilon-kernels ${info().version} on ${String(machine['processor'])}, ${settings.threads} threads, ${settings.device}`,
  );
  const ceilings = settings.device === 'cpu' ? measureCeilings(settings.threads, settings.quick ? 20 : 200) : undefined;
  const known = ceilings && !('problem' in ceilings) ? ceilings : undefined;
  if (known) {
    const levels = known.bandwidth.map(
      ({ bytes, read, copy }) =>
        `${(bytes / 2 ** 20).toPrecision(2)} MiB ${(Math.max(read, copy) / 1e9).toPrecision(3)}`,
    );
    console.log(
      `ceilings: ${(known.flops / 1e9).toPrecision(3)} GFLOP/s (${known.isa}); GB/s by working set: ${levels.join(', ')}`,
    );
  } else if (ceilings && 'problem' in ceilings) {
    console.log(`no ceilings: ${ceilings.problem}`);
  }
  const reference = new Reference();
  await reference.start();
  const peers = settings.peers ? await Peers.start(settings) : undefined;
  for (const line of peers?.missing ?? []) console.log(line);
  const earlier = settings.baseline === undefined ? undefined : report.readResults(resolve(settings.baseline));
  const results = {
    machine,
    settings: { ...settings, python: undefined }, // a path of this machine
    ceilings: known,
    peers: peers?.versions,
    rows: [] as ReturnType<typeof report.derive>[],
  };
  console.log(report.header);
  const effort = settings.quick ? quick : thorough;
  let failures = 0;
  for (const entry of chosen) {
    const name = `${entry.suite}/${entry.name}`;
    let row;
    try {
      row = await entry.run({ settings, effort, reference, peers, ceilings: known });
    } catch (error) {
      row = { case: name, timings: {}, notes: [], problem: (error as Error).message };
    }
    if (row.problem !== undefined) ++failures;
    const derived = report.derive(row, known);
    results.rows.push(derived);
    for (const line of report.lines(
      derived,
      earlier?.rows.find((other) => other.case === row.case),
    ))
      console.log(line);
  }
  await peers?.stop();
  await reference.stop();
  await draw(results, settings);
  if (settings.json !== undefined) report.writeResults(resolve(settings.json), results);
  if (failures > 0) console.log(`${failures} of ${chosen.length} cases failed`);
  return failures > 0 ? 1 : 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
