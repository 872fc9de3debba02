import * as fc from 'fast-check';

import * as ups from 'upsilon-kernels';

// Calls that are nearly right: boundaries with gaps, overruns and far-off numbers, widths off by
// one, sets of nothing, NaN and infinities among the values. Each gives a result, and a gradient
// where one is asked for, or a typed error; no call ends the process.
class Draw {
  constructor(private state: number) {}
  number(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }
  below(bound: number): number {
    return Math.floor(this.number() * bound);
  }
  one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
  happens(probability: number): boolean {
    return this.number() < probability;
  }
  size(): number {
    return this.one([0, 1, 2, 3, 7, 17, 40]);
  }
  sizes(count: number, largest: number): number[] {
    return Array.from({ length: count }, () => this.below(largest));
  }
  tensor(...shape: number[]): ups.Tensor {
    const wild = this.happens(0.2);
    const value = (): number =>
      wild && this.happens(0.1) ? this.one([NaN, Infinity, -Infinity, 1e30, -1e38]) : this.number() * 4 - 2;
    const size = shape.reduce((product, extent) => product * extent, 1);
    return ups.tensor(Float32Array.from({ length: size }, value), { shape, requiresGrad: this.happens(0.5) });
  }
  boundaries(events: number, rows: number): Int32Array {
    const cuts = Int32Array.from({ length: events + 1 }, () => this.below(rows + 1)).sort();
    if (this.happens(0.7)) {
      cuts[0] = 0;
      cuts[events] = rows;
    }
    if (this.happens(0.05)) cuts[this.below(events + 1)] = this.one([-1, rows + 1, 2 ** 31 - 1, -(2 ** 31)]);
    return cuts;
  }
  ragged(events: number, width: number, rows = this.size()): { values: ups.Tensor; offsets: Int32Array } {
    return { values: this.tensor(rows, width), offsets: this.boundaries(events, rows) };
  }
  layer(inputs: number, outputs: number): ups.Layer {
    return {
      weight: this.tensor(outputs, this.happens(0.03) ? inputs + 1 : inputs),
      ...(this.happens(0.5) && { bias: this.tensor(outputs) }),
      activation: this.one(['none', 'relu', 'leakyRelu', 'elu', 'gelu', 'tanh', 'sigmoid', 'leakyRelu0.2'] as const),
    };
  }
}

const pools = ['sum', 'mean', 'max', 'min'] as const;

const calls: Record<string, (d: Draw) => unknown> = {
  attention(d) {
    const events = 1 + d.below(4),
      heads = 1 + d.below(3),
      width = d.one([1, 3, 8, 16]);
    const q = d.ragged(events, heads * width),
      k = d.ragged(events, heads * width);
    const v = { values: d.tensor(k.values.shape[0], heads * d.one([width, 5])), offsets: k.offsets };
    let pairs = 0;
    for (let b = 0; b < events; ++b)
      pairs += (q.offsets[b + 1] - q.offsets[b]) * (k.offsets[b + 1] - k.offsets[b]) * heads;
    const bias = pairs >= 0 && pairs < 1e5 && d.happens(0.4) ? d.tensor(d.happens(0.1) ? pairs + 1 : pairs) : undefined;
    const scale = d.one([undefined, 1, 0, -1, 1e30]);
    return ups.attention(q, k, v, { heads: d.happens(0.05) ? heads + 1 : heads, causal: d.happens(0.3), bias, scale });
  },
  linearSumAssignment(d) {
    const problems = d.below(4),
      options = { maximize: d.happens(0.3), duals: d.happens(0.3) };
    const rows = d.sizes(problems, 6),
      columns = d.sizes(problems, 6);
    const entries = rows.reduce((sum, r, b) => sum + r * columns[b], 0);
    if (d.happens(0.3)) return ups.linearSumAssignment(d.tensor(d.below(9), d.below(9)), options);
    if (d.happens(0.5)) return ups.linearSumAssignment(d.tensor(problems, d.below(9), d.below(9)), options);
    return ups.linearSumAssignment(
      { values: d.tensor(d.happens(0.1) ? entries + 1 : entries), rows, columns },
      options,
    );
  },
  hungarianLoss(d) {
    const events = 1 + d.below(4),
      width = 1 + d.below(5);
    return ups.hungarianLoss(d.ragged(events, width), d.ragged(events, width), {
      pairCost: d.one(['squaredError', 'absoluteError', 'crossEntropy'] as const),
      noObject: d.happens(0.3) ? d.tensor(width) : undefined,
    });
  },
  conv(d) {
    const rank = 1 + d.below(3),
      groups = d.one([1, 1, 2, 3]);
    const axes = (choices: number[]): number[] => Array.from({ length: rank }, () => d.one(choices));
    const inputs = groups * (1 + d.below(3)),
      outputs = groups * (1 + d.below(3));
    const x = d.tensor(d.below(3), inputs, ...axes([0, 1, 3, 5, 9])),
      weight = d.tensor(outputs, inputs / groups + (d.happens(0.05) ? 1 : 0), ...axes([1, 2, 3, 5]));
    return ups[`conv${rank}d` as 'conv2d'](x, weight, {
      stride: d.one([1, 2, 3, 0]),
      padding: d.one([0, 1, 2, 'same'] as const),
      dilation: d.one([1, 1, 2]),
      groups,
      bias: d.happens(0.5) ? d.tensor(outputs) : undefined,
    });
  },
  convTranspose(d) {
    const rank = 1 + d.below(3),
      groups = d.one([1, 1, 2]);
    const axes = (choices: number[]): number[] => Array.from({ length: rank }, () => d.one(choices));
    const inputs = groups * (1 + d.below(3)),
      outputs = 1 + d.below(3);
    const x = d.tensor(d.below(3), inputs, ...axes([0, 1, 3, 5])),
      weight = d.tensor(inputs, outputs, ...axes([1, 2, 3, 4]));
    return ups[`convTranspose${rank}d` as 'convTranspose2d'](x, weight, {
      stride: d.one([1, 2, 3]),
      padding: d.one([0, 1, 2]),
      outputPadding: d.one([0, 0, 1, 2]),
      dilation: d.one([1, 1, 2]),
      groups,
    });
  },
  deepSet(d) {
    const width = 1 + d.below(5),
      x = d.ragged(1 + d.below(4), width);
    const weights = d.happens(0.3) ? d.tensor(x.values.shape[0]) : undefined;
    return ups.deepSet(x, { phi: [d.layer(width, 7)], pool: d.one(pools), rho: [d.layer(7, 3)], weights });
  },
  multiDeepSet(d) {
    const events = 1 + d.below(4),
      width = d.one([4, 9]),
      fuse = d.one(['after', 'before'] as const);
    const widths = Array.from({ length: 1 + d.below(3) }, () => 1 + d.below(5));
    const sets = widths.map((features) => d.ragged(d.happens(0.03) ? events + 1 : events, features));
    const phi = widths.map((features) => [d.layer(features, 7), d.layer(7, width)]);
    const rho = [d.layer(fuse === 'after' ? width * widths.length : width, 3)];
    return ups.multiDeepSet(sets, { phi, pool: d.one(pools), fuse, rho });
  },
  setPool(d) {
    const x = d.ragged(1 + d.below(4), 3);
    return ups.setPool(x, d.one(pools), d.happens(0.3) ? { weights: d.tensor(x.values.shape[0]) } : {});
  },
  attentionPool(d) {
    const width = 1 + d.below(9);
    const features = d.happens(0.5) ? [d.layer(width, 5)] : undefined;
    return ups.attentionPool(d.ragged(1 + d.below(4), width), { gate: [d.layer(width, 1)], features });
  },
  segmentSoftmax: (d) => ups.segmentSoftmax(d.ragged(1 + d.below(4), 1 + d.below(4))).values,
  softmax: (d) => ups.softmax(d.tensor(d.size(), d.size())),
  batchNorm(d) {
    const channels = 1 + d.below(5);
    const shape = d.one([
      [d.size(), channels],
      [d.below(4), channels, d.below(4)],
      [d.below(3), channels, 2, 3, d.below(3)],
    ]);
    const statistic = (): Float32Array => new Float32Array(channels).fill(d.number() * 2 - 0.1);
    const weight = d.happens(0.4) ? d.tensor(channels) : undefined;
    return ups.batchNorm(d.tensor(...shape), {
      mean: statistic(),
      variance: statistic(),
      training: d.happens(0.5),
      weight,
    });
  },
  instanceNorm(d) {
    const channels = 1 + d.below(5);
    const shape = d.one([
      [d.size(), channels],
      [d.below(4), channels, d.below(4)],
      [d.below(3), channels, 2, 3, d.below(3)],
    ]);
    const width = d.happens(0.1) ? channels + 1 : channels;
    return ups.instanceNorm(d.tensor(...shape), {
      weight: d.happens(0.5) ? d.tensor(width) : undefined,
      bias: d.happens(0.5) ? d.tensor(width) : undefined,
      eps: d.one([1e-5, 0, -1]),
    });
  },
  argsort: (d) => ups.argsort({ values: d.tensor(17), offsets: d.boundaries(3, 17) }, { descending: d.happens(0.5) }),
  distanceCorrelation(d) {
    const count = d.size();
    const weights = d.happens(0.3) ? d.tensor(count) : undefined;
    const order = d.happens(0.2) ? Int32Array.from({ length: count }, () => d.below(count + 1)) : undefined;
    const x = d.happens(0.5) ? d.tensor(count) : d.tensor(count, 1 + d.below(4));
    return ups.distanceCorrelation(x, d.tensor(count), { weights, order });
  },
  rocAuc(d) {
    const count = d.size();
    return ups.rocAuc(
      d.tensor(count),
      Uint8Array.from({ length: count }, () => d.below(2)),
    );
  },
  concat: (d) => ups.concat([d.tensor(5, d.below(4)), d.tensor(d.one([5, 6]), d.below(4))]),
};

test.each(Object.keys(calls))('%s', (name) => {
  let results = 0;
  const property = fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
    try {
      const found = calls[name](new Draw(seed));
      ++results;
      if (found instanceof ups.Tensor && found.requiresGrad) {
        const ones = new (found.dtype === 'float64' ? Float64Array : Float32Array)(found.size).fill(1);
        found.backward(ups.tensor(ones, { shape: [...found.shape] }));
      }
    } catch (error) {
      if (!(error instanceof ups.UpsilonError)) throw error;
    }
  });
  fc.assert(property, { numRuns: 1000 });
  expect(results).toBeGreaterThan(100);
});
