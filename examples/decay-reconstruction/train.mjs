// node examples/decay-reconstruction/train.mjs [--steps n] [--quick] [--picture file.svg]
// Trains a transformer to find B, D and pi0 among the particles of an event, with a loss that does
// not care which of its slots finds which; says how often it is right in events that it has not
// seen; and draws whom particles attend to.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import * as ups from 'upsilon-kernels';

import { bestCombination } from './baseline.mjs';
import { batchOf, mixed, prepare } from './batch.mjs';
import { kinds, readEvents } from './events.mjs';
import { beamVariables, judge, objectsOf, sameSet, spread, surest, trueDecay } from './found.mjs';
import { DecayFinder } from './network.mjs';
import { drawing } from './picture.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '4000' },
    quick: { type: 'boolean', default: false }, // a small network, few events: whether all of it works
    picture: { type: 'string', default: path.join(here, '..', '..', 'build', 'decay-reconstruction.svg') },
  },
});
const { steps, batchEvents, trainingEvents, heldOutEvents, shape } = options.quick
  ? { steps: 60, batchEvents: 16, trainingEvents: 200, heldOutEvents: 100, shape: { width: 32, layers: 2 } }
  : { steps: Number(options.steps), batchEvents: 64, trainingEvents: 2400, heldOutEvents: 800, shape: {} };
const highestRate = 1.5e-3,
  warmUp = 100,
  reports = 10,
  seed = 7;

const begin = performance.now();
const seconds = () => `${((performance.now() - begin) / 1000).toFixed(1)} s`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** The objects that the network finds in each event. */
function find(network, sample) {
  const found = [];
  for (let first = 0; first < sample.length; first += 200) {
    const batch = batchOf(sample.slice(first, first + 200), network);
    const answers = ups.noGrad(() => network.forward(batch));
    found.push(...objectsOf(batch, answers, network.slots));
  }
  return found;
}

/** @returns what the network could do after every tenth of the steps */
function train(network, training, heldOut) {
  const adam = new ups.optim.Adam(network.parameters, { weightDecay: 1e-2, decoupled: true });
  const curve = [],
    every = Math.ceil(steps / reports);
  let sum = 0;
  for (let step = 1; step <= steps; ++step) {
    const drawn = ups.random.uniform([3, batchEvents], { seed, stream: step }).data;
    const pick = (u) => training[Math.floor(u * training.length)];
    const events = Array.from({ length: batchEvents }, (_, e) =>
      mixed(pick(drawn[e]), pick(drawn[batchEvents + e]), drawn[2 * batchEvents + e] < 0.5),
    );
    const batch = batchOf(events, network);
    const rise = Math.min(1, step / warmUp),
      fall = 0.5 + 0.5 * Math.cos((Math.PI * step) / steps);
    adam.options = { ...adam.options, learningRate: highestRate * rise * fall };
    adam.zeroGrad();
    const loss = network.loss(batch, network.forward(batch));
    loss.backward();
    adam.step();
    sum += loss.item();
    if (step % every !== 0 && step !== steps) continue;
    const right = judge(heldOut, find(network, heldOut));
    curve.push({ step, ...right });
    const mean = (sum / (step % every || every)).toFixed(3);
    console.log(`step ${step}: loss ${mean}, whole decay found in ${percent(right.whole)}, ${seconds()}`);
    sum = 0;
  }
  return curve;
}

/** Objects of the best combination of each event, in the form of those that slots find. */
const combined = (sample, beamEnergy) =>
  sample.map((event) =>
    (bestCombination(event, beamEnergy) ?? []).map((members, kind) => ({ kind, members, score: 0 })),
  );

function report(ways, truth, beamEnergy) {
  for (const { name, ...right } of ways)
    console.log(`${name}: ${[...kinds, 'whole'].map((what) => `${what} ${percent(right[what])}`).join(', ')}`);
  const [network] = ways;
  console.log(`all pi0: ${percent(network.pionsFound)} found, ${percent(network.pionsRight)} of the found ones right`);
  console.log(`lowest common ancestors that make a tree: ${percent(network.trees)} of the events`);
  for (const { name, momenta } of [network, truth]) {
    const { deltaE, mbc } = beamVariables(momenta, beamEnergy);
    const [energy, mass] = [deltaE, mbc].map((values) => (1000 * spread(values)).toFixed(1));
    console.log(`${name}: ${momenta.length} B, Delta E within ${energy} MeV, beam-constrained mass within ${mass} MeV`);
  }
}

/**
 * What the picture shows of an event whose decay was found, with other pi0, and neither small nor
 * too large to draw.
 */
function portrait(network, sample, found) {
  const slotsOf = (e) =>
    trueDecay(sample[e]).map(({ kind, members }) => {
      const candidates = found[e].filter((one) => one.kind === kind);
      return candidates.find((one) => sameSet(one.members, members)) ?? surest(candidates, kind);
    });
  const isFound = (e) => slotsOf(e).every((one, k) => one && sameSet(one.members, trueDecay(sample[e])[k].members));
  const fits = ({ size, objects }, e) => size > 12 && size < 17 && objects.length > 3 && isFound(e);
  const shown = Math.max(sample.findIndex(fits), 0);
  const event = sample[shown],
    { slots } = network;
  /** How much of the attention of daughters goes to other daughters of the same decay. */
  const kept = (map) => {
    let sum = 0;
    for (const { members } of event.objects)
      for (const i of members) for (const j of members) if (i !== j) sum += map[slots + i][slots + j];
    return sum;
  };
  const maps = network.attention(batchOf([event], network)).flat();
  const attention = maps.reduce((best, map) => (kept(map) > kept(best) ? map : best));
  return { event, attention, slots, decaySlots: slotsOf(shown) };
}

const { events, beamEnergy } = readEvents(path.join(here, 'events.arrow'));
const heldOut = events.slice(0, heldOutEvents).map(prepare),
  training = events.slice(heldOutEvents, heldOutEvents + trainingEvents);
const network = new DecayFinder({ ...shape, seed });
const weights = network.parameters.reduce((sum, { size }) => sum + size, 0);
console.log(`${training.length} events to train on, ${heldOut.length} held out; ${weights} weights`);
const curve = train(network, training, heldOut);
const found = find(network, heldOut);
const ways = [
  { name: 'network', ...judge(heldOut, found) },
  { name: 'best masses of π⁰ and D', ...judge(heldOut, combined(heldOut)) },
  { name: 'best masses and beam energy', ...judge(heldOut, combined(heldOut, beamEnergy)) },
];
const known = heldOut.map(({ objects }) => objects.map((one) => ({ ...one, score: 0 })));
report(ways, { name: 'truth', ...judge(heldOut, known) }, beamEnergy);
mkdirSync(path.dirname(path.resolve(options.picture)), { recursive: true });
writeFileSync(options.picture, drawing({ ...portrait(network, heldOut, found), curve, ways }));
console.log(`${path.relative(process.cwd(), options.picture)}, ${seconds()} in all`);
