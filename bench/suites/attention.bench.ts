// Attention inside events of different sizes; those of equal size are in kernels/attention/cases.json.
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

function attention(
  { name, sizes, heads, width }: Events,
  direction: 'forward' | 'backward',
): { at: Case; inputs: () => Tensors } {
  const offsets = new Int32Array(sizes.length + 1);
  sizes.forEach((size, event) => (offsets[event + 1] = offsets[event] + size));
  const rows = offsets[sizes.length];
  const scale = 1 / Math.sqrt(width);
  const inputs = (): Tensors => {
    const random = randomNumbers(rows);
    const reals = (): Tensor => tensor(normals(rows * heads * width, random), { shape: [rows, heads, width] });
    const made: Tensors = {
      q: reals(),
      k: reals(),
      v: reals(),
      offsets: tensor(offsets),
      key_offsets: tensor(offsets),
    };
    if (direction === 'forward') return made;
    const [y, softmax] = new Kernel('attention_forward').run(
      [made['q'], made['k'], made['v'], made['offsets'], made['key_offsets'], undefined],
      { scale },
    );
    return { ...made, y: y!, softmax: softmax!, dy: reals() };
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
      pairs: sizes.reduce((sum, size) => sum + size * size, 0),
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

export function suite(): BenchCase[] {
  const random = randomNumbers(40);
  const events = {
    name: '1,000 events of 5 to 80',
    sizes: Array.from({ length: 1000 }, () => 5 + Math.floor(random() * 76)),
    heads: 4,
    width: 16,
  };
  const forward = attention(events, 'forward'),
    backward = attention(events, 'backward');
  return [
    new OperationCase(forward.at, undefined, forward.inputs),
    new OperationCase(backward.at, forward.at, backward.inputs),
  ];
}
