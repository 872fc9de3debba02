// The same as an ES module, and off the main thread.
import assert from 'node:assert';
import * as ups from 'upsilon-kernels';
import * as promised from 'upsilon-kernels/promises';

const weight = ups.tensor(Float32Array.of(2), { shape: [1, 1] });
const doubled = await promised.linear(ups.tensor(Float32Array.of(1, 2, 3), { shape: [3, 1] }), weight);
assert.deepStrictEqual(Array.from(doubled.data), [2, 4, 6]);
assert.ok(doubled instanceof ups.Tensor);
console.log('import: named exports, promises');
