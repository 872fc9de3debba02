// node examples/decorrelation/study.mjs [--strengths 0,1,3,10,30,100] [--seeds 5] [--epochs 30]
// [--picture file.svg] Trains a tagger of B -> K S against continuum with more and more weight on
// the distance correlation of its score with m(pi pi), and says what is left of its power and of
// its sculpting.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import * as ups from 'upsilon-kernels';

import { features, readCandidates, spectators } from './candidates.mjs';
import { divergenceOfChance, measured } from './measures.mjs';
import { planingWeights, shifting } from './older.mjs';
import { drawing } from './picture.mjs';
import { Tagger, train } from './tagger.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    strengths: { type: 'string', default: '0,1,3,10,30,100' },
    seeds: { type: 'string', default: '5' },
    epochs: { type: 'string', default: '30' },
    picture: { type: 'string', default: path.join(here, '..', '..', 'build', 'decorrelation.svg') },
  },
});
const strengths = options.strengths.split(',').map(Number),
  seeds = Number(options.seeds),
  epochs = Number(options.epochs);

const begin = performance.now();
const halves = readCandidates(path.join(here, 'candidates.arrow'));
const all = joined(halves);
const count = all.signal.reduce((sum, label) => sum + label, 0);
console.log(`${count} candidates of B -> K S, ${all.signal.length - count} of continuum, ${features.length} features`);

/** The spectators and labels of both halves, one after the other. */
function joined([first, second]) {
  return Object.fromEntries(
    ['signal', ...spectators].map((name) => [name, new first[name].constructor([...first[name], ...second[name]])]),
  );
}

/** Logits of all candidates, each by the tagger that was trained on the other half. */
function logitsOfOthers({ seed, strength = 0, weightsOf, transform }) {
  const taggers = halves.map((half, h) => {
    const tagger = new Tagger(features.length, 10 * seed + h);
    const losses = [];
    const weights = weightsOf?.(half);
    train(tagger, { ...half, variable: half.mass }, { strength, epochs, weights, onEpoch: (one) => losses.push(one) });
    return { tagger, losses };
  });
  const logits = halves.flatMap((half, h) => {
    const { tagger } = taggers[1 - h];
    const own = tagger.logitsOf(half.x);
    return [...(transform ? transform(tagger, halves[1 - h], own, half.mass) : own)];
  });
  return { logits: Float32Array.from(logits), losses: taggers[0].losses };
}

function ofBackground(values) {
  return values.filter((_, i) => !all.signal[i]);
}

const scoresOf = (logits) => logits.map((z) => 1 / (1 + Math.exp(-z)));
const correlation = (scores, variable) =>
  ups.distanceCorrelation(ofBackground(scores), ofBackground(all[variable])).item();

/** Mean and standard deviation over the seeds. */
function statistics(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(values.length - 1, 1);
  return { mean, deviation: Math.sqrt(variance) };
}

/** Trains for every seed. */
function point(name, settings) {
  const found = Array.from({ length: seeds }, (_, k) => {
    const { logits, losses } = logitsOfOthers({ ...settings, seed: k + 1 });
    const scores = scoresOf(logits);
    const at = measured(logits, all);
    const loose = measured(logits, all, 'mass', 0.8);
    return {
      ...at,
      loose: { rejection: loose.rejection, inverse: 1 / loose.divergence },
      scores,
      losses,
      correlation: correlation(scores, 'mass'),
      chance: divergenceOfChance(at, 'mass', 5),
    };
  });
  const rejection = statistics(found.map((one) => one.rejection)),
    inverse = statistics(found.map((one) => 1 / one.divergence)),
    chance = 1 / statistics(found.map((one) => one.chance)).mean,
    loose = ['rejection', 'inverse'].map((name) => statistics(found.map((one) => one.loose[name]))),
    disco = statistics(found.map((one) => one.correlation));
  const cells = [
    `1/background ${rejection.mean.toFixed(1)} ± ${rejection.deviation.toFixed(1)}`,
    `1/JSD ${inverse.mean.toFixed(1)} ± ${inverse.deviation.toFixed(1)} (chance ${chance.toFixed(0)})`,
    `at 80 %: ${loose.map(({ mean, deviation }) => `${mean.toPrecision(3)} ± ${Number(deviation.toPrecision(2))}`).join(', ')}`,
    `distance correlation ${disco.mean.toPrecision(2)}`,
  ];
  console.log(`${name.padEnd(14)}${cells.join('   ')}`);
  return { name, rejection, inverse, chance, ...settings, example: found[0] };
}

const scan = strengths.map((strength) => point(`strength ${strength}`, { strength }));
const { losses, scores } = scan[0].example;
console.log(
  `cross entropy without the term: ${losses[0].crossEntropy.toFixed(3)} to ${losses.at(-1).crossEntropy.toFixed(3)}`,
);
console.log('what a score without the term tells of background:');
for (const variable of spectators) {
  const at = measured(scores, all, variable);
  const [found, chance] = [at.divergence, divergenceOfChance(at, variable)].map((value) => (1 / value).toFixed(1));
  console.log(
    `  ${variable.padEnd(8)}distance correlation ${correlation(scores, variable).toFixed(4)}, 1/JSD ${found} (chance ${chance})`,
  );
}
const share = 1 / scan[0].rejection.mean;
const others = [
  point('planing', { weightsOf: planingWeights }),
  point('DDT', {
    transform: (tagger, known, logits, mass) => shifting(tagger.logitsOf(known.x), known, share)(logits, mass),
  }),
];
mkdirSync(path.dirname(path.resolve(options.picture)), { recursive: true });
writeFileSync(options.picture, drawing(scan, others));
console.log(
  `${path.relative(process.cwd(), options.picture)}, ${((performance.now() - begin) / 1000).toFixed(0)} s in all`,
);
