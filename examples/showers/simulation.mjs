// Electromagnetic showers of photons in a sampling calorimeter, by the parametrisation of G.
// Grindhammer and S. Peters, hep-ex/0001020, whose symbols and constants these are: a Gamma profile
// in depth whose maximum T and shape alpha vary from shower to shower, correlated; a core and a
// tail around the axis, r/(r^2 + R^2)^2 each, which widen with depth; and a number of energy spots,
// which makes the fluctuations of what is seen.
import * as ups from 'upsilon-kernels';

/**
 * Cells along each axis; a layer is 0.8 radiation lengths deep, a cell a quarter of a Molière
 * radius wide.
 */
export const cells = 30;
const layerDepth = 0.8,
  cellWidth = 1 / 4;
/** What the layers are made of, on average: mostly tungsten. */
const Z = 70,
  criticalEnergy = 0.0085; // {GeV}
/** c of c / sqrt(E), for the number of spots of a sampling calorimeter: 10.3 / c E^0.959. */
const samplingTerm = 0.17;
/** Energy that is seen {MIP / GeV}, and the least that makes a hit {MIP}. */
export const response = 100,
  threshold = 0.1;

/** Numbers of one shower, from a stream of its own. */
class Numbers {
  constructor(seed, stream) {
    this.options = { seed, stream };
    this.drawn = [];
    this.at = 0;
  }
  /** Uniform in (0, 1). */
  next() {
    if (this.at === this.drawn.length) {
      // The stream from its beginning: its first numbers are those that are known already.
      this.drawn = ups.random.uniform([Math.max(1024, 4 * this.drawn.length)], this.options).data;
    }
    return this.drawn[this.at++] + 2 ** -25;
  }
  normal() {
    return Math.sqrt(-2 * Math.log(this.next())) * Math.cos(2 * Math.PI * this.next());
  }
}

/**
 * A Gamma distribution's share in every layer, behind the place where the photon converts; the last
 * entry is what leaves.
 */
function sharesOfLayers(alpha, beta, start) {
  const steps = 8;
  const shares = new Float64Array(cells + 1);
  // Up to a factor; the integral is made 1 over a depth of which nothing is left.
  const deepest = Math.ceil((start + (alpha + 12 * Math.sqrt(alpha)) / beta) / layerDepth);
  let sum = 0;
  for (let layer = 0; layer < Math.max(deepest, cells); ++layer) {
    let inside = 0;
    for (let s = 0; s < steps; ++s) {
      const t = (layer + (s + 0.5) / steps) * layerDepth - start;
      if (t > 0) inside += (beta * t) ** (alpha - 1) * Math.exp(-beta * t);
    }
    shares[Math.min(layer, cells)] += inside;
    sum += inside;
  }
  return shares.map((share) => share / sum);
}

/**
 * Radii of core and tail {Molière radii} and the core's weight, at tau = depth / depth of the
 * maximum.
 */
function radialParameters(tau, lnE) {
  const core = 0.0251 + 0.00319 * lnE + (0.1162 - 0.000381 * Z) * tau;
  const k1 = 0.659 - 0.00309 * Z,
    k2 = 0.645;
  const tail = k1 * (Math.exp(-2.59 * (tau - k2)) + Math.exp((0.3585 + 0.0421 * lnE) * (tau - k2)));
  const p1 = 2.632 - 0.00094 * Z,
    p2 = 0.401 + 0.00187 * Z,
    p3 = 1.313 - 0.0686 * lnE;
  const x = (p2 - tau) / p3;
  return { core, tail, weight: p1 * Math.exp(x - Math.exp(x)) };
}

/**
 * One shower into `image`, which is [layer, y, x] {MIP} and zero. The photon comes along the middle
 * of the layers.
 */
function addShower(image, energy, numbers) {
  const lnY = Math.log(energy / criticalEnergy),
    lnE = Math.log(energy);
  const rho = 0.705 - 0.023 * lnY;
  const [a, b] = [numbers.normal(), numbers.normal()];
  const common = Math.sqrt((1 + rho) / 2) * a,
    opposite = Math.sqrt((1 - rho) / 2) * b;
  const meanAlpha = 0.81 + (0.458 + 2.26 / Z) * lnY;
  const maximum = (lnY - 0.812) * Math.exp((common + opposite) / (-1.4 + 1.26 * lnY));
  const alpha = Math.max(1.1, meanAlpha * Math.exp((common - opposite) / (-0.58 + 0.86 * lnY)));
  // A photon does nothing before it makes a pair: 9/7 radiation lengths on average.
  const start = (-9 / 7) * Math.log(numbers.next());
  const energyShares = sharesOfLayers(alpha, (alpha - 1) / maximum, start);
  const spotAlpha = Math.max(1.1, alpha * (0.639 + 0.00334 * Z)),
    spotMaximum = maximum * (0.698 + 0.00212 * Z);
  const spotShares = sharesOfLayers(spotAlpha, (spotAlpha - 1) / spotMaximum, start);
  const meanSpots = (10.3 / samplingTerm) * energy ** 0.959;
  const [centreY, centreX] = [numbers.next(), numbers.next()];
  for (let layer = 0; layer < cells; ++layer) {
    const wanted = meanSpots * spotShares[layer];
    if (wanted < 1e-3) continue;
    const spots = poisson(wanted, numbers);
    const perSpot = (response * energy * energyShares[layer]) / wanted;
    const depth = Math.max(0, (layer + 0.5) * layerDepth - start);
    const tau = (((depth / maximum) * (alpha - 1)) / alpha) * (meanAlpha / (meanAlpha - 1));
    const { core, tail, weight } = radialParameters(tau, lnE);
    for (let spot = 0; spot < spots; ++spot) {
      const u = numbers.next();
      const r = ((numbers.next() < weight ? core : tail) * Math.sqrt(u / (1 - u))) / cellWidth;
      const phi = 2 * Math.PI * numbers.next();
      const y = Math.floor(cells / 2 - 0.5 + centreY + r * Math.sin(phi)),
        x = Math.floor(cells / 2 - 0.5 + centreX + r * Math.cos(phi));
      // What a spot leaves varies as the sum of two exponentials does.
      const left = -Math.log(numbers.next() * numbers.next()) / 2;
      if (y >= 0 && y < cells && x >= 0 && x < cells) image[(layer * cells + y) * cells + x] += perSpot * left;
    }
  }
  for (let i = 0; i < image.length; ++i) if (image[i] < threshold) image[i] = 0;
}

/** By exponential gaps up to where the normal distribution is as good. */
function poisson(mean, numbers) {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * numbers.normal()));
  let count = -1;
  for (let product = 1; product > Math.exp(-mean); ++count) product *= numbers.next();
  return Math.max(0, count);
}

/**
 * Showers of photons; shower `first + i` of a seed is always the same one for the same energy.
 * @param options - energies {GeV}, seed, first
 * @returns [B, 30, 30, 30] {MIP}: layer, y, x
 */
export function simulate({ energies, seed, first = 0 }) {
  const size = cells ** 3;
  const images = new Float32Array(energies.length * size);
  energies.forEach((energy, i) =>
    addShower(images.subarray(i * size, (i + 1) * size), energy, new Numbers(seed, first + i)),
  );
  return ups.tensor(images, { shape: [energies.length, cells, cells, cells] });
}

/** Energies from a flat spectrum {GeV}, by the number of the shower. */
export function energiesOf({ low = 10, high = 100, count, seed, first = 0 }) {
  const all = ups.random.uniform([first + count], { seed, stream: 2n ** 63n }).data.subarray(first);
  return Float32Array.from(all, (u) => low + (high - low) * u);
}
