// The bundled candidates, as matrices for training and for the test.
import * as ups from 'upsilon-kernels';

/** Shapes of the candidate and the rest of its event, of `ups.eventShapes`. */
export const shapes = [
  'R2',
  'thrustBm',
  'thrustOm',
  'cosTBTO',
  'cosTBz',
  'KSFWVariables(hso02)',
  'KSFWVariables(hoo2)',
  'CleoConeCS(1)',
  'CleoConeCS(2)',
];
/**
 * Of its tracks: the momentum of the kaon {GeV}, and |cos| of the angles to the thrust axis of the
 * rest of the event.
 */
export const ofTracks = ['p(K)', 'cosTO(K)', 'cosTO(pi+)', 'cosTO(pi-)'];
/** What the tagger sees. */
export const features = [...shapes, ...ofTracks];
/** What it must not know, though it can guess. */
export const spectators = ['mass', 'mbc', 'deltaE'];

/**
 * @returns two halves, each with `x` `[n, features]`, `signal` uint8 `[n]` and the spectators
 *   `[n]`. Features have mean 0 and variance 1 over both.
 */
export function readCandidates(file) {
  const table = ups.arrow.open(file);
  const column = Object.fromEntries(
    [...features, ...spectators, 'signal'].map((name) => [name, Float32Array.from(table.getChild(name))]),
  );
  const scaled = features.map((name) => standardised(column[name]));
  const order = ups.argsort(ups.random.uniform([table.numRows], { seed: 3 })).data;
  const middle = order.length >> 1;
  return [order.subarray(0, middle), order.subarray(middle)].map((events) => {
    const x = new Float32Array(events.length * features.length);
    events.forEach((event, i) => scaled.forEach((values, f) => (x[i * features.length + f] = values[event])));
    return {
      x: ups.tensor(x, { shape: [events.length, features.length] }),
      signal: Uint8Array.from(events, (event) => column.signal[event]),
      ...Object.fromEntries(
        spectators.map((name) => [name, Float32Array.from(events, (event) => column[name][event])]),
      ),
    };
  });
}

function standardised(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value) => (value - mean) / Math.sqrt(variance));
}
