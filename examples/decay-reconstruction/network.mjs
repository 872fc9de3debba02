// A transformer whose tokens are an event's particles and a few learned slots. Behind its layers
// every slot says what it has found, a B, a D, a pi0 or nothing, and which of the particles belong
// to it.
import * as ups from 'upsilon-kernels';

import { pairFeatures, particleFeatures } from './batch.mjs';
import { kinds } from './events.mjs';

const linkWidth = 16;
/** Of links against names, and of a slot without an object against one with. */
const linkWeight = 3,
  nothingWeight = 0.3;

/** A layer with weights of variance 1 / inputs. */
function layer(inputs, outputs, seed, stream, activation = 'none') {
  const weight = ups.random.normal([outputs, inputs], { seed, stream });
  weight.data.forEach((value, i) => (weight.data[i] = value / Math.sqrt(inputs)));
  weight.requiresGrad = true;
  return { weight, bias: ups.tensor(new Float32Array(outputs), { requiresGrad: true }), activation };
}

const oneHot = (size, i) => Float32Array.from({ length: size }, (_, k) => (k === i ? 1 : 0));

/** Of every row of logits with one class. */
function crossEntropy(logits, which) {
  const [count, classes] = logits.shape;
  return ups.pairCost(
    { values: logits, offsets: [0, count] },
    { values: ups.tensor(oneHot(classes, which), { shape: [1, classes] }), offsets: [0, 1] },
    { kind: 'crossEntropy' },
  ).values;
}

export class DecayFinder {
  constructor({ slots = 8, width = 64, heads = 4, layers = 4, seed = 1 } = {}) {
    Object.assign(this, { slots, width, heads });
    const twoLayers = (inputs, hidden, outputs, stream) => [
      layer(inputs, hidden, seed, stream, 'gelu'),
      layer(hidden, outputs, seed, stream + 1),
    ];
    this.slotTable = ups.random.normal([slots, width], { seed, stream: 0 });
    this.slotTable.requiresGrad = true;
    this.embed = twoLayers(particleFeatures.length, width, width, 1);
    this.pairBias = twoLayers(pairFeatures.length, 24, heads, 3);
    this.classify = twoLayers(width, width, kinds.length + 1, 5);
    this.slotPlace = twoLayers(width, width, linkWidth, 7);
    this.particlePlace = twoLayers(width, width, linkWidth, 9);
    this.linkOf = {
      weight: ups.tensor([[-0.3]], { requiresGrad: true }),
      bias: ups.tensor([2], { requiresGrad: true }),
    };
    this.encoder = Array.from({ length: layers }, (_, i) =>
      ups.models.TransformerEncoderLayer.initial({
        width,
        heads,
        feedForward: 2 * width,
        activation: 'gelu',
        normFirst: true,
        seed: seed + 1 + i,
      }),
    );
  }

  get parameters() {
    const { embed, pairBias, classify, slotPlace, particlePlace, linkOf } = this;
    const layers = [embed, pairBias, classify, slotPlace, particlePlace, linkOf].flat();
    return [
      this.slotTable,
      ...layers.flatMap(({ weight, bias }) => [weight, bias]),
      ...this.encoder.flatMap(({ parameters }) => Object.values(parameters)),
    ];
  }

  /** Tokens before the first layer, and the bias of attention. */
  start({ features, tokenRows, tokens, pairs, biasEntries }) {
    const particles = ups.mlp(features, this.embed);
    const table = ups.concat([this.slotTable.reshape([1, -1]), particles.reshape([1, -1])]).reshape([-1, this.width]);
    const perPair = ups.mlp(pairs, this.pairBias);
    return {
      first: { values: ups.embedding(tokenRows, table), offsets: tokens },
      bias: ups.embedding(biasEntries, perPair.reshape([-1, 1])).reshape([-1]),
    };
  }

  /**
   * `names`: logits of kinds and "nothing", a row per slot; `links`: a logit per slot and particle
   * of the same event.
   */
  forward(batch) {
    const { first, bias } = this.start(batch);
    let tokens = first;
    for (const one of this.encoder) tokens = one.forward(tokens, { bias });
    const slots = ups.embedding(batch.slotRows, tokens.values),
      particles = ups.embedding(batch.particleRows, tokens.values);
    // What is near a slot, in a space that is learned, belongs to it.
    const distance = ups.pairCost(
      { values: ups.mlp(slots, this.slotPlace), offsets: batch.slotStarts },
      { values: ups.mlp(particles, this.particlePlace), offsets: batch.starts },
    );
    return {
      names: ups.mlp(slots, this.classify),
      links: ups.linear(distance.values.reshape([-1, 1]), this.linkOf.weight, { bias: this.linkOf.bias }),
    };
  }

  /**
   * The loss of the best matching of slots and objects; a slot that is left over should say
   * "nothing".
   */
  loss(batch, { names, links }) {
    const count = links.size;
    // A link's loss is ln(1 + e^s) where it should not be and ln(1 + e^-s) where it should.
    const twoClasses = ups.concat([links, ups.zeros([count, 1])]);
    const [ifAbsent, ifPresent] = [1, 0].map((k) => crossEntropy(twoClasses, k).reshape([1, count]));
    const table = ups.concat([ifAbsent, ifPresent]).reshape([2 * count, 1]);
    const linkLoss = ups.setPool({ values: ups.embedding(batch.linkTerms, table), offsets: batch.termStarts }, 'mean');
    const nameLoss = ups.pairCost(
      { values: names, offsets: batch.slotStarts },
      { values: batch.classes, offsets: batch.objectStarts },
      { kind: 'crossEntropy' },
    ).values;
    const both = ups.concat([linkLoss, nameLoss.reshape([-1, 1])]);
    const pairLoss = ups.linear(both, ups.tensor([[linkWeight, 1]])).reshape([-1]);
    const cost = { values: pairLoss.detach(), rows: batch.slotCounts, columns: batch.objectCounts };
    const unmatched = crossEntropy(names, kinds.length);
    return ups.matchedLoss(cost, pairLoss, { unmatched, unmatchedWeight: nothingWeight });
  }

  /**
   * Who attends to whom in an event.
   * @param batch - of this event only
   * @returns for each layer, head and token how much it attends to each token
   */
  attention(batch) {
    return ups.noGrad(() => {
      const { first, bias } = this.start(batch);
      let tokens = first;
      return this.encoder.map((one) => {
        const weights = weightsOf(one.parameters, tokens.values, this.heads, bias);
        tokens = one.forward(tokens, { bias });
        return weights;
      });
    });
  }
}

/**
 * The weights of a layer's attention between all `x` `[n, width]`: with unit vectors as values they
 * are what comes out.
 */
function weightsOf(parameters, x, heads, bias) {
  const [size, width] = x.shape,
    offsets = [0, size];
  const normal = ups.layerNorm(x, { axes: [-1], weight: parameters['norm1.weight'], bias: parameters['norm1.bias'] });
  const all = ['weight', 'bias'].map((name) => parameters[`self_attn.in_proj_${name}`].data);
  const [q, k] = [0, 1].map((part) => {
    const [weight, bias] = all.map((data) => data.subarray((part * data.length) / 3, ((part + 1) * data.length) / 3));
    const values = ups.linear(normal, ups.tensor(weight, { shape: [width, width] }), { bias });
    return { values, offsets };
  });
  const units = new Float32Array(size * heads * size);
  for (let i = 0; i < size; ++i) for (let h = 0; h < heads; ++h) units[(i * heads + h) * size + i] = 1;
  const v = { values: ups.tensor(units, { shape: [size, heads * size] }), offsets };
  const found = ups.attention(q, k, v, { heads, bias }).values.data;
  const row = (i, h) => [...found.subarray((i * heads + h) * size, (i * heads + h + 1) * size)];
  return Array.from({ length: heads }, (_, h) => Array.from({ length: size }, (_, i) => row(i, h)));
}
