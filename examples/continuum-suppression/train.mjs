// node examples/continuum-suppression/train.mjs [--epochs n] [--picture file.svg]
// Trains deep sets of three sets of particles to tell B mesons from continuum, on two thirds of the
// bundled events, and says what they make of the others.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import * as ups from 'upsilon-kernels';

import { roc } from '../selective-background-simulation/statistics.mjs';
import { featureNames, readEvents, setNames } from './particles.mjs';
import { drawing } from './picture.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const repository = path.join(here, '..', '..');
const { values: options } = parseArgs({
  options: {
    epochs: { type: 'string', default: '40' },
    picture: { type: 'string', default: path.join(repository, 'build', 'continuum-suppression.svg') },
  },
});
const epochs = Number(options.epochs);
const width = 24,
  batchEvents = 64;

/** Events of a subset, in its order: rows are copied together once. */
function select({ values, offsets }, events) {
  const features = values.shape[1];
  const rows = [];
  const bounds = new Int32Array(events.length + 1);
  events.forEach((event, k) => {
    rows.push(values.data.subarray(features * offsets[event], features * offsets[event + 1]));
    bounds[k + 1] = bounds[k] + offsets[event + 1] - offsets[event];
  });
  const together = new Float32Array(features * bounds[events.length]);
  rows.forEach((row, k) => together.set(row, features * bounds[k]));
  return { values: ups.tensor(together, { shape: [bounds[events.length], features] }), offsets: bounds };
}

/** To mean 0 and variance 1, by what the training events have. */
function standardise(sets, training) {
  return sets.map(({ values, offsets }) => {
    const features = values.shape[1],
      known = select({ values, offsets }, training).values;
    const columns = Array.from({ length: features }, (_, c) => known.data.filter((_, i) => i % features === c));
    const means = columns.map((column) => column.reduce((sum, x) => sum + x, 0) / column.length);
    const scales = columns.map((column, c) =>
      Math.sqrt(column.reduce((sum, x) => sum + (x - means[c]) ** 2, 0) / column.length + 1e-6),
    );
    const scaled = values.data.map((x, i) => (x - means[i % features]) / scales[i % features]);
    return { values: ups.tensor(scaled, { shape: values.shape }), offsets };
  });
}

/** A layer with weights of variance 1 / inputs. */
function layer(inputs, outputs, activation, stream) {
  const weight = ups.random.normal([outputs, inputs], { seed: 11, stream });
  weight.data.forEach((value, i) => (weight.data[i] = value / Math.sqrt(inputs)));
  weight.requiresGrad = true;
  return { weight, bias: ups.tensor(new Float32Array(outputs), { requiresGrad: true }), activation };
}

function makeNetwork(fuse) {
  const phi = setNames.map((_, s) => [
    layer(featureNames.length, width, 'relu', 10 * s),
    layer(width, width, 'relu', 10 * s + 1),
  ]);
  const rho = [
    layer(fuse === 'after' ? width * setNames.length : width, width, 'relu', 100),
    layer(width, 1, 'none', 101),
  ];
  const parameters = [...phi.flat(), ...rho].flatMap(({ weight, bias }) => [weight, bias]);
  return { parameters, logits: (sets) => ups.multiDeepSet(sets, { phi, pool: 'sum', fuse, rho }) };
}

/** The derivative of the cross entropy by the logits: score - label, over the number of events. */
function lossGradient(logits, labels) {
  const gradient = Float32Array.from(logits.data, (z, i) => (1 / (1 + Math.exp(-z)) - labels[i]) / labels.length);
  return ups.tensor(gradient, { shape: logits.shape });
}

function train({ parameters, logits }, sets, labels) {
  const adam = new ups.optim.Adam(parameters, { learningRate: 2e-3, weightDecay: 1e-2, decoupled: true });
  // A batch is a window of the boundaries: nothing is copied.
  const batches = Math.ceil(labels.length / batchEvents);
  for (let step = 0; step < epochs * batches; ++step) {
    const first = ((step * 7) % batches) * batchEvents,
      last = Math.min(first + batchEvents, labels.length);
    const batch = sets.map(({ values, offsets }) => ({ values, offsets: offsets.subarray(first, last + 1) }));
    adam.zeroGrad();
    const found = logits(batch);
    found.backward(lossGradient(found, labels.subarray(first, last)));
    adam.step();
  }
}

const begin = performance.now();
const events = readEvents(path.join(here, '..', 'selective-background-simulation', 'events.arrow'));
const order = [...ups.random.uniform([events.isB.length], { seed: 3 }).data.entries()].sort(([, a], [, b]) => a - b);
const shuffled = order.map(([event]) => event);
const heldOut = shuffled.slice(0, Math.floor(shuffled.length / 3)),
  training = shuffled.slice(heldOut.length);
const sets = standardise(events.sets, training);
const labelsOf = (which) => Uint8Array.from(which, (event) => events.isB[event]);
const [labels, heldOutLabels] = [labelsOf(training), labelsOf(heldOut)];
const trainingSets = sets.map((set) => select(set, training)),
  heldOutSets = sets.map((set) => select(set, heldOut));
const particles = sets.map(({ offsets }) => offsets[offsets.length - 1]);
console.log(`${events.isB.length} events: ${setNames.map((name, s) => `${particles[s]} ${name}`).join(', ')}`);

const curves = [];
for (const fuse of ['after', 'before']) {
  const start = performance.now();
  const network = makeNetwork(fuse);
  train(network, trainingSets, labels);
  const scores = Float64Array.from(ups.noGrad(() => network.logits(heldOutSets)).data, (z) => 1 / (1 + Math.exp(-z)));
  const { points, area, error } = roc(scores, heldOutLabels);
  const weights = network.parameters.reduce((sum, { size }) => sum + size, 0);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`fused ${fuse} pooling: AUC ${area.toFixed(3)} ± ${error.toFixed(3)}, ${weights} weights, ${seconds} s`);
  curves.push({ name: `multiDeepSet, ${fuse}`, points, area, scores });
}
const roundness = Float64Array.from(heldOut, (event) => 1 - events.thrust[event]);
const alone = roc(roundness, heldOutLabels);
console.log(`thrust alone: AUC ${alone.area.toFixed(3)} ± ${alone.error.toFixed(3)}`);
curves.push({ name: 'thrust alone', ...alone });
mkdirSync(path.dirname(path.resolve(options.picture)), { recursive: true });
writeFileSync(options.picture, drawing(curves, heldOutLabels));
console.log(
  `${path.relative(process.cwd(), options.picture)}, ${((performance.now() - begin) / 1000).toFixed(1)} s in all`,
);
