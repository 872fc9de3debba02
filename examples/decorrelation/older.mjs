// Two older ways to keep a score from telling the mass.
import { binnings, shares } from './measures.mjs';

/**
 * Planing (arXiv:1709.10106): weights with which the masses of either class are spread evenly over
 * the bins.
 */
export function planingWeights({ signal, mass }) {
  const { low, high, bins } = binnings.mass;
  const classes = [0, 1].map((label) =>
    shares(
      mass.filter((_, i) => signal[i] === label),
      binnings.mass,
    ),
  );
  return Float32Array.from(mass, (value, i) => {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * bins)));
    return 1 / (bins * Math.max(classes[signal[i]][bin], 2e-3));
  });
}

/**
 * Designing decorrelated taggers (arXiv:1603.00027): from the logit of each event the cut is taken
 * off that keeps `share` of the background of `sample` near its mass.
 * @returns a function from logits and masses to new scores
 */
export function shifting(logits, { signal, mass }, share, neighbours = 1200) {
  const background = [...mass.keys()].filter((i) => !signal[i]).sort((a, b) => mass[a] - mass[b]);
  const width = Math.min(neighbours, background.length);
  const knots = [];
  for (let first = 0; first + width <= background.length; first += width >> 2) {
    const near = background.slice(first, first + width);
    const sorted = Float32Array.from(near, (i) => logits[i]).sort();
    const middle = near.reduce((sum, i) => sum + mass[i], 0) / width;
    knots.push([middle, sorted[Math.floor((1 - share) * (width - 1))]]);
  }
  const cutAt = (value) => {
    const after = knots.findIndex(([middle]) => middle > value);
    if (after === -1) return knots.at(-1)[1];
    if (after === 0) return knots[0][1];
    const [[a, cutA], [b, cutB]] = knots.slice(after - 1, after + 1);
    return cutA + ((value - a) / (b - a)) * (cutB - cutA);
  };
  return (others, masses) => others.map((z, i) => z - cutAt(masses[i]));
}
