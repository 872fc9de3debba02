// Trees and their matrices of lowest common ancestors: there and back.
import * as fc from 'fast-check';
import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import { thrown } from '../helpers';

const lists = (ragged: ups.Ragged): number[][] => {
  const offsets = [...(ragged.offsets.data as Int32Array)],
    values = [...(ragged.values.data as Int32Array)];
  return offsets.slice(1).map((end, b) => values.slice(offsets[b], end));
};
const ints = (tensor: ups.Tensor): number[] => [...(tensor.data as Int32Array)];

/**
 * B -> D(-> K pi pi0(-> gamma gamma)) pi, and a particle of the rest: leaves K pi gamma gamma pi,
 * rest.
 */
const lcas = [
  [0, 3, 3, 3, 5, 0],
  [3, 0, 3, 3, 5, 0],
  [3, 3, 0, 1, 5, 0],
  [3, 3, 1, 0, 5, 0],
  [5, 5, 5, 5, 0, 0],
  [0, 0, 0, 0, 0, 0],
];

test('lcaToTree: the LCAS matrix of a B decay', () => {
  const { mother, stage, status } = ups.lcaToTree(lcas);
  expect(ints(status)).toEqual([0]);
  expect(lists(mother)).toEqual([[7, 7, 6, 6, 8, -1, 7, 8, -1]]);
  expect(lists(stage)).toEqual([[0, 0, 0, 0, 0, 0, 1, 3, 5]]);
  const boundaries = mother.offsets.data as Int32Array;
  expect(ups.tree({ mother: mother.values.data as Int32Array, offsets: boundaries }).numNodes).toBeGreaterThan(8);
  const back = ups.treeToLca(mother, { stage: stage.values });
  expect(ints(back.sizes)).toEqual([6]);
  expect(ints(back.values)).toEqual(lcas.flat());
});

test('treeToLca: generations', () => {
  const { values, sizes } = ups.treeToLca({ values: [-1, 0, 0, 2, 2, -1], offsets: [0, 5, 6] });
  expect(ints(sizes)).toEqual([3, 1]);
  expect(ints(values)).toEqual([0, 2, 2, 2, 0, 1, 2, 1, 0, 0]);
});

test('matrices that no tree has are reported by event', () => {
  const matrix = (...rows: number[][]): number[] => rows.flat();
  const matrices = [
    matrix([0, 1], [1, 0]),
    matrix([0, 1], [2, 0]),
    matrix([0, -1], [-1, 0]),
    matrix([0, 1, 0], [1, 0, 1], [0, 1, 0]),
    matrix([0, 1, 2], [1, 0, 3], [2, 3, 0]),
    matrix([9]),
    [],
    matrix([0, 2, 2], [2, 0, 1], [2, 1, 0]),
  ];
  const { mother, status } = ups.lcaToTree({
    values: Int32Array.from(matrices.flat()),
    sizes: matrices.map((entries) => Math.sqrt(entries.length)),
  });
  expect(ints(status)).toEqual([0, 1, 1, 1, 1, 0, 0, 0]);
  expect(lists(mother)).toEqual([
    [2, 2, -1],
    [-1, -1],
    [-1, -1],
    [-1, -1, -1],
    [-1, -1, -1],
    [-1],
    [],
    [4, 3, 3, 4, -1],
  ]);
});

test('there and back; a changed matrix is another tree, or none', () => {
  // Each node's mother comes later, so that stages can be positions.
  const forest = fc
    .array(fc.nat({ max: 5 }), { maxLength: 25 })
    .map((steps) => steps.map((step, i) => (step === 0 || i + step >= steps.length ? -1 : i + step)));
  fc.assert(
    fc.property(fc.array(forest, { maxLength: 4 }), fc.nat(), fc.nat(), (forests, where, by) => {
      const offsets = [0];
      for (const one of forests) offsets.push(offsets.at(-1)! + one.length);
      const mother = { values: Int32Array.from(forests.flat()), offsets };
      const stage = Int32Array.from(forests.flatMap((one) => one.map((_, i) => i + 1)));
      const { values, sizes } = ups.treeToLca(mother, { stage });
      const trees = ups.lcaToTree({ values, sizes });
      expect(ints(trees.status).every((status) => status === 0)).toBe(true);
      expect(ints(ups.treeToLca(trees.mother, { stage: trees.stage.values }).values)).toEqual(ints(values));
      if (values.size === 0) return;
      const changed = Int32Array.from(ints(values));
      const at = where % changed.length;
      changed[at] = (changed[at] + 1 + (by % 3)) % 4;
      const again = ups.lcaToTree({ values: changed, sizes });
      if (ints(again.status).some((status) => status !== 0)) return;
      let diagonal = 0;
      for (const size of ints(sizes)) {
        for (let i = 0; i < size; ++i) changed[diagonal + i * (size + 1)] = 0;
        diagonal += size * size;
      }
      const back = ups.treeToLca(again.mother, { stage: again.stage.values });
      expect(ints(back.values)).toEqual([...changed]);
    }),
    { numRuns: 200 },
  );
});

test('a batch, promises, the emulated device', async () => {
  const batch = ups.tensor([lcas, lcas], { dtype: 'int32' });
  const found = ups.lcaToTree(batch);
  expect(lists(found.mother)).toEqual([...lists(ups.lcaToTree(lcas).mother), ...lists(ups.lcaToTree(lcas).mother)]);
  expect(lists((await promises.lcaToTree(batch)).mother)).toEqual(lists(found.mother));
  if (!ups.devices().some(({ name }) => name === 'emulated:0')) return;
  const there = ups.lcaToTree(batch.to('emulated:0'));
  expect(lists(there.mother.to('cpu'))).toEqual(lists(found.mother));
  const back = ups.treeToLca(there.mother, { stage: there.stage.values });
  expect(ints(back.values.to('cpu'))).toEqual(ints(batch));
});

test('messages', () => {
  expect(thrown(() => ups.lcaToTree([1, 2])).message).toBe('lcaToTree: lca is [2] (expected [n, n] or [B, n, n])');
  expect(thrown(() => ups.lcaToTree({ values: [1], sizes: [2] })).message).toContain('sizes say 4 entries');
  expect(thrown(() => ups.lcaToTree({ values: [1], sizes: [-1] })).message).toContain('sizes has -1');
  expect(thrown(() => ups.lcaToTree(ups.zeros([2, 2]))).message).toContain('expected int32');
  expect(thrown(() => ups.treeToLca({ values: Int32Array.of(1, 0), offsets: [0, 2] })).message).toContain('cycle');
  expect(thrown(() => ups.treeToLca({ values: Int32Array.of(5), offsets: [0, 1] })).message).toContain('has 5');
});

test('no input crashes or goes unnoticed', () => {
  const any = fc.oneof(fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 9 }), fc.anything());
  const sets = fc.oneof(fc.record({ values: any, sizes: any, offsets: any }), any);
  fc.assert(
    fc.property(sets, any, (given, stage) => {
      for (const call of [
        () => ups.lcaToTree(given as ups.TensorLike),
        () => ups.treeToLca(given as ups.Ragged, { stage } as ups.TreeToLcaOptions),
      ])
        try {
          call();
        } catch (error) {
          if (!(error instanceof ups.UpsilonError)) throw error;
        }
    }),
    { numRuns: 1000 },
  );
});
