// Attention inside events of different sizes, also with a bias from their pairs; those of equal
// size are in cases.json of kernels/attention and kernels/pair_attention.
import { Kernel, type Tensor, tensor } from '../library';
import type { BenchCase } from '../bench';
import { type Case, normals, randomNumbers, type Tensors } from '../cases';
import { OperationCase } from './operation';

interface Events {
  name: string;
  sizes: number[];
  heads: number;
  width: number;
}

function boundariesOf(sizes: number[]): { offsets: Int32Array; rows: number; pairs: number } {
  const offsets = new Int32Array(sizes.length + 1);
  sizes.forEach((size, event) => (offsets[event + 1] = offsets[event] + size));
  return { offsets, rows: offsets[sizes.length], pairs: sizes.reduce((sum, size) => sum + size * size, 0) };
}

/** Normal numbers times `scale`. */
function reals(shape: number[], random: () => number, scale = 1): Tensor {
  const made = normals(
    shape.reduce((product, size) => product * size, 1),
    random,
  );
  return tensor(
    made.map((x) => scale * x),
    { shape },
  );
}

function attention(
  { name, sizes, heads, width }: Events,
  direction: 'forward' | 'backward',
): { at: Case; inputs: () => Tensors } {
  const { offsets, rows, pairs } = boundariesOf(sizes);
  const scale = 1 / Math.sqrt(width);
  const inputs = (): Tensors => {
    const random = randomNumbers(rows);
    const row = (): Tensor => reals([rows, heads, width], random);
    const made: Tensors = {
      q: row(),
      k: row(),
      v: row(),
      offsets: tensor(offsets),
      key_offsets: tensor(offsets),
    };
    if (direction === 'forward') return made;
    const [y, softmax] = new Kernel('attention_forward').run(
      [made['q'], made['k'], made['v'], made['offsets'], made['key_offsets'], undefined],
      { scale },
    );
    return { ...made, y: y!, softmax: softmax!, dy: row() };
  };
  const at: Case = {
    suite: 'attention',
    operation: `attention_${direction}`,
    name: `${name}, ${heads} heads of ${width}`,
    dims: {
      N: rows,
      M: rows,
      B: sizes.length,
      H: heads,
      D: width,
      V: width,
      pairs,
      rows: 1,
    },
    leading: [],
    options: { scale },
    omit: direction === 'forward' ? ['bias', 'softmax'] : ['bias', 'dbias'],
    data: {},
    derive: [],
  };
  return { at, inputs };
}

/** The layers that the Particle Transformer makes its bias with. */
const widths = [4, 64, 64, 64, 8];

function pairAttention(
  { name, sizes, heads, width }: Events,
  direction: 'forward' | 'backward',
): { at: Case; inputs: () => Tensors } {
  const { offsets, rows, pairs } = boundariesOf(sizes);
  const options = { activation0: 'gelu', activation1: 'gelu', activation2: 'gelu', scale: 1 / Math.sqrt(width) };
  const inputs = (): Tensors => {
    const random = randomNumbers(rows);
    const p = normals(rows * 3, random);
    const momenta = new Float32Array(rows * 4);
    for (let i = 0; i < rows; ++i) {
      const [px, py, pz] = p.subarray(3 * i, 3 * i + 3);
      momenta.set([px, py, pz, Math.hypot(px, py, pz, 0.1)], 4 * i);
    }
    const made: Tensors = { momenta: tensor(momenta, { shape: [rows, 4] }), offsets: tensor(offsets) };
    for (let l = 0; l + 1 < widths.length; ++l) {
      made[`weight${l}`] = reals([widths[l + 1], widths[l]], random, 0.2);
      made[`bias${l}`] = reals([widths[l + 1]], random);
    }
    for (const key of ['q', 'k', 'v']) made[key] = reals([rows, heads, width], random);
    if (direction === 'forward') return made;
    const [y, softmax] = new Kernel('pair_attention_forward').run(Object.values(made), options);
    return { ...made, y: y!, softmax: softmax!, dy: reals([rows, heads, width], random) };
  };
  const at: Case = {
    suite: 'attention',
    operation: `pair_attention_${direction}`,
    name: `${name}, ${heads} heads of ${width}, bias by layers of ${widths.slice(1).join(', ')}`,
    dims: {
      N: rows,
      B: sizes.length,
      ...Object.fromEntries(widths.slice(1).map((size, l) => [`M${l}`, size])),
      D: width,
      V: width,
      pairs,
      rows: 1,
    },
    leading: [],
    options,
    omit: direction === 'forward' ? ['softmax'] : ['dmomenta', 'dbias3'],
    data: {},
    derive: [],
  };
  return { at, inputs };
}

export function suite(): BenchCase[] {
  const random = randomNumbers(40);
  const events = {
    name: '1,000 events of 5 to 80',
    sizes: Array.from({ length: 1000 }, () => 5 + Math.floor(random() * 76)),
    heads: 4,
    width: 16,
  };
  const biased = { name: '250 events of 5 to 80', sizes: events.sizes.slice(0, 250), heads: 8, width: 16 };
  return [
    [attention(events, 'forward'), attention(events, 'backward')],
    [pairAttention(biased, 'forward'), pairAttention(biased, 'backward')],
  ].flatMap(([forward, backward]) => [
    new OperationCase(forward.at, undefined, forward.inputs),
    new OperationCase(backward.at, forward.at, backward.inputs),
  ]);
}
