// The bundled candidates, as matrices for training and for the test.
import * as ups from 'upsilon-kernels';

/** Shapes of the candidate and the rest of its event, of `ups.eventShapes`. */
export const shapes = [
  'R2',
  'thrustBm',
  'thrustOm',
  'cosTBTO',
  'cosTBz',
  'KSFWVariables(et)',
  'KSFWVariables(hso02)',
  'KSFWVariables(hso12)',
  'KSFWVariables(hoo2)',
  'CleoConeCS(1)',
  'CleoConeCS(2)',
];
/** Momenta of the candidate's tracks {GeV}, and the angles to the thrust axis of the rest of the event. */
export const momenta = ['K', 'pi+', 'pi-'].flatMap((track) => [`p(${track})`, `cosTO(${track})`]);
/** What the tagger sees. */
export const features = [...shapes, ...momenta];
/** What it must not know, though it can guess. */
export const spectators = ['mass', 'mbc', 'deltaE'];

/**
 * @param share - of all candidates, that is trained on
 * @returns `training` and `test`, each with `x` `[n, features]`, standardised by the training candidates, `signal` uint8 `[n]`
 * and the spectators `[n]`
 */
export function readCandidates(file, share = 0.4) {
  const table = ups.arrow.open(file);
  const count = table.numRows;
  const column = Object.fromEntries(
    [...features, ...spectators, 'signal'].map((name) => [name, Float32Array.from(table.getChild(name))]),
  );
  const order = ups.argsort(ups.random.uniform([count], { seed: 3 })).data;
  const trained = order.subarray(0, Math.round(share * count)),
    tested = order.subarray(trained.length);
  const scaled = features.map((name) => standardised(column[name], trained));
  const part = (which) => {
    const x = new Float32Array(which.length * features.length);
    which.forEach((event, i) => scaled.forEach((values, f) => (x[i * features.length + f] = values[event])));
    return {
      x: ups.tensor(x, { shape: [which.length, features.length] }),
      signal: Uint8Array.from(which, (event) => column.signal[event]),
      ...Object.fromEntries(spectators.map((name) => [name, Float32Array.from(which, (event) => column[name][event])])),
    };
  };
  return { training: part(trained), test: part(tested) };
}

/** To mean 0 and variance 1 by the events of `known`. */
function standardised(values, known) {
  const mean = known.reduce((sum, event) => sum + values[event], 0) / known.length;
  const variance = known.reduce((sum, event) => sum + (values[event] - mean) ** 2, 0) / known.length;
  return values.map((value) => (value - mean) / Math.sqrt(variance + 1e-12));
}
