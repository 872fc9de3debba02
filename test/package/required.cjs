// CommonJS: one layer through the published package, in an empty project.
'use strict';
const assert = require('node:assert');
const { tableFromArrays } = require('apache-arrow');
const ups = require('upsilon-kernels');

const events = tableFromArrays({ energy: Float32Array.of(1, 2, 3) });
const energy = ups.tensor(events.getChild('energy'), { shape: [3, 1] });
const doubled = ups.linear(energy, ups.tensor(Float32Array.of(2), { shape: [1, 1] }));
assert.deepStrictEqual(Array.from(doubled.data), [2, 4, 6]);
assert.throws(() => ups.linear(energy, Float32Array.of(1, 2)), { name: 'ShapeError' });

const loaded = process.report.getReport().sharedObjects.find((file) => file.endsWith('upsilon.node'));
assert.match(loaded, /[/\\]prebuilds[/\\]/, 'the prebuilt binary was not the one that was loaded');
console.log(`require: version ${ups.info().version}, variant ${ups.lastVariant()}`);

if (process.argv.includes('--cuda-package')) {
  // No driver is needed for this: the plug-in is found, opened, and says itself what is missing.
  const reason = ups.info().cudaUnavailableBecause;
  assert.doesNotMatch(reason ?? '', /cannot be opened|another version/, 'the CUDA plug-in was not found');
  console.log(`CUDA plug-in: ${reason ?? 'there is a device'}`);
}
