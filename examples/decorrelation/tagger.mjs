// A network of two hidden layers, trained by cross entropy and, with a strength, by the distance
// correlation of its score with a variable over the background.
import * as ups from 'upsilon-kernels';

const width = 64,
  batchEvents = 2048;
const identity = ups.tensor([[1]]);

function layer(inputs, outputs, activation, seed, stream) {
  const weight = ups.random.normal([outputs, inputs], { seed, stream });
  weight.data.forEach((value, i) => (weight.data[i] = value * Math.sqrt(2 / inputs)));
  weight.requiresGrad = true;
  return { weight, bias: ups.tensor(new Float32Array(outputs), { requiresGrad: true }), activation };
}

export class Tagger {
  constructor(inputs, seed) {
    this.layers = [
      layer(inputs, width, 'relu', seed, 0),
      layer(width, width, 'relu', seed, 1),
      layer(width, 1, 'none', seed, 2),
    ];
    this.parameters = this.layers.flatMap(({ weight, bias }) => [weight, bias]);
  }

  /** `[n, 1]` */
  logits(x) {
    return ups.mlp(x, this.layers);
  }

  /** float32 `[n]`, of events that are not trained on */
  logitsOf(x) {
    return ups.noGrad(() => this.logits(x)).data;
  }
}

/** On the tape. */
const scoresOf = (logits) => ups.linear(logits, identity, { activation: 'sigmoid' }).reshape([logits.size]);

/**
 * Windows of the training sample. They stay the same, so the variable is sorted once for all
 * epochs.
 */
function batchesOf({ x, signal }, variable, weights) {
  const features = x.shape[1],
    batches = [];
  for (let first = 0; first < signal.length; first += batchEvents) {
    const last = Math.min(first + batchEvents, signal.length);
    const labels = signal.subarray(first, last),
      values = variable.subarray(first, last);
    batches.push({
      x: ups.tensor(x.data.subarray(first * features, last * features), { shape: [last - first, features] }),
      labels,
      variable: ups.tensor(values),
      order: ups.argsort(values),
      isBackground: Float32Array.from(labels, (label) => 1 - label),
      weights: weights.subarray(first, last),
    });
  }
  return batches;
}

/** Weights with which both classes count alike, times those that are given. Their mean is 1. */
function balanced(signal, given) {
  const sums = [0, 0];
  signal.forEach((label, i) => (sums[label] += given?.[i] ?? 1));
  return Float32Array.from(signal, (label, i) => ((given?.[i] ?? 1) * signal.length) / (2 * sums[label]));
}

/** Mean cross entropy by weight, and its derivative by the logits: score - label. */
function crossEntropy(logits, labels, weights) {
  let loss = 0;
  const gradient = Float32Array.from(logits.data, (z, i) => {
    loss += (weights[i] * (Math.max(z, 0) - z * labels[i] + Math.log1p(Math.exp(-Math.abs(z))))) / labels.length;
    return (weights[i] * (1 / (1 + Math.exp(-z)) - labels[i])) / labels.length;
  });
  return { loss, gradient: ups.tensor(gradient, { shape: logits.shape }) };
}

/**
 * @param sample - `x`, `signal` and `variable`, a float32 array that the score shall not tell of
 *   background
 * @param strength - of the term: cross entropy + strength * distanceCorrelation(score, variable)
 *   over the background
 * @param weights - of the events in the cross entropy
 * @param onEpoch - gets mean losses of an epoch, `{ crossEntropy, disco }`
 */
export function train(tagger, sample, { strength = 0, epochs = 30, learningRate = 4e-3, weights, onEpoch } = {}) {
  const adam = new ups.optim.Adam(tagger.parameters, { learningRate, weightDecay: 1e-3, decoupled: true });
  const batches = batchesOf(sample, sample.variable, balanced(sample.signal, weights));
  for (let epoch = 0; epoch < epochs; ++epoch) {
    adam.options = { ...adam.options, learningRate: (learningRate / 2) * (1 + Math.cos((Math.PI * epoch) / epochs)) };
    const mean = { crossEntropy: 0, disco: 0 };
    for (const batch of batches) {
      adam.zeroGrad();
      const logits = tagger.logits(batch.x);
      const { loss, gradient } = crossEntropy(logits, batch.labels, batch.weights);
      logits.backward(gradient);
      mean.crossEntropy += loss / batches.length;
      if (strength > 0) {
        // A background event counts 1, a signal event 0: as good as absent. Gradients add up.
        const { isBackground, variable, order } = batch;
        const disco = ups.distanceCorrelation(scoresOf(logits), variable, { weights: isBackground, order });
        disco.backward(ups.tensor(Float64Array.of(strength), { shape: [] }));
        mean.disco += disco.item() / batches.length;
      }
      adam.step();
    }
    onEpoch?.(mean);
  }
}
