// Shower generators: PyTorch's results (tools/golden/showers.py), what must not change a shower, files, and bad input.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';

import { thrown } from '../helpers';

const { BibAeDecoder, BibAePostProcessor, WganGenerator } = ups.models;
const golden = ups.safetensors.load(readFileSync(join(__dirname, '..', '..', 'test', 'golden', 'showers.safetensors')));
const seed = 7,
  first = 3,
  volume = 27000;
const { energies } = golden as Record<'energies', ups.Tensor>;

/** Every tensor from a stream of its own, as the golden script draws them. */
function draw<T extends { parameters: Readonly<Record<string, ups.Tensor>> }>(net: T, from: number): T {
  Object.entries(net.parameters)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .forEach(([name, { data, shape }], stream) => {
      ups.random.uniform(shape, { seed: from, stream, out: ups.tensor(data, { shape }) });
      const isNorm = shape.length === 3;
      const fanIn = shape.length === 1 ? 4 : shape.slice(1).reduce((product, extent) => product * extent, 1);
      const scale = isNorm ? 1 : 1 / Math.sqrt(fanIn);
      const [slope, offset] = isNorm && name.endsWith('weight') ? [1, 0.5] : [2 * scale, -scale];
      for (let i = 0; i < data.length; ++i) data[i] = slope * Number(data[i]) + offset;
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
  expected.data.forEach((value: number | bigint, i: number) => {
    worst = Math.max(worst, Math.abs(Number(found[i]) - Number(value)));
    scale = Math.max(scale, Math.abs(Number(value)));
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
function cut(showers: ups.Tensor): number[] {
  return Array.from(showers.data as Float32Array, (hit) => (hit < 0.1 ? 0 : hit));
}

const bits = ({ data }: ups.Tensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

describe('WganGenerator', () => {
  const net = draw(WganGenerator.initial({ seed: 1 }), 5);

  test('is what PyTorch computes, with 3655520 parameters', () => {
    expect(net.parameterCount).toBe(3655520);
    const showers = ups.noGrad(() => net.forward(noiseOf('uniform', 100), energies));
    expectGolden('WganGenerator', showers);
    const generated = net.generate({ energies, seed, first });
    expect(Array.from(generated.data as Float32Array)).toEqual(cut(showers));
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
  let raw: ups.Tensor;

  test('the decoder is what PyTorch computes, with 36218496 parameters', () => {
    expect(decoder.parameterCount).toBe(36218496);
    raw = ups.noGrad(() => decoder.forward(noiseOf('normal', 512), energies));
    expectGolden('BibAeDecoder', raw);
    expect(Array.from(decoder.generate({ energies, seed, first }).data as Float32Array)).toEqual(cut(raw));
    const alone = decoder.generate({ energies: energies.data.subarray(1), seed, first: first + 1 });
    expect(Array.from(alone.data as Float32Array)).toEqual(cut(raw).slice(volume));
  });

  test('the post-processor is what PyTorch computes, with 299136 parameters', () => {
    expect(postProcessor.parameterCount).toBe(299136);
    const corrected = ups.noGrad(() => postProcessor.forward(raw));
    expectGolden('BibAePostProcessor', corrected);
    expect(Array.from(postProcessor.generate({ energies, seed, first }).data as Float32Array)).toEqual(cut(corrected));
    const alone = postProcessor.generate({ energies: energies.data.subarray(1), seed, first: first + 1 });
    expect(Array.from(alone.data as Float32Array)).toEqual(cut(corrected).slice(volume));
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

const emulated = ups.devices().some(({ name }) => name === 'emulated:0');
(emulated ? test : test.skip)('showers of a device are those of the CPU but for rounding', () => {
  const here = draw(WganGenerator.initial({ seed: 1, width: 1, latent: 4 }), 5);
  const there = WganGenerator.load(here.parameters, { device: 'emulated:0' });
  const noise = ups.random.normal([1, 4], { seed: 1 });
  const showers = there.forward(noise.to('emulated:0'), [20]).to('cpu');
  expect(error(showers.data as Float32Array, here.forward(noise, [20]))).toBeLessThan(1e-5);
  const generated = there.generate({ energies: [20], seed }).data as Float32Array;
  expect(error(generated, here.generate({ energies: [20], seed }))).toBeLessThan(1e-5);
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
        // The widths of all tensors follow from the first extents of two of them: another tensor may then be the culprit.
        const decides = how === 'shape' && (name === 'conv1_100.weight' || name === 'main_conv.9.weight');
        const problem = thrown(() => WganGenerator.load(tensors)) as ups.UpsilonError;
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
