// Shower generators: PyTorch's results (tools/golden/showers.py), what must not change a shower,
// files, and bad input.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';

import { thrown } from '../helpers';

const { BibAe, BibAeDecoder, BibAeEncoder, BibAePostProcessor, WganGenerator } = ups.models;
const golden = ups.safetensors.load(readFileSync(join(__dirname, '..', '..', 'test', 'golden', 'showers.safetensors')));
const seed = 7,
  first = 3,
  volume = 27000;
const { energies } = golden as Record<'energies', ups.Tensor>;

/** Every tensor from a stream of its own, as the golden script draws them. */
function draw<T extends { parameters: Readonly<Record<string, ups.Tensor>> }>(net: T, from: number): T {
  Object.entries(net.parameters)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .forEach(([name, parameter], stream) => {
      const { shape } = parameter;
      ups.random.uniform(shape, { seed: from, stream, out: parameter.detach() });
      const data = parameter.data as Float32Array;
      const isNorm = shape.length === 3;
      const fanIn = shape.length === 1 ? 4 : shape.slice(1).reduce((product, extent) => product * extent, 1);
      const scale = isNorm ? 1 : 1 / Math.sqrt(fanIn);
      const [slope, offset] = isNorm && name.endsWith('weight') ? [1, 0.5] : [2 * scale, -scale];
      for (let i = 0; i < data.length; ++i) data[i] = slope * data[i] + offset;
    });
  return net;
}

function noiseOf(kind: 'uniform' | 'normal', width: number): ups.Tensor {
  const noise = ups.zeros([2, width]);
  for (const row of [0, 1]) {
    const out = noise.data.subarray(row * width, (row + 1) * width) as Float32Array;
    ups.random[kind]([width], { seed, stream: first + row, out });
    if (kind === 'uniform') out.forEach((u, i) => (out[i] = 2 * u - 1));
  }
  return noise;
}

/** Largest difference relative to the largest expected number. */
function error(found: ArrayLike<number | bigint>, expected: ups.Tensor): number {
  let worst = 0,
    scale = 0;
  (expected.data as Float32Array).forEach((value, i) => {
    const difference = Math.abs(Number(found[i]) - value);
    if (!(difference <= worst)) worst = difference;
    scale = Math.max(scale, Math.abs(value));
  });
  return expected.size === found.length ? worst / scale : NaN;
}

const sampled = (values: ups.TypedArray): number[] => Array.from(values as Float32Array).filter((_, i) => i % 7 === 0);
/** Cells of every shower that the golden file has. */
const cellsOf = (showers: ups.Tensor): number[] =>
  [0, 1].flatMap((s) => sampled(showers.data.subarray(s * volume, (s + 1) * volume)));
const sumsOf = (showers: ups.Tensor): number[] =>
  [0, 1].map((s) =>
    (showers.data.subarray(s * volume, (s + 1) * volume) as Float32Array).reduce((sum, hit) => sum + hit, 0),
  );

function expectGolden(name: string, showers: ups.Tensor): void {
  expect(showers.shape).toEqual([2, 30, 30, 30]);
  expect(error(cellsOf(showers), golden[name])).toBeLessThan(1e-5);
  expect(error(sumsOf(showers), golden[`${name}.sum`])).toBeLessThan(1e-5);
}

/** What `generate` makes of showers. */
function cut(showers: ups.Tensor): ups.Tensor {
  return ups.tensor((showers.data as Float32Array).map((hit) => (hit < 0.1 ? 0 : hit)));
}

const bits = ({ data }: ups.Tensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/**
 * Of the parameters these alone gather gradients, from nothing on, whichever tests had the network
 * before.
 */
function differentiate(parameters: Readonly<Record<string, ups.Tensor>>, names: readonly string[]): void {
  for (const [name, parameter] of Object.entries(parameters)) {
    parameter.requiresGrad = names.includes(name);
    parameter.grad = undefined;
  }
}

describe('WganGenerator', () => {
  const net = draw(WganGenerator.initial({ seed: 1 }), 5);

  test('is what PyTorch computes, with 3655520 parameters', () => {
    expect(net.parameterCount).toBe(3655520);
    const showers = ups.noGrad(() => net.forward(noiseOf('uniform', 100), energies));
    expectGolden('WganGenerator', showers);
    const generated = net.generate({ energies, seed, first });
    expect(bits(generated).equals(bits(cut(showers)))).toBe(true);
  });

  test('has the gradients of PyTorch', () => {
    const noise = ups.tensor(noiseOf('uniform', 100), { requiresGrad: true });
    const weights = new Float32Array(2 * volume).fill(1).fill(-0.5, volume);
    net.forward(noise, energies).backward(ups.tensor(weights, { shape: [2, 30, 30, 30] }));
    expect(error(noise.grad!.data as Float32Array, golden['WganGenerator.dnoise'])).toBeLessThan(5e-5);
    const names = Object.keys(golden).flatMap((name) => /^WganGenerator\.d(.*\..*)$/.exec(name)?.[1] ?? []);
    expect(names).toHaveLength(4);
    for (const name of names)
      expect(error(sampled(net.parameters[name].grad!.data), golden[`WganGenerator.d${name}`])).toBeLessThan(5e-5);
  });

  test('a shower belongs to seed and number, whatever it is generated with', () => {
    const small = WganGenerator.initial({ seed: 2, width: 3, latent: 10 });
    const many = Float32Array.from({ length: 23 }, (_, i) => 10 + 4 * i);
    const all = small.generate({ energies: many, seed: 9 });
    const part = small.generate({ energies: many.subarray(5, 18), seed: 9, first: 5 });
    expect(bits(part).equals(bits(all).subarray(5 * volume * 4, 18 * volume * 4))).toBe(true);
    ups.setThreads(1);
    expect(bits(small.generate({ energies: many, seed: 9 })).equals(bits(all))).toBe(true);
    ups.setThreads(-1);
    expect(bits(small.generate({ energies: many, seed: 10 })).equals(bits(all))).toBe(false);
    for (const hit of all.data as Float32Array) if (!(hit === 0 || hit >= 0.1)) throw new Error(`a hit of ${hit}`);
  });

  test('writes to out', () => {
    const small = WganGenerator.initial({ seed: 2, width: 3, latent: 10 });
    const out = ups.tensor(new Float32Array(new SharedArrayBuffer(3 * 4 * volume)), { shape: [3, 30, 30, 30] });
    const made = small.generate({ energies: [1, 2, 3], seed: 4, out });
    expect(made.data).toBe(out.data);
    expect(bits(small.generate({ energies: [1, 2, 3], seed: 4 })).equals(bits(out))).toBe(true);
    const wrong: [unknown, object][] = [
      [ups.zeros([2, 30, 30, 30]), { name: 'ShapeError', argument: 'out' }],
      [new Float32Array(3 * volume), { name: 'ShapeError', argument: 'out' }],
      [ups.zeros([3, 30, 30, 30], { dtype: 'float64' }), { name: 'DTypeError', argument: 'out' }],
      [[1], { name: 'ValueError', argument: 'out' }],
    ];
    for (const [bad, expected] of wrong)
      expect(thrown(() => small.generate({ energies: [1, 2, 3], seed: 4, out: bad as never }))).toMatchObject({
        operation: 'WganGenerator',
        ...expected,
      });
  });

  test('learns', () => {
    const small = WganGenerator.initial({ seed: 3, width: 2, latent: 8 });
    const adam = new ups.optim.Adam(small.parameters, { learningRate: 0.01 });
    const noise = ups.random.normal([2, 8], { seed: 1 });
    const losses = Array.from({ length: 12 }, () => {
      adam.zeroGrad();
      const showers = small.forward(noise, [1, 2]);
      const differences = (showers.data as Float32Array).map((hit) => hit - 0.5);
      showers.backward(ups.tensor(differences, { shape: showers.shape }));
      adam.step();
      return differences.reduce((sum, difference) => sum + difference * difference, 0);
    });
    expect(losses.at(-1)).toBeLessThan(losses[0] / 2);
  });
});

describe('BIB-AE', () => {
  const decoder = draw(BibAeDecoder.initial({ seed: 1 }), 6),
    postProcessor = draw(BibAePostProcessor.initial({ seed: 1, decoder }), 8);
  const raw = ups.noGrad(() => decoder.forward(noiseOf('normal', 512), energies));

  test('the decoder is what PyTorch computes, with 36218496 parameters', () => {
    expect(decoder.parameterCount).toBe(36218496);
    expectGolden('BibAeDecoder', raw);
    expect(bits(decoder.generate({ energies, seed, first })).equals(bits(cut(raw)))).toBe(true);
    const alone = decoder.generate({ energies: energies.data.subarray(1), seed, first: first + 1 });
    expect(bits(alone).equals(bits(cut(raw)).subarray(4 * volume))).toBe(true);
  });

  test('the post-processor is what PyTorch computes, with 299136 parameters', () => {
    expect(postProcessor.parameterCount).toBe(299136);
    const corrected = ups.noGrad(() => postProcessor.forward(raw));
    expectGolden('BibAePostProcessor', corrected);
    expect(bits(postProcessor.generate({ energies, seed, first })).equals(bits(cut(corrected)))).toBe(true);
    const alone = postProcessor.generate({ energies: energies.data.subarray(1), seed, first: first + 1 });
    expect(bits(alone).equals(bits(cut(corrected)).subarray(4 * volume))).toBe(true);
  });

  test('what is told of the energy', () => {
    const energy = { energies: [0.5], seed };
    const plain = BibAeDecoder.load(decoder.parameters, { labelPerGeV: 1 });
    expect(bits(plain.generate({ energies: [50], seed })).equals(bits(decoder.generate(energy)))).toBe(true);
    expect(bits(plain.generate(energy)).equals(bits(decoder.generate(energy)))).toBe(false);
  });

  test('a post-processor of a file has no decoder', () => {
    const loaded = BibAePostProcessor.load(postProcessor.parameters);
    expect(loaded.decoder).toBeUndefined();
    expect(thrown(() => loaded.generate({ energies: [1], seed }))).toMatchObject({ argument: 'decoder' });
    expect(loaded.forward(ups.zeros([0, 30, 30, 30])).shape).toEqual([0, 30, 30, 30]);
  });

  test("files of the whole autoencoder, and of PyTorch's DataParallel", () => {
    const named = Object.entries({ ...decoder.parameters, 'enconv1.weight': ups.zeros([8, 1, 4, 4, 4]) });
    const whole = Object.fromEntries(named.map(([name, value]) => [`module.${name}`, value]));
    expect(BibAeDecoder.load(whole).parameterCount).toBe(36218496);
  });
});

describe('the whole BIB-AE', () => {
  // Told energies in units of 100 GeV, as the golden file has it.
  const labelPerGeV = 0.01;
  const encoder = draw(BibAeEncoder.initial({ seed: 1 }), 9),
    { parameters } = draw(BibAeDecoder.initial({ seed: 1 }), 6);
  const net = BibAe.load({ ...parameters, ...encoder.parameters }, { labelPerGeV });
  const showers = ups.zeros([2, 30, 30, 30]);
  for (const stream of [0, 1]) {
    const out = showers.data.subarray(stream * volume, (stream + 1) * volume) as Float32Array;
    ups.random.uniform([volume], { seed: 10, stream, out });
    out.forEach((u, i) => (out[i] = Math.max(0, 8 * u - 6)));
  }

  test('has 71443094 parameters, 35224598 of them in the encoder', () => {
    expect(encoder.parameterCount).toBe(35224598);
    expect(net.parameterCount).toBe(71443094);
    expect(Object.keys(net.parameters)).toEqual([...Object.keys(encoder.parameters), ...Object.keys(parameters)]);
    for (const name of Object.keys(parameters)) expect(net.decoder.parameters[name]).toBe(net.parameters[name]);
  });

  test('encodes as PyTorch does, whatever else is in the batch', () => {
    const { mu, logVariance } = ups.noGrad(() => net.encoder.encode({ showers, energies }));
    for (const [found, name] of [
      [mu, 'mu'],
      [logVariance, 'logVariance'],
    ] as const) {
      expect(found.shape).toEqual([2, 24]);
      expect(error(found.data, golden[`BibAeEncoder.${name}`])).toBeLessThan(1e-5);
    }
    const alone = net.encoder.encode({
      showers: ups.tensor(showers.data.subarray(volume), { shape: [1, 30, 30, 30] }),
      energies: energies.data.subarray(1),
    });
    expect(bits(alone.mu).equals(bits(mu).subarray(4 * 24))).toBe(true);
  });

  test('reconstructs as PyTorch does', () => {
    const made = ups.noGrad(() => net.forward(showers, energies, noiseOf('normal', 512)));
    expectGolden('BibAe', made);
    const options = { seed, showers, energies, first };
    expect(bits(net.reconstruct(options)).equals(bits(cut(made)))).toBe(true);
    // More than are computed together: the second is now the eighteenth, in the second batch.
    const many = ups.zeros([18, 30, 30, 30]);
    (many.data as Float32Array).set(showers.data.subarray(volume) as Float32Array, 17 * volume);
    const all = net.reconstruct({ showers: many, energies: new Float32Array(18).fill(80), seed: 8 });
    const last = { showers: many.data.subarray(17 * volume), energies: [80], seed: 8, first: 17 };
    const alone = net.reconstruct({ ...last, showers: ups.tensor(last.showers, { shape: [1, 30, 30, 30] }) });
    expect(bits(alone).equals(bits(all).subarray(17 * 4 * volume))).toBe(true);
  });

  test('has the gradients of PyTorch', () => {
    const names = Object.keys(golden).flatMap((name) => /^BibAe\.d(.*)$/.exec(name)?.[1] ?? []);
    expect(names).toHaveLength(6);
    differentiate(net.parameters, names);
    const weights = new Float32Array(2 * volume).fill(1).fill(-0.5, volume);
    const made = net.forward(showers, energies, noiseOf('normal', 512));
    made.backward(ups.tensor(weights, { shape: [2, 30, 30, 30] }));
    // Among 60 x 60 x 60 cells are always some that rounding carries across the kink of the
    // activation; in float64, where it takes 15 s, these differ by 3e-7.
    for (const name of names)
      expect(error(sampled(net.parameters[name].grad!.data), golden[`BibAe.d${name}`])).toBeLessThan(5e-3);
  });

  test('has the gradient of the noise', () => {
    differentiate(net.parameters, []);
    const noise = ups.tensor(noiseOf('normal', 512), { requiresGrad: true });
    net
      .forward(showers, energies, noise)
      .backward(ups.tensor(new Float32Array(2 * volume).fill(1), { shape: [2, 30, 30, 30] }));
    const slope = noise.grad!.data as Float32Array;
    const direction = (noise.data as Float32Array).map((_, i) => (i % 512 < 24 ? 1 : 0.25) * Math.sign(slope[i]));
    const sumAt = (step: number): number =>
      ups
        .noGrad(() =>
          sumsOf(
            net.forward(
              showers,
              energies,
              ups.tensor(
                (noise.data as Float32Array).map((n, i) => n + step * direction[i]),
                { shape: [2, 512] },
              ),
            ),
          ),
        )
        .reduce((a, b) => a + b, 0);
    const expected = slope.reduce((sum, g, i) => sum + g * direction[i], 0);
    const found = (sumAt(1e-2) - sumAt(-1e-2)) / 2e-2;
    expect(Math.abs(found - expected)).toBeLessThan(0.01 * expected);
  });

  test('refuses', () => {
    const one = { showers: ups.zeros([1, 30, 30, 30]), energies: [1] };
    const wrong: [() => unknown, object][] = [
      [() => encoder.encode(undefined as never), { name: 'ValueError', argument: 'options' }],
      [() => encoder.encode({ ...one, energies: [0] }), { name: 'ValueError', argument: 'energies' }],
      [() => encoder.encode({ ...one, energies: [1, 2] }), { name: 'ShapeError', argument: 'showers' }],
      [() => encoder.encode({ ...one, showers: ups.zeros([1, 27000]) }), { name: 'ShapeError', argument: 'showers' }],
      [() => encoder.encode({ ...one, shower: 1 } as never), { name: 'ValueError', argument: 'shower' }],
      [() => encoder.encode({ energies: [1] } as never), { argument: 'showers' }],
      [() => net.reconstruct(undefined as never), { name: 'ValueError', operation: 'BibAe', argument: 'options' }],
      [() => net.reconstruct({ ...one } as never), { name: 'ValueError', operation: 'BibAe', argument: 'seed' }],
      [() => net.reconstruct({ ...one, seed, showers: [1] }), { name: 'ShapeError', argument: 'showers' }],
      [() => net.forward([1], [1], ups.zeros([1, 512])), { operation: 'BibAe', argument: 'showers' }],
      [() => net.forward(one.showers, [1], ups.zeros([1, 24])), { operation: 'BibAe', argument: 'noise' }],
      [() => BibAeEncoder.load({ ...encoder.parameters, 'fc3.bias': one.showers }), { argument: 'fc3.bias' }],
      [() => BibAeEncoder.load({}, { labelPerGeV: 0 }), { operation: 'BibAeEncoder', argument: 'labelPerGeV' }],
      [() => BibAe.load({}, { labelPerGeV: NaN }), { operation: 'BibAe', argument: 'labelPerGeV' }],
      [() => BibAe.load(parameters), { operation: 'BibAe', argument: 'enconv1.weight' }],
      [() => BibAe.initial(undefined as never), { operation: 'BibAe', argument: 'seed' }],
    ];
    for (const [call, expected] of wrong) expect(thrown(call)).toMatchObject(expected);
    expect(encoder.encode({ showers: ups.zeros([0, 30, 30, 30]), energies: [] }).mu.shape).toEqual([0, 24]);
    expect(BibAeEncoder.load({ ...parameters, ...encoder.parameters }).parameterCount).toBe(35224598);
  });
});

const emulated = ups.devices().some(({ name }) => name === 'emulated:0');
(emulated ? test : test.skip)('showers of a device are those of the CPU but for rounding', () => {
  const here = draw(WganGenerator.initial({ seed: 1, width: 1, latent: 4 }), 5);
  const there = WganGenerator.load(here.parameters, { device: 'emulated:0' });
  const noise = ups.random.normal([1, 4], { seed: 1 });
  const showers = there.forward(noise.to('emulated:0'), [20]).to('cpu');
  expect(error(showers.data as Float32Array, here.forward(noise, [20]))).toBeLessThan(1e-5);
  const generated = there.generate({ energies: [20], seed }).data as Float32Array;
  expect(error(generated, here.generate({ energies: [20], seed }))).toBeLessThan(1e-5);
  const out = ups.zeros([1, 30, 30, 30]);
  expect(bits(there.generate({ energies: [20], seed, out })).equals(bits(out))).toBe(true);
  expect(out.data).toEqual(generated);
  expect(thrown(() => there.generate({ energies: [20], seed, out: out.to('emulated:0') }))).toMatchObject({
    name: 'DeviceError',
    argument: 'out',
  });
});

(emulated ? test : test.skip)('so is what an encoder says of them', () => {
  const here = BibAeEncoder.initial({ seed: 1, labelPerGeV: 0.01 });
  const there = BibAeEncoder.load(here.parameters, { device: 'emulated:0', labelPerGeV: 0.01 });
  const shower = { showers: ups.random.uniform([1, 30, 30, 30], { seed: 2 }), energies: [20] };
  const [expected, found] = [here, there].map((net) => ups.noGrad(() => net.encode(shower)));
  for (const part of ['mu', 'logVariance'] as const) {
    expect(found[part].device).toBe('emulated:0');
    expect(error(found[part].to('cpu').data, expected[part])).toBeLessThan(1e-5);
  }
});

test('weights come and go under the names of PyTorch', () => {
  const folder = mkdtempSync(join(tmpdir(), 'upsilon-'));
  const file = join(folder, 'net.safetensors');
  const net = WganGenerator.initial({ seed: 2, width: 2, latent: 5 });
  ups.safetensors.save(file, net.parameters);
  const again = WganGenerator.load(file);
  expect(again.latent).toBe(5);
  expect(bits(again.generate({ energies: [30], seed })).equals(bits(net.generate({ energies: [30], seed })))).toBe(
    true,
  );
  rmSync(folder, { recursive: true });
});

describe('bad input', () => {
  const net = WganGenerator.initial({ seed: 1, width: 1, latent: 2 });
  const { parameters } = net;
  const names = Object.keys(parameters);

  test('energies, seeds and noise', () => {
    for (const bad of [0, -1, NaN, Infinity, -Infinity])
      expect(thrown(() => net.generate({ energies: [1, bad], seed }))).toMatchObject({
        name: 'ValueError',
        operation: 'WganGenerator',
        argument: 'energies',
        message: `WganGenerator: energies[1] is ${bad} (expected positive numbers {GeV})`,
      });
    expect(thrown(() => net.generate({ energies: [], seed }))).toMatchObject({
      name: 'ValueError',
      argument: 'energies',
    });
    expect(net.forward(ups.zeros([0, 2]), []).shape).toEqual([0, 30, 30, 30]);
    const wrong: [object | undefined, object][] = [
      [undefined, { name: 'ValueError', argument: 'options' }],
      [{ energies: [1] }, { name: 'ValueError', argument: 'seed' }],
      [{ seed }, { name: 'ValueError', argument: 'energies' }],
      [
        { energies: [[1, 2]], seed },
        { name: 'ShapeError', argument: 'energies' },
      ],
      [
        { energies: Int32Array.of(1), seed },
        { name: 'DTypeError', argument: 'energies' },
      ],
      [
        { energies: [1], seed: -1 },
        { name: 'ValueError', argument: 'seed' },
      ],
      [
        { energies: [1], seed, first: -1 },
        { name: 'ValueError', argument: 'first' },
      ],
      [
        { energies: [1], seed, first: 2 ** 53 },
        { name: 'ValueError', argument: 'first' },
      ],
      [
        { energies: [1], seed, frist: 1 },
        { name: 'ValueError', argument: 'frist' },
      ],
    ];
    for (const [options, expected] of wrong)
      expect(thrown(() => net.generate(options as never))).toMatchObject(expected);
    expect(thrown(() => net.forward(ups.zeros([1, 3]), [1]))).toMatchObject({ name: 'ShapeError', argument: 'noise' });
    expect(thrown(() => WganGenerator.initial({ seed: 1, width: 0 }))).toMatchObject({ argument: 'width' });
    expect(thrown(() => WganGenerator.initial(undefined as never))).toMatchObject({ argument: 'seed' });
    expect(thrown(() => BibAeDecoder.load({}, { labelPerGeV: NaN }))).toMatchObject({ argument: 'labelPerGeV' });
    expect(thrown(() => BibAePostProcessor.load({}, { decoder: net as never }))).toMatchObject({ argument: 'decoder' });
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (a, b, c) => {
        for (const call of [
          () => net.generate({ energies: a, seed: b, first: c } as never),
          () => net.generate(a as never),
          () => net.forward(a as never, b as never),
          () => WganGenerator.load(a as never, b as never),
        ])
          try {
            call();
          } catch (problem) {
            expect(problem).toBeInstanceOf(ups.UpsilonError);
          }
      }),
      { numRuns: 50 },
    );
  });

  test('tensors that are missing, extra, misshapen or of another type are named', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.constantFrom('missing', 'extra', 'shape', 'dtype'), (name, how) => {
        const tensors: Record<string, ups.Tensor> = { ...parameters };
        const { shape } = tensors[name];
        let culprit = name;
        if (how === 'missing') delete tensors[name];
        else if (how === 'extra') tensors[(culprit = `${name}s`)] = ups.zeros([1]);
        else if (how === 'shape') tensors[name] = ups.zeros(shape.slice(1));
        else tensors[name] = ups.zeros(shape, { dtype: 'int32' });
        const expected = how === 'shape' ? 'ShapeError' : how === 'dtype' ? 'DTypeError' : 'ValueError';
        // The widths of all tensors follow from the first extents of two of them: another tensor
        // may then be the culprit.
        const decides = how === 'shape' && (name === 'conv1_100.weight' || name === 'main_conv.9.weight');
        const problem = thrown(() => WganGenerator.load(tensors));
        expect(problem).toMatchObject({ name: expected, operation: 'WganGenerator' });
        if (!decides) expect(problem).toMatchObject({ argument: culprit });
        expect(problem.message).toContain(problem.argument);
      }),
    );
  });

  test('files that are cut off, or whose tensors overlap', () => {
    const folder = mkdtempSync(join(tmpdir(), 'upsilon-'));
    const file = join(folder, 'net.safetensors');
    ups.safetensors.save(file, parameters);
    const bytes = readFileSync(file);
    rmSync(folder, { recursive: true });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        const problem = thrown(() => WganGenerator.load(bytes.subarray(0, length))) as Error;
        expect(problem).toBeInstanceOf(ups.ValueError);
        const header = 8 + Number(bytes.readBigUInt64LE(0));
        if (length >= header) expect(names.some((name) => problem.message.includes(name))).toBe(true);
      }),
      { numRuns: 50 },
    );
    // main_conv.1.bias and main_conv.1.weight are of one size: one on the other's place.
    const text = bytes.toString('latin1');
    const [from, to] = /"main_conv\.1\.weight":.*?\[(\d+),(\d+)\]/.exec(text)!.slice(1).map(Number);
    const [otherFrom, otherTo] = /"main_conv\.1\.bias":.*?\[(\d+),(\d+)\]/.exec(text)!.slice(1).map(Number);
    const moved = text.replace(`[${from},${to}]`, `[${otherFrom},${otherTo}]`.padEnd(`[${from},${to}]`.length));
    const problem = thrown(() => WganGenerator.load(Buffer.from(moved, 'latin1'))) as Error;
    expect(problem).toBeInstanceOf(ups.ValueError);
    expect(problem.message).toMatch(/main_conv\.1\.(weight|bias)/);
  });
});
