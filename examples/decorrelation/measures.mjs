// How well a tagger separates, and how much it sculpts.
import * as ups from 'upsilon-kernels';

export const binnings = {
  mass: { low: 0.3, high: 4.8, bins: 24 },
  mbc: { low: 5.1, high: 5.29, bins: 24 },
  deltaE: { low: -0.5, high: 0.5, bins: 24 },
};

/** Shares of the values in equal bins. */
export function shares(values, { low, high, bins }) {
  const { counts } = ups.histogram(Float64Array.from(values), { bins, range: [low, high] });
  const total = counts.data.reduce((sum, count) => sum + count, 0);
  return counts.data.map((count) => count / total);
}

/**
 * At a signal efficiency.
 * @returns `rejection` of background, `divergence` of the variable between background that passes
 *   and that fails, and the values of both as `pass` and `fail`
 */
export function measured(scores, { signal, ...spectators }, variable = 'mass', efficiency = 0.5) {
  const { rejection, thresholds } = ups.backgroundRejection(scores, signal, efficiency);
  const pass = [],
    fail = [];
  scores.forEach((score, i) => {
    if (!signal[i]) (score >= thresholds.data[0] ? pass : fail).push(spectators[variable][i]);
  });
  const [p, q] = [pass, fail].map((values) => shares(values, binnings[variable]));
  return { rejection: rejection.data[0], divergence: ups.jsDivergence(p, q).item(), pass, fail };
}

/**
 * The divergence that chance alone gives: mean over random divisions into as many that pass and
 * fail.
 */
export function divergenceOfChance({ pass, fail }, variable = 'mass', divisions = 20) {
  const all = [...pass, ...fail];
  let sum = 0;
  for (let seed = 0; seed < divisions; ++seed) {
    const order = ups.argsort(ups.random.uniform([all.length], { seed })).data;
    const [p, q] = [order.subarray(0, pass.length), order.subarray(pass.length)].map((which) =>
      shares(
        Array.from(which, (i) => all[i]),
        binnings[variable],
      ),
    );
    sum += ups.jsDivergence(p, q).item();
  }
  return sum / divisions;
}
