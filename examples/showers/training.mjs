// The training loop.
import * as ups from 'upsilon-kernels';

import { initialParameters } from './network.mjs';
import { Objective } from './objective.mjs';
import { cells, energiesOf, simulate } from './simulation.mjs';

const size = cells ** 3;
const batch = 32,
  fresh = 16,
  known = 256;

/** Mean and occupancy of every cell. */
function cellMeans(images, count) {
  const typical = new Float64Array(size),
    occupancy = new Float64Array(size);
  for (let i = 0; i < images.length; ++i) {
    typical[i % size] += images[i] / count;
    if (images[i] > 0) occupancy[i % size] += 1 / count;
  }
  return { typical, occupancy };
}

/** Weights that can be trained: those of a file must stay as they are. */
function copies(weights) {
  const copied = ([name, { data, shape }]) => [name, ups.tensor(data.slice(), { shape, requiresGrad: true })];
  return Object.fromEntries(Object.entries(weights).map(copied));
}

/**
 * @param options - steps; `onStep` is awaited after each of them; `from`: weights of an earlier
 *   training, by name
 * @returns the parameters by name
 */
export async function train({ steps, seed, from, learningRate = 4e-3, onStep }) {
  const simulated = (first, count) => {
    const energies = energiesOf({ count, seed, first });
    return { energies, images: simulate({ energies, seed, first }).data };
  };
  const truth = simulated(0, known);
  const first = from ? copies(from) : initialParameters({ seed, ...cellMeans(truth.images, known) });
  const generator = ups.models.WganGenerator.load(first);
  const { parameters, latent } = generator;
  const objective = new Objective({ ...truth, seed: seed + 1 });
  const adam = new ups.optim.Adam(parameters, { learningRate, beta2: 0.99 });
  // The mean over the last steps: the gradients of a few showers are noisy.
  const mean = Object.fromEntries(
    Object.entries(parameters).map(([name, { data }]) => [name, Float64Array.from(data)]),
  );
  for (let step = 0; step < steps; ++step) {
    const more = simulated(known + fresh * step, fresh);
    objective.renew(more.images, more.energies);
    adam.options.learningRate = (learningRate * Math.min(1, (step + 1) / 50)) / Math.sqrt(1 + step / 100);
    const energies = energiesOf({ count: batch, seed: seed + 2, first: batch * step });
    const noise = ups.random.uniform([batch, latent], { seed: seed + 3, stream: step });
    noise.data.forEach((u, i) => (noise.data[i] = 2 * u - 1));
    const generated = generator.forward(noise, energies);
    const { gradient, ofFeatures, ofBoxes } = objective.gradient(generated.data, energies, step);
    adam.zeroGrad();
    generated.backward(ups.tensor(gradient, { shape: generated.shape }));
    adam.step();
    const keep = Math.min(0.98, step / (step + 20));
    for (const [name, { data }] of Object.entries(parameters))
      data.forEach((value, i) => (mean[name][i] = keep * mean[name][i] + (1 - keep) * value));
    await onStep({ step, ofFeatures, ofBoxes, mean });
  }
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape }]) => [name, ups.tensor(Float32Array.from(mean[name]), { shape })]),
  );
}
