// node examples/showers/train.mjs [--steps n] [--seed n] [--rate x] [--from file.safetensors]
// [--weights file.safetensors] [--picture file.svg] Trains a small generator of photon showers on
// those of a parametrised simulation, and draws what it makes beside them. With --from it goes on
// from there; with --steps 0 the weights are read and nothing is trained.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import * as ups from 'upsilon-kernels';

import { compare } from './comparison.mjs';
import { drawing } from './picture.mjs';
import { train } from './training.mjs';

const here = path.dirname(fileURLToPath(import.meta.url)),
  build = path.join(here, '..', '..', 'build');
const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '4e-3' },
    from: { type: 'string' },
    weights: { type: 'string' },
    picture: { type: 'string', default: path.join(build, 'showers.svg') },
  },
});
const steps = Number(options.steps);
const weights = options.weights ?? path.join(steps > 0 ? build : here, 'generator.safetensors');

if (steps > 0) {
  const begin = performance.now();
  const every = 20;
  let sum = { ofFeatures: 0, ofBoxes: 0 };
  const parameters = await train({
    steps,
    seed: Number(options.seed),
    learningRate: Number(options.rate),
    from: options.from && ups.safetensors.load(options.from),
    async onStep({ step, ofFeatures, ofBoxes }) {
      sum = { ofFeatures: sum.ofFeatures + ofFeatures / every, ofBoxes: sum.ofBoxes + ofBoxes / every };
      if ((step + 1) % every === 0) {
        const seconds = ((performance.now() - begin) / 1000).toFixed(0);
        console.log(
          `step ${step + 1}: distance of observables ${sum.ofFeatures.toFixed(3)}, of boxes ${sum.ofBoxes.toFixed(3)}, ${seconds} s`,
        );
        sum = { ofFeatures: 0, ofBoxes: 0 };
      }
      // Memory of a step is given back between turns of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
  mkdirSync(path.dirname(path.resolve(weights)), { recursive: true });
  ups.safetensors.save(weights, parameters);
  console.log(path.relative(process.cwd(), weights));
}

const comparison = compare(ups.models.WganGenerator.load(weights));
for (const { name, unit, truth, generated } of comparison.numbers) {
  const shown = ({ mean, spread }) => `${mean.toPrecision(4)} ± ${spread.toPrecision(3)}`;
  console.log(`${name}${unit ? ` {${unit}}` : ''}: simulated ${shown(truth)}, generated ${shown(generated)}`);
}
mkdirSync(path.dirname(path.resolve(options.picture)), { recursive: true });
writeFileSync(options.picture, drawing(comparison));
console.log(path.relative(process.cwd(), options.picture));
