// Shower generators through the public functions, one shower and sixteen: ours draws its noise and
// applies the threshold, peers are given their noise and leave the hits as they are. Operations
// count those that have an effect on the result, the published networks' layer by layer.
import type { Bench, BenchCase, Row } from '../bench';
import type { Tensors } from '../cases';
import { concat, convTranspose3d, lastVariant, models, noGrad, random, tensor, type Tensor, zeros } from '../library';
import { type Contestant, measure, timed } from '../measure';
import { relativeError } from '../reference';

const tolerance = 2e-5;
const seed = 1;

/** One network with its inputs. */
interface Subject {
  /** By the names that the peers know. */
  inputs: Tensors;
  /** What is timed. */
  run: () => void;
  /** What peers compute, and the first of it in float64. */
  result: () => Tensor;
  exact: () => Tensor;
  flops: number;
}

const wide = (tensors: Readonly<Record<string, Tensor>>): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, tensor(value, { dtype: 'float64' })]));
const one = (all: Tensor): Tensor => {
  const [, ...shape] = all.shape;
  const size = shape.reduce((product, extent) => product * extent, 1);
  return tensor((all.data as Float32Array).slice(0, size), { shape: [1, ...shape] });
};

function energiesOf(batch: number): Float32Array {
  return Float32Array.from({ length: batch }, (_, i) => 10 + (90 * i) / batch);
}

/** What a generator draws for its first showers. */
function noiseOf(kind: 'normal' | 'uniform', batch: number, width: number): Tensor {
  const noise = zeros([batch, width]),
    values = noise.data as Float32Array;
  for (let shower = 0; shower < batch; ++shower)
    random[kind]([width], { seed, stream: shower, out: values.subarray(shower * width, (shower + 1) * width) });
  if (kind === 'uniform') values.forEach((u, i) => (values[i] = 2 * u - 1));
  return noise;
}

/**
 * Products of a convolution of cubes: places (of the input of a transposed one), channels on both
 * sides, kernel.
 */
const products = (extent: number, inputs: number, outputs: number, kernel: number): number =>
  extent ** 3 * inputs * outputs * kernel ** 3;

/** A generator; the result in float64 is that of `load` with the same weights. */
function generator(
  net: models.ShowerGenerator,
  load: (weights: Tensors) => models.ShowerGenerator,
  noise: Tensor,
  flopsOfShower: number,
): Subject {
  const [batch] = noise.shape,
    energies = energiesOf(batch);
  return {
    inputs: { noise, energies: tensor(energies), ...net.parameters },
    run: () => net.generate({ energies, seed }).dispose(),
    result: () => noGrad(() => net.forward(noise, energies)),
    exact: () =>
      noGrad(() =>
        load(wide(net.parameters)).forward(tensor(one(noise), { dtype: 'float64' }), energies.subarray(0, 1)),
      ),
    flops: batch * flopsOfShower,
  };
}

function wgan(batch: number): Subject {
  const net = models.WganGenerator.initial({ seed });
  const flops =
    2 *
    (products(1, 101, 128, 4) +
      products(4, 256, 128, 4) +
      products(8, 128, 64, 4) +
      products(16, 64, 32, 4) +
      products(30, 32, 1, 3));
  return generator(net, (weights) => models.WganGenerator.load(weights), noiseOf('uniform', batch, net.latent), flops);
}

const denseProducts = 513 * 768 + 768 * 4000 + 4000 * 8000;
const decoderProducts =
  denseProducts +
  products(10, 8, 8, 3) +
  products(30, 8, 16, 3) +
  products(30, 16, 8, 2) +
  products(30, 8 * 16 + 16 * 32 + 32 * 16 + 16, 1, 3);

function decoder(batch: number): Subject {
  const net = models.BibAeDecoder.initial({ seed });
  const noise = noiseOf('normal', batch, 512);
  return generator(net, (weights) => models.BibAeDecoder.load(weights), noise, 2 * decoderProducts);
}

function encoder(batch: number): Subject {
  const net = models.BibAeEncoder.initial({ seed });
  const showers = random.uniform([batch, 30, 30, 30], { seed }),
    energies = energiesOf(batch);
  const encoded = (by: models.BibAeEncoder, given: Tensor): Tensor =>
    noGrad(() => {
      const { mu, logVariance } = by.encode({ showers: given, energies: energies.subarray(0, given.shape[0]) });
      return concat([mu, logVariance]);
    });
  return {
    inputs: { showers, energies: tensor(energies), ...net.parameters },
    run: () => encoded(net, showers).dispose(),
    result: () => encoded(net, showers),
    exact: () => encoded(models.BibAeEncoder.load(wide(net.parameters)), tensor(one(showers), { dtype: 'float64' })),
    flops:
      2 *
      batch *
      (products(16, 1, 8, 4) +
        products(9, 8, 16, 4) +
        products(5, 16, 32, 4) +
        products(5, 32, 64, 3) +
        (8001 * 4000 + 4000 * 768 + 768 * 48)),
  };
}

function postProcessor(batch: number): Subject {
  const net = models.BibAePostProcessor.initial({ seed });
  const raw = random.uniform([batch, 30, 30, 30], { seed }),
    energies = tensor(energiesOf(batch));
  return {
    inputs: { raw, energies, ...net.parameters },
    run: () => noGrad(() => net.forward(raw).dispose()),
    result: () => noGrad(() => net.forward(raw)),
    exact: () =>
      noGrad(() =>
        models.BibAePostProcessor.load(wide(net.parameters)).forward(tensor(one(raw), { dtype: 'float64' })),
      ),
    flops: 2 * batch * products(30, 4 * 128 * 128 + 2 * 128, 1, 1),
  };
}

function stack(batch: number): Subject {
  const scale = 1 / Math.sqrt(64 * 8);
  const weights = Object.fromEntries(
    [0, 1, 2].map((layer) => {
      const weight = random.normal([64, 64, 4, 4, 4], { seed, stream: layer });
      (weight.data as Float32Array).forEach((value, i) => (weight.data[i] = value * scale));
      return [`weight${layer}`, weight];
    }),
  );
  const x = random.normal([batch, 64, 4, 4, 4], { seed, stream: 3 });
  const run = (given: Tensor, all: Tensors, outs: (Tensor | undefined)[]): Tensor =>
    noGrad(() => {
      let h = given;
      outs.forEach((out, layer) => {
        h = convTranspose3d(h, all[`weight${layer}`], {
          stride: 2,
          padding: layer < 2 ? 1 : 2,
          activation: 'relu',
          out,
        });
      });
      return h;
    });
  const outs = [8, 16, 30].map((extent) => zeros([batch, 64, extent, extent, extent]));
  return {
    inputs: { x, ...weights },
    run: () => void run(x, weights, outs),
    result: () => run(x, weights, outs),
    exact: () => run(tensor(one(x), { dtype: 'float64' }), wide(weights), [undefined, undefined, undefined]),
    flops: 2 * batch * (products(4, 64, 64, 4) + products(8, 64, 64, 4) + products(15, 64, 64, 4)),
  };
}

class ShowerCase implements BenchCase {
  readonly suite = 'showers';
  readonly small = false;
  readonly name: string;

  constructor(
    what: string,
    private readonly operation: string,
    private readonly batch: number,
    private readonly subject: (batch: number) => Subject,
  ) {
    this.name = `${what}, batch ${batch}`;
  }

  prepare(): () => void {
    return this.subject(this.batch).run;
  }

  async run(bench: Bench): Promise<Row> {
    const { inputs, run, result, exact, flops } = this.subject(this.batch);
    const row: Row = { case: `${this.suite}/${this.name}`, ours: 'upsilon', timings: {}, notes: [], flops };
    run();
    row.variant = lastVariant();
    const found = result(),
      first = exact().data as Float64Array;
    row.bytes = 4 * Object.values(inputs).reduce((total, { size }) => total + size, found.size);
    row.error = relativeError((found.data as Float32Array).subarray(0, first.length), first);
    if (!(row.error <= tolerance)) {
      row.problem = `differs from float64 by ${row.error.toPrecision(2)} (expected at most ${tolerance})`;
      return row;
    }
    const contestants: Contestant[] = [timed('upsilon', run)];
    if (bench.peers) {
      const opened = await bench.peers.openModel(this.operation, inputs, { y: found });
      contestants.push(...opened.contestants);
      row.notes.push(...opened.notes);
    }
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
    row.figures = { 'showers per second': (1000 * this.batch) / row.timings['upsilon'].median_ms };
    return row;
  }
}

export function suite(): BenchCase[] {
  return [1, 16].flatMap((batch) => [
    new ShowerCase('WGAN generator', 'wgan_generator', batch, wgan),
    new ShowerCase('BIB-AE decoder', 'bib_ae_decoder', batch, decoder),
    new ShowerCase('BIB-AE encoder', 'bib_ae_encoder', batch, encoder),
    new ShowerCase('BIB-AE post-processor', 'bib_ae_post_processor', batch, postProcessor),
    new ShowerCase('three transposed convolutions of 64 channels, 4^3 to 30^3', 'transposed_stack', batch, stack),
  ]);
}
