// How unlike simulated and generated showers are: sliced energy distances (M. G. Bellemare et al.,
// arXiv:1705.10743, call them Cramér distances), of numbers by which a shower is known, and of what
// lies in boxes of cells. For random projections p,
//   2 <|p(generated) - p(true)|> - <|p(generated) - p(generated')|> - <|p(true) - p(true')|>,
// whose estimate from a few showers has the right gradient on average; no critic is trained, and no
// second derivative taken.
import * as ups from 'upsilon-kernels';

import { cells } from './simulation.mjs';

const size = cells ** 3,
  layer = cells * cells,
  middle = (cells - 1) / 2;
const rings = 16;
/** Soft counts of the cells above these energies {MIP}. */
const levels = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200],
  softness = 0.35;
/** Visible energy, its moments along z, y and x, its profiles, and the counts. */
const names = {
  total: 0,
  moment: 1,
  z: 4,
  y: 4 + cells,
  x: 4 + 2 * cells,
  ring: 4 + 3 * cells,
  level: 4 + 3 * cells + rings,
};
/** These count as much as a profile of many numbers does. */
const strong = 4,
  strength = 15;
export const featureCount = names.level + levels.length;
const ringOf = Uint8Array.from({ length: layer }, (_, i) => {
  const [y, x] = [Math.floor(i / cells), i % cells].map((at) => at + 0.5 - cells / 2);
  return Math.min(rings - 1, Math.floor(Math.hypot(y, x)));
});

const logistic = (value, level) => 1 / (1 + (level / value) ** (1 / softness));

/** Visible energy, its profiles and the counts of one shower. */
function features(image, into) {
  into.fill(0);
  for (let i = 0; i < size; ++i) {
    const value = image[i];
    if (value === 0) continue;
    const z = Math.floor(i / layer),
      place = i % layer;
    into[names.total] += value;
    into[names.moment] += value * (z - middle);
    into[names.moment + 1] += value * (Math.floor(place / cells) - middle);
    into[names.moment + 2] += value * ((place % cells) - middle);
    into[names.z + z] += value;
    into[names.y + Math.floor(place / cells)] += value;
    into[names.x + (place % cells)] += value;
    into[names.ring + ringOf[place]] += value;
    for (let l = 0; l < levels.length; ++l) {
      if (value < 0.1 * levels[l]) break;
      into[names.level + l] += logistic(value, levels[l]);
    }
  }
}

/** Adds to the gradient by the cells what that by the features, `by`, says. */
function backward(image, by, gradient) {
  for (let i = 0; i < size; ++i) {
    const value = image[i];
    if (value === 0) continue;
    const place = i % layer;
    let sum =
      by[names.total] +
      by[names.moment] * (Math.floor(i / layer) - middle) +
      by[names.moment + 1] * (Math.floor(place / cells) - middle) +
      by[names.moment + 2] * ((place % cells) - middle) +
      by[names.z + Math.floor(i / layer)] +
      by[names.y + Math.floor(place / cells)] +
      by[names.x + (place % cells)] +
      by[names.ring + ringOf[place]];
    for (let l = 0; l < levels.length; ++l) {
      if (value < 0.1 * levels[l]) break;
      const s = logistic(value, levels[l]);
      sum += (by[names.level + l] * s * (1 - s)) / (softness * value);
    }
    gradient[i] += sum;
  }
}

/** 1, E, E^2 of energies in units in which they are about 1. */
const powers = (energy) => [1, energy / 55, (energy / 55) ** 2];

/**
 * Least squares of every feature on powers of the energy: means and spreads that depend on the
 * energy.
 */
function regressions(energies, rows) {
  const normal = [0, 1, 2].map((a) =>
    [0, 1, 2].map((b) => energies.reduce((s, e) => s + powers(e)[a] * powers(e)[b], 0)),
  );
  return Array.from({ length: featureCount }, (_, f) => {
    const right = [0, 1, 2].map((a) => energies.reduce((s, e, i) => s + powers(e)[a] * rows[i][f], 0));
    const mean = solve(normal, right);
    const residual = Math.sqrt(rows.reduce((s, row, i) => s + (row[f] - at(mean, energies[i])) ** 2, 0) / rows.length);
    return { mean, spread: Math.max(residual, 0.3) };
  });
}
const at = (coefficients, energy) => powers(energy).reduce((sum, power, k) => sum + coefficients[k] * power, 0);

function solve(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  for (let k = 0; k < rows.length; ++k)
    for (let i = 0; i < rows.length; ++i) {
      if (i === k) continue;
      const factor = rows[i][k] / rows[k][k];
      rows[i] = rows[i].map((value, j) => value - factor * rows[k][j]);
    }
  return rows.map((row, i) => row[rows.length] / row[i]);
}

/**
 * Derivative of the energy distance between numbers by the generated ones, added to `into` with a
 * factor.
 */
function energyDistance(generated, truth, into, factor) {
  const n = generated.length,
    m = truth.length;
  let distance = 0;
  for (let i = 0; i < n; ++i) {
    let sign = 0;
    for (let j = 0; j < m; ++j) {
      sign += (2 / m) * Math.sign(generated[i] - truth[j]);
      distance += (2 / (n * m)) * Math.abs(generated[i] - truth[j]);
    }
    for (let k = 0; k < n; ++k) {
      sign -= (2 / (n - 1)) * Math.sign(generated[i] - generated[k]);
      distance -= Math.abs(generated[i] - generated[k]) / (n * (n - 1));
    }
    into[i] += (factor * sign) / n;
  }
  return distance;
}

/** What showers are compared with: the latest simulated ones. */
export class Objective {
  /** @param images - [M, 30, 30, 30] with their energies */
  constructor({ images, energies, seed }) {
    this.count = energies.length;
    this.images = images;
    this.energies = Float64Array.from(energies);
    this.rows = Array.from({ length: this.count }, (_, i) => this.rowOf(images, i));
    this.regressions = regressions([...this.energies], this.rows);
    this.scaled = this.rows.map((row, i) => this.scale(row, this.energies[i]));
    this.seed = seed;
    this.next = 0;
  }

  rowOf(images, i) {
    const row = new Float64Array(featureCount);
    features(images.subarray(i * size, (i + 1) * size), row);
    return row;
  }
  scale(row, energy) {
    return row.map((value, f) => (value - at(this.regressions[f].mean, energy)) / this.regressions[f].spread);
  }

  /** Takes new showers in the place of the oldest ones. */
  renew(images, energies) {
    energies.forEach((energy, i) => {
      this.images.set(images.subarray(i * size, (i + 1) * size), this.next * size);
      this.energies[this.next] = energy;
      this.rows[this.next] = this.rowOf(images, i);
      this.scaled[this.next] = this.scale(this.rows[this.next], energy);
      this.next = (this.next + 1) % this.count;
    });
  }

  /** @returns the derivative by the generated cells, and the distances themselves */
  gradient(generated, energies, step) {
    const { length: B } = energies;
    const gradient = new Float32Array(B * size);
    const image = (i) => generated.subarray(i * size, (i + 1) * size);
    const random = ups.random.uniform([65536], { seed: this.seed, stream: step }).data;
    let drawn = 0;
    const uniform = () => random[drawn++];
    const normal = () => Math.sqrt(-2 * Math.log(uniform() + 2 ** -25)) * Math.cos(2 * Math.PI * uniform());
    const energyOf = (energy) => (energy - 55) / 26;

    const scaled = Array.from({ length: B }, (_, i) => this.scale(this.rowOf(generated, i), energies[i]));
    const byFeatures = Array.from({ length: B }, () => new Float64Array(featureCount));
    const mixtures = featureCount;
    const p = new Float64Array(B),
      q = new Float64Array(this.count),
      dp = new Float64Array(B);
    let ofFeatures = 0;
    for (let k = 0; k < featureCount + mixtures; ++k) {
      // Every feature by itself, then mixtures of a few; some of the energy in each, so that what
      // depends on it is seen.
      const parts =
        k < featureCount
          ? [[k, 1]]
          : Array.from({ length: 2 + Math.floor(3 * uniform()) }, () => [
              Math.floor(featureCount * uniform()),
              normal(),
            ]);
      const length = Math.hypot(...parts.map(([, weight]) => weight));
      const slope = normal();
      const project = (row, energy) =>
        parts.reduce((sum, [f, weight]) => sum + (weight / length) * row[f], slope * energyOf(energy));
      for (let i = 0; i < B; ++i) p[i] = project(scaled[i], energies[i]);
      for (let j = 0; j < this.count; ++j) q[j] = project(this.scaled[j], this.energies[j]);
      dp.fill(0);
      const factor = k < strong ? strength : 1;
      ofFeatures += energyDistance(p, q, dp, factor / (featureCount + mixtures));
      for (let i = 0; i < B; ++i)
        for (const [f, weight] of parts) byFeatures[i][f] += (dp[i] * weight) / length / this.regressions[f].spread;
    }
    for (let i = 0; i < B; ++i) backward(image(i), byFeatures[i], gradient.subarray(i * size, (i + 1) * size));

    // Boxes round cells that have hits: sums of log(1 + E), and differences between their halves.
    const boxes = 96;
    let ofBoxes = 0;
    for (let k = 0; k < boxes; ++k) {
      const shower = Math.floor(this.count * uniform());
      let centre = Math.floor(size * uniform());
      while (this.images[shower * size + centre] === 0) centre = (centre + 1) % size;
      const reach = [0, 0, 1, 2, 4][Math.floor(5 * uniform())];
      const sides = [0, 1, 2].map(() => (uniform() < 0.5 ? 1 : -1));
      const where = [],
        signs = [];
      const middle = [Math.floor(centre / layer), Math.floor(centre / cells) % cells, centre % cells];
      const range = (at) => [Math.max(0, at - reach), Math.min(cells - 1, at + reach)];
      const [[z0, z1], [y0, y1], [x0, x1]] = middle.map(range);
      for (let z = z0; z <= z1; ++z)
        for (let y = y0; y <= y1; ++y)
          for (let x = x0; x <= x1; ++x) {
            where.push((z * cells + y) * cells + x);
            const above = [z > middle[0], y > middle[1], x > middle[2]];
            signs.push(above.reduce((sign, is, d) => (is ? sign * sides[d] : sign), 1));
          }
      const sum = (from, begin) => {
        let total = 0;
        for (let c = 0; c < where.length; ++c) {
          const value = from[begin + where[c]];
          if (value > 0) total += signs[c] * Math.log1p(value);
        }
        return total;
      };
      for (let j = 0; j < this.count; ++j) q[j] = sum(this.images, j * size);
      const mean = q.reduce((s, value) => s + value, 0) / this.count;
      const spread = Math.sqrt(q.reduce((s, value) => s + (value - mean) ** 2, 0) / this.count) + 0.05;
      const slope = normal();
      for (let j = 0; j < this.count; ++j) q[j] = q[j] / spread + slope * energyOf(this.energies[j]);
      for (let i = 0; i < B; ++i) p[i] = sum(generated, i * size) / spread + slope * energyOf(energies[i]);
      dp.fill(0);
      ofBoxes += energyDistance(p, q, dp, 1 / boxes);
      for (let i = 0; i < B; ++i)
        for (let c = 0; c < where.length; ++c) {
          const cell = i * size + where[c];
          if (generated[cell] > 0) gradient[cell] += (dp[i] * signs[c]) / spread / (1 + generated[cell]);
        }
    }
    return { gradient, ofFeatures: ofFeatures / (featureCount + mixtures), ofBoxes: ofBoxes / boxes };
  }
}
