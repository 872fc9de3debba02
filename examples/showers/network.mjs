// First weights of models.WganGenerator at a quarter of its published width: 453,848 numbers
// instead of 3,655,520.
import * as ups from 'upsilon-kernels';

/** Channels of the last volume; the original has 32. */
const width = 8;
const latents = 100;

const steps = [
  { convolution: 'main_conv.0', norm: 'main_conv.1', inputs: 8 * width, outputs: 4 * width, extent: 8 },
  { convolution: 'main_conv.3', norm: 'main_conv.4', inputs: 4 * width, outputs: 2 * width, extent: 16 },
  { convolution: 'main_conv.6', norm: 'main_conv.7', inputs: 2 * width, outputs: width, extent: 32 },
];

/**
 * First weights, under the original's names.
 * @param typical - [30, 30, 30]: what a typical shower has in each cell {MIP}. The last
 *   normalisation starts from it, which saves most of the training: its weights are the only place
 *   where a cell is known by its position
 * @param occupancy - [30, 30, 30]: how often a cell has a hit
 */
export function initialParameters({ seed, typical, occupancy }) {
  let stream = 0;
  const normal = (shape, scale) => {
    const values = ups.random.normal(shape, { seed, stream: stream++ });
    values.data.forEach((value, i) => (values.data[i] = scale * value));
    return values;
  };
  const parameters = {
    // Noise is uniform in [-1, 1), of variance 1/3; energies are in GeV, so that the energy's part
    // is the smaller one at 10 GeV and the larger one at 100 GeV.
    'conv1_1.weight': normal([1, 4 * width, 4, 4, 4], 0.03),
    'conv1_100.weight': normal([latents, 4 * width, 4, 4, 4], Math.sqrt(3 / latents)),
  };
  for (const { convolution, norm, inputs, outputs, extent } of steps) {
    // A cell of a transposed convolution of kernel 4 and stride 2 sees 8 cells of every channel.
    parameters[`${convolution}.weight`] = normal([inputs, outputs, 4, 4, 4], 1 / Math.sqrt(8 * inputs));
    parameters[`${norm}.weight`] = ups.tensor(new Float32Array(extent ** 3).fill(1), {
      shape: [extent, extent, extent],
    });
    parameters[`${norm}.bias`] = ups.tensor(new Float32Array(extent ** 3), { shape: [extent, extent, extent] });
  }
  const last = normal([width, 1, 3, 3, 3], 1);
  const strongest = typical.reduce((most, value) => Math.max(most, value), 0);
  const scale = 4 / strongest;
  for (let c = 0; c < width; ++c)
    for (let k = 0; k < 27; ++k) {
      const i = 27 * c + k;
      last.data[i] = ((k === 13 ? 1.2 : 0) + 0.1 * last.data[i]) / scale / width;
    }
  parameters['main_conv.9.weight'] = last;
  const weight = parameters['main_conv.7.weight'].data,
    bias = parameters['main_conv.7.bias'].data;
  for (let i = 0; i < weight.length; ++i) {
    // The last convolution cuts a cell off on every side.
    const [z, y, x] = [Math.floor(i / 1024), Math.floor(i / 32) % 32, i % 32].map((at) =>
      Math.min(Math.max(at - 1, 0), 29),
    );
    const cell = (z * 30 + y) * 30 + x;
    const height = typical[cell] / Math.max(occupancy[cell], 0.02);
    weight[i] = scale * Math.max(height, 0.5);
    bias[i] = weight[i] * Math.max(-2, Math.min(0.5, 2 * occupancy[cell] - 1.6));
  }
  for (const parameter of Object.values(parameters)) parameter.requiresGrad = true;
  return parameters;
}
