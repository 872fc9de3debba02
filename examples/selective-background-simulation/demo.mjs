// npm run demo -- [file.arrow] [--model file] [--device cpu|cuda] [--threshold t] [--threads n]
// [--out folder] Scores the decay trees of generated events; prints figures, writes scores.arrow
// and report.html.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Presets, SingleBar } from 'cli-progress';

import { particlesOf, perEvent } from './columns.mjs';
import { bill } from './cost.mjs';
import { UserError } from './errors.mjs';
import { fromRoot } from './from-root.mjs';
import { page } from './report/page.mjs';
import { largestDifference, logit, roc } from './statistics.mjs';
import { treeToDraw } from './tree-to-draw.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const repository = path.join(here, '..', '..');
const bundled = { events: path.join(here, 'events.arrow'), model: path.join(here, 'model.safetensors') };
const golden = path.join(repository, 'test', 'golden', 'pass-probability.safetensors');
const processNames = { 0: 'continuum', 1: 'BB̅' };

const usage = `Scores generated events by their decay trees: which are worth simulating?

  npm run demo -- [file.arrow | file.root] [options]

  --model FILE      weights (default: the bundled model.safetensors)
  --device NAME     cpu, cuda, cuda:1... (default: cpu)
  --threshold T     simulate events from this score on (default: the one that the weights' file names)
  --threads N       CPU threads (default: all cores)
  --out FOLDER      where scores.arrow and report.html go (default: build/demo)

The file: List columns pdg, mother, energy, px, py, pz {GeV}, productionTime {ns}, x, y, z {cm}, one list per event;
also status (basf2's bits), mass, and per event process (0 continuum, 1 BBbar) and skimmed (0, 1), if there.`;

function readArguments() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        model: { type: 'string', default: bundled.model },
        device: { type: 'string', default: 'cpu' },
        threshold: { type: 'string' },
        threads: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        out: { type: 'string', default: path.join(repository, 'build', 'demo') },
      },
    });
  } catch (error) {
    throw new UserError(error.message);
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1)
    throw new UserError(`one file at a time (there are ${positionals.length}: ${positionals.join(', ')})`);
  const file = path.resolve(positionals[0] ?? bundled.events);
  const number = (name) => (values[name] === undefined ? undefined : Number(values[name]));
  const [threshold, threads] = [number('threshold'), number('threads')];
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1))
    throw new UserError(`--threshold is ${values.threshold} (expected 0 to 1)`);
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0))
    throw new UserError(`--threads is ${values.threads} (expected a positive integer)`);
  for (const needed of [file, path.resolve(values.model)])
    if (!existsSync(needed)) throw new UserError(`there is no file ${needed}`);
  return { ...values, file, model: path.resolve(values.model), out: path.resolve(values.out), threshold, threads };
}

/**
 * Scores all record batches of the file, one after the other: nothing of it is gathered or copied.
 */
function scoreAll(table, filter, ups, onEvents) {
  const scores = new Float32Array(table.numRows);
  const total = { particles: 0, networkSeconds: 0, oneBased: false };
  let first = 0;
  for (const batch of table.batches) {
    const { particles, oneBased } = particlesOf(batch, filter, ups);
    let last = { particles: 0, networkSeconds: 0 };
    const onBatch = (progress) => {
      onEvents(first + progress.events);
      last = progress;
    };
    scores.set(filter.score(particles, { onBatch }).data, first);
    total.particles += last.particles;
    total.networkSeconds += last.networkSeconds;
    total.oneBased ||= oneBased;
    first += batch.numRows;
  }
  return { scores, ...total };
}

/** A column of one number per event over all record batches. */
function labels(table, name) {
  const parts = table.batches.map((batch) => perEvent(batch, name));
  return parts.length === 0 || parts.includes(undefined) ? undefined : parts.flatMap((part) => Array.from(part));
}

/** Everything that is said about the scores. */
function evaluate(scores, threshold, passes, process) {
  const isAbove = (score) => score >= threshold;
  const shareAbove = (values) => (values.length === 0 ? undefined : values.filter(isAbove).length / values.length);
  const result = { simulated: shareAbove(scores) ?? 0, curves: [], processes: [], passes };
  const codes = process ? [...new Set(process)].sort((a, b) => a - b).slice(0, 3) : [];
  result.processes = codes.map((code, i) => ({
    name: processNames[code] ?? `process ${code}`,
    kind: ['two', 'three', 'one'][i],
    scores: scores.filter((_, event) => process[event] === code),
    passes: passes?.filter((_, event) => process[event] === code),
  }));
  if (!passes) return result;
  result.ofLabel = {
    pass: scores.filter((_, event) => passes[event]),
    fail: scores.filter((_, event) => !passes[event]),
  };
  result.kept = shareAbove(result.ofLabel.pass);
  result.failingSimulated = shareAbove(result.ofLabel.fail);
  const several = result.processes.length > 1 ? result.processes : [];
  const classes = [{ name: 'all', kind: 'all', scores, passes }, ...several];
  for (const { name, kind, scores: own, passes: ownPasses } of classes) {
    const curve = roc(own, ownPasses);
    if (curve) result.curves.push({ name: name === 'all' ? name : `within ${name}`, kind, ...curve });
  }
  return result;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const grouped = (number) => Math.round(number).toLocaleString('en');
const say = (label, value) => console.log(`${label.padEnd(26)}${value}`);

function print(run, ups) {
  const count = run.scores.length;
  say(
    'events',
    `${grouped(count)}, ${grouped(run.particles)} particles in the network${run.oneBased ? ' (mothers counted from 1, as basf2 does)' : ''}`,
  );
  say(
    'network',
    `${grouped(count / run.networkSeconds)} events/s on ${run.device}${run.device === 'cpu' ? ` (${ups.lastVariant()})` : ''}, ${((1e6 * run.networkSeconds) / count).toFixed(1)} µs per event`,
  );
  say('file to scores', `${grouped(count / run.seconds)} events/s, ${run.seconds.toFixed(2)} s`);
  say('would be simulated', `${percent(run.simulated)} of the events at threshold ${run.threshold.toPrecision(3)}`);
  if (run.kept !== undefined) {
    const kept = Math.round(run.kept * run.ofLabel.pass.length);
    say('passing events kept', `${percent(run.kept)} (${kept} of ${run.ofLabel.pass.length})`);
  }
  for (const { name, area, error } of run.curves)
    say(name === 'all' ? 'AUC' : `AUC ${name}`, `${area.toFixed(3)} ± ${error.toFixed(3)}`);
  const cost = bill(count, run.simulated * count, run.kept);
  say(
    'computing time saved',
    `${grouped(cost.saved)} of ${grouped(cost.without)} HS06 s (${percent(cost.saved / cost.without)})` +
      (cost.gain === undefined ? '' : `; ${cost.gain.toFixed(1)} times as many passing events in the same time`),
  );
}

/** The bundled events with the bundled weights have PyTorch's scores beside them. */
function compare(scores, { file, model }, ups) {
  if (file !== bundled.events || model !== bundled.model || !existsSync(golden)) return;
  const expected = ups.safetensors.load(golden);
  const probability = largestDifference(scores, expected.passProbability.data);
  const ofLogit = largestDifference(Array.from(scores, logit), expected.logit.data);
  say(
    'largest difference',
    `${probability.toExponential(1)} in passProbability, ${ofLogit.toExponential(1)} in its logit, from PyTorch`,
  );
}

/**
 * Indices 0, 1, 2... beside the scores, so that rows stay recognisable when they are filtered or
 * sorted.
 */
function writeScores(file, scores, notes, ups) {
  const event = Int32Array.from(scores.keys());
  ups.arrow.save(file, { event: ups.tensor(event), passProbability: ups.tensor(scores) }, notes);
}

async function main() {
  if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) return console.log(usage);
  const options = readArguments();
  mkdirSync(options.out, { recursive: true });
  const file = options.file.endsWith('.root') ? fromRoot(options.file, options.out) : options.file;
  const ups = await import('upsilon-kernels');
  if (options.threads !== undefined) ups.setThreads(options.threads);

  const start = performance.now();
  const filter = ups.models.BackgroundFilter.load(options.model, { device: options.device });
  const threshold = options.threshold ?? filter.threshold;
  if (threshold === undefined) throw new UserError(`${options.model} names no threshold; give one with --threshold`);
  const table = ups.arrow.open(file);
  if (table.numRows === 0) throw new UserError(`there is no event in ${file}`);
  console.log(
    `${path.relative('', file)} -> ${path.relative('', options.model)}, ${grouped(filter.parameterCount)} weights`,
  );
  const bar = new SingleBar(
    { format: '{bar} {value}/{total} events, {eta_formatted} to go', clearOnComplete: true, hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(table.numRows, 0);
  let scored;
  try {
    scored = scoreAll(table, filter, ups, (events) => bar.update(events));
  } finally {
    bar.stop();
  }
  const seconds = (performance.now() - start) / 1000;

  const skimmed = labels(table, 'skimmed');
  const run = {
    ...scored,
    seconds,
    threshold,
    device: filter.device,
    file: path.basename(options.file),
    ...evaluate(scored.scores, threshold, skimmed, labels(table, 'process')),
  };
  run.tree = treeToDraw(table, filter, run, ups);
  run.madeBy = `Made by upsilon-kernels ${ups.info().version} from ${path.basename(options.file)} with ${path.basename(options.model)}`;
  print(run, ups);
  compare(scored.scores, { ...options, file }, ups);
  const written = ['scores.arrow', 'report.html'].map((name) => path.join(options.out, name));
  writeScores(
    written[0],
    scored.scores,
    { events: path.basename(options.file), model: path.basename(options.model), threshold: String(threshold) },
    ups,
  );
  writeFileSync(written[1], page(run));
  for (const name of written) say('written', path.relative('', name));
}

main().catch((error) => {
  const isTheUsers =
    error instanceof UserError || String(error.code).startsWith('ERR_UPSILON_') || error.syscall !== undefined;
  console.error(isTheUsers ? `demo: ${error.message.split('\n')[0]}` : error);
  process.exitCode = 1;
});
