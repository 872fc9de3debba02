// Whole networks over sets of particles, through the public functions: deep sets, deep sets of five
// sets per event, and pooling by attention. Events have as many particles as the field's: many
// small ones, a few large. Peers get their padding, masks and set numbers made outside the
// measurement. A training step asks for the gradients of all parameters.
import type { Bench, BenchCase, Row } from '../bench';
import { type Case, normals, randomNumbers, type Tensors } from '../cases';
import { deepSet, lastVariant, type Layer, multiDeepSet, noGrad, tensor, type Tensor, zeros } from '../library';
import { type Contestant, measure, timed } from '../measure';
import { relativeError } from '../reference';
import { OperationCase } from './operation';

const tolerance = 2e-5;
type Random = () => number;

/** Boundaries of events. */
function boundaries(events: number, size: () => number): Int32Array {
  const offsets = new Int32Array(events + 1);
  for (let event = 0; event < events; ++event) offsets[event + 1] = offsets[event] + size();
  return offsets;
}
/** 0 to 80 particles, 20 on average, falling off exponentially. */
const manyFew = (random: Random) => () => Math.min(80, Math.floor(-21 * Math.log(1 - random())));
const upTo = (most: number, random: Random) => () => Math.floor((most + 1) * random());

/** What one set of a network has. */
interface SetShape {
  features: number;
  sizes: (random: Random) => () => number;
}

interface Network {
  name: string;
  events: number;
  /**
   * One with which no sum before a relu is so close to 0 that float32 alone decides its sign:
   * results are compared.
   */
  seed: number;
  sets: SetShape[];
  phi: number[];
  rho: number[];
}

const networks: Network[] = [
  {
    name: 'deepSet, 4096 events of 0 to 80 particles, 8 to 64 to 64, mean, 64 to 64 to 1',
    events: 4096,
    seed: 4097,
    sets: [{ features: 8, sizes: manyFew }],
    phi: [64, 64],
    rho: [64, 1],
  },
  {
    name: 'multiDeepSet, 4096 events of five sets (10, 20, 10, 20, 1), each to 64 to 64, mean, 320 to 64 to 1',
    events: 4096,
    seed: 1,
    sets: [
      { features: 8, sizes: (random) => upTo(10, random) },
      { features: 6, sizes: (random) => upTo(20, random) },
      { features: 8, sizes: (random) => upTo(10, random) },
      { features: 6, sizes: (random) => upTo(20, random) },
      { features: 12, sizes: () => () => 1 },
    ],
    phi: [64, 64],
    rho: [64, 1],
  },
];

/** Tensors of a network by the names that the peers know. */
class Given {
  readonly tensors: Tensors = {};
  flops = 0;

  constructor(private readonly network: Network) {
    const random = randomNumbers(network.seed);
    network.sets.forEach(({ features, sizes }, s) => {
      const offsets = boundaries(network.events, sizes(random));
      const particles = offsets[network.events];
      this.tensors[`x${s}`] = tensor(normals(particles * features, random), { shape: [particles, features] });
      this.tensors[`offsets${s}`] = tensor(offsets);
      this.layers(`phi${s}`, [features, ...network.phi], particles, random);
    });
    const pooled = network.phi[network.phi.length - 1] * network.sets.length;
    this.layers('rho', [pooled, ...network.rho], network.events, random);
  }

  private layers(name: string, widths: number[], rows: number, random: Random): void {
    for (let l = 0; l + 1 < widths.length; ++l) {
      const [inputs, outputs] = [widths[l], widths[l + 1]];
      const weight = normals(inputs * outputs, random).map((value) => value / Math.sqrt(inputs));
      this.tensors[`${name}_weight${l}`] = tensor(weight, { shape: [outputs, inputs] });
      this.tensors[`${name}_bias${l}`] = tensor(normals(outputs, random));
      this.flops += 2 * rows * inputs * outputs;
    }
  }

  get bytes(): number {
    return Object.values(this.tensors).reduce((total, { size }) => total + 4 * size, 0);
  }

  get parameters(): string[] {
    return Object.keys(this.tensors).filter((name) => /_(weight|bias)\d$/.test(name));
  }

  /** The network's result from these tensors, or others of the same names. */
  run(tensors: Tensors, out?: Tensor): Tensor {
    const { sets, phi, rho } = this.network;
    const layersOf = (name: string, widths: number[], lastIsPlain: boolean): Layer[] =>
      widths.map((_, l) => ({
        weight: tensors[`${name}_weight${l}`],
        bias: tensors[`${name}_bias${l}`],
        activation: lastIsPlain && l === widths.length - 1 ? 'none' : 'relu',
      }));
    const ragged = sets.map((_, s) => ({ values: tensors[`x${s}`], offsets: tensors[`offsets${s}`] }));
    const networks = sets.map((_, s) => layersOf(`phi${s}`, phi, false));
    const options = { pool: 'mean' as const, rho: layersOf('rho', rho, true), out };
    return sets.length === 1
      ? deepSet(ragged[0], { phi: networks[0], ...options })
      : multiDeepSet(ragged, { phi: networks, ...options });
  }
}

class NetworkCase implements BenchCase {
  readonly suite = 'sets';
  readonly small = false;
  readonly name: string;

  constructor(
    private readonly network: Network,
    private readonly training: boolean,
  ) {
    this.name = `${network.name}, ${training ? 'forward and backward' : 'forward'}`;
  }

  /** One call, and what it computes by the names of the results. */
  private call(given: Given, tensors: Tensors): { run: () => void; results: () => Tensors } {
    if (!this.training) {
      const y = zeros([this.network.events, 1], { dtype: tensors['x0'].dtype });
      return { run: () => void noGrad(() => given.run(tensors, y)), results: () => ({ y }) };
    }
    const trained = Object.fromEntries(
      Object.entries(tensors).map(([name, value]) => [
        name,
        given.parameters.includes(name) ? tensor(value, { requiresGrad: true }) : value,
      ]),
    );
    const run = (): void => {
      for (const name of given.parameters) trained[name].grad = undefined;
      given.run(trained).backward(tensors['dy']);
    };
    return {
      run,
      results: () => Object.fromEntries(given.parameters.map((name) => [`d${name}`, trained[name].grad!])),
    };
  }

  private tensors(given: Given): Tensors {
    const { events } = this.network;
    if (!this.training) return given.tensors;
    return { ...given.tensors, dy: tensor(normals(events, randomNumbers(1)), { shape: [events, 1] }) };
  }

  prepare(): () => void {
    const given = new Given(this.network);
    return this.call(given, this.tensors(given)).run;
  }

  async run(bench: Bench): Promise<Row> {
    const given = new Given(this.network);
    const tensors = this.tensors(given);
    const { run, results } = this.call(given, tensors);
    const row: Row = {
      case: `${this.suite}/${this.name}`,
      ours: 'upsilon',
      timings: {},
      notes: [],
      flops: this.training ? 4 * given.flops : given.flops,
      bytes: given.bytes * (this.training ? 2 : 1),
      parameters: { particles: this.network.sets.map((_, s) => tensors[`x${s}`].shape[0]) },
    };
    run();
    row.variant = lastVariant();
    const wide = this.call(
      given,
      Object.fromEntries(
        Object.entries(tensors).map(([name, value]) => [
          name,
          value.dtype === 'float32' ? tensor(value, { dtype: 'float64' }) : value,
        ]),
      ),
    );
    wide.run();
    const expected = wide.results(),
      found = results();
    row.error = Math.max(
      ...Object.entries(found).map(([name, value]) =>
        relativeError(value.data as Float32Array, expected[name].data as Float64Array),
      ),
    );
    if (!(row.error <= tolerance)) {
      row.problem = `differs from float64 by ${row.error.toPrecision(2)} (expected at most ${tolerance})`;
      return row;
    }
    const contestants: Contestant[] = [timed('upsilon', run)];
    if (bench.peers) {
      const opened = await bench.peers.open({
        operation: `sets_network_${this.training ? 'backward' : 'forward'}`,
        both: this.training,
        dims: {},
        options: {},
        inputs: tensors,
        expected: found,
        outputs: Object.keys(found),
        absent: [],
      });
      contestants.push(...opened.contestants);
      row.notes.push(...opened.notes);
    }
    row.timings = await measure(contestants, bench.effort);
    await bench.peers?.close();
    return row;
  }
}

/** Pooling by attention in the middle of a network: with the gradient of its inputs. */
function attention(direction: 'forward' | 'backward'): { at: Case; inputs: () => Tensors } {
  const events = 4096,
    width = 64;
  const random = randomNumbers(events);
  const offsets = boundaries(events, manyFew(random));
  const particles = offsets[events];
  return {
    inputs: () => ({
      x: tensor(normals(particles * width, random), { shape: [particles, width] }),
      offsets: tensor(offsets),
      weight: tensor(normals(width, random).map((value) => value / Math.sqrt(width))),
      ...(direction === 'backward' && { dy: tensor(normals(events * width, random), { shape: [events, width] }) }),
    }),
    at: {
      suite: 'sets',
      operation: `attention_pool_${direction}`,
      name: '4096 events of 0 to 80 particles, 64 wide',
      dims: { N: particles, B: events, F: width, rows: 1 },
      leading: [],
      options: {},
      omit: ['scores', 'dscores'],
      data: {},
      derive: [],
    },
  };
}

export function suite(): BenchCase[] {
  const forward = attention('forward'),
    backward = attention('backward');
  return [
    ...networks.flatMap((network) => [new NetworkCase(network, false), new NetworkCase(network, true)]),
    new OperationCase(forward.at, undefined, forward.inputs),
    new OperationCase(backward.at, forward.at, backward.inputs),
  ];
}
