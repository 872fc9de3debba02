// Only compiled: the types that the package brings.
import * as ups from 'upsilon-kernels';
import { linear } from 'upsilon-kernels/promises';

const weight: ups.Tensor = ups.tensor(Float32Array.of(2), { shape: [1, 1] });
const shape: readonly number[] = ups.linear(weight, weight, { activation: 'relu' }).shape;
const later: Promise<ups.Tensor> = linear(weight, weight);
// @ts-expect-error: no such activation
ups.linear(weight, weight, { activation: 'swish' });
export { later, shape };
