// How well a tagger separates, and how much it sculpts.
import * as ups from 'upsilon-kernels';

const efficiency = 0.5;

/** Shares of the values in `bins` equal bins between `low` and `high`. */
export function shares(values, { low, high, bins }) {
  const counts = new Float64Array(bins);
  for (const value of values)
    if (value >= low && value < high) ++counts[Math.floor(((value - low) / (high - low)) * bins)];
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / total);
}

/** Jensen-Shannon divergence of two lists of shares, base 2: 0 for equal ones, 1 where they have no bin in common. */
export function jensenShannon(p, q) {
  const term = (a, m) => (a > 0 ? (a / 2) * Math.log2(a / m) : 0);
  return p.reduce((sum, a, i) => sum + term(a, (a + q[i]) / 2) + term(q[i], (a + q[i]) / 2), 0);
}

/** The background that passes a cut on the score, and the background that fails. */
export function divide(scores, signal, values, threshold) {
  const pass = [],
    fail = [];
  scores.forEach((score, i) => {
    if (!signal[i]) (score >= threshold ? pass : fail).push(values[i]);
  });
  return { pass, fail };
}

/**
 * At 50 % signal efficiency.
 * @returns `rejection` of background, `divergence` of the variable between background that passes and that fails, and these
 * two as `pass` and `fail`
 */
export function measured(scores, signal, values, binning) {
  const { rejection, thresholds } = ups.backgroundRejection(scores, signal, efficiency);
  const { pass, fail } = divide(scores, signal, values, thresholds.data[0]);
  const divergence = jensenShannon(shares(pass, binning), shares(fail, binning));
  return { rejection: rejection.data[0], divergence, pass, fail };
}
