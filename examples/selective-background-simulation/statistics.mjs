/** Indices from the highest score to the lowest. */
function ranking(scores) {
  return Uint32Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
}

/**
 * The ROC curve: shares of failing and passing events above every threshold; equal scores are one
 * step. Area after Mann and Whitney, its error after Hanley and McNeil (Radiology 143 (1982) 29).
 * @returns undefined when one of the classes is empty
 */
export function roc(scores, passes) {
  const order = ranking(scores);
  const passing = passes.reduce((sum, value) => sum + value, 0),
    failing = scores.length - passing;
  if (passing === 0 || failing === 0) return undefined;
  const points = [[0, 0]];
  const above = { pass: 0, fail: 0 };
  let area = 0;
  for (let i = 0; i < order.length;) {
    const before = { ...above };
    const score = scores[order[i]];
    for (; i < order.length && scores[order[i]] === score; ++i) above[passes[order[i]] ? 'pass' : 'fail']++;
    area += ((above.fail - before.fail) * (above.pass + before.pass)) / 2;
    points.push([above.fail / failing, above.pass / passing]);
  }
  area /= passing * failing;
  const q1 = area / (2 - area),
    q2 = (2 * area ** 2) / (1 + area);
  const variance =
    (area * (1 - area) + (passing - 1) * (q1 - area ** 2) + (failing - 1) * (q2 - area ** 2)) / (passing * failing);
  return { points, area, error: Math.sqrt(Math.max(variance, 0)) };
}

/** Share of the values that reach `threshold`, for every one of `thresholds`. */
export function shareAbove(values, thresholds) {
  const sorted = Float64Array.from(values).sort();
  return thresholds.map((threshold) => {
    let low = 0,
      high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < threshold) low = middle + 1;
      else high = middle;
    }
    return sorted.length === 0 ? 0 : (sorted.length - low) / sorted.length;
  });
}

/**
 * Shares of the values in `bins` equal bins from `low` to `high`; what is outside goes to the
 * outermost bins.
 */
export function histogram(values, low, high, bins) {
  const shares = new Array(bins).fill(0);
  for (const value of values)
    shares[Math.min(bins - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * bins)))] += 1 / values.length;
  return shares;
}

/** The largest absolute difference. */
export function largestDifference(a, b) {
  let largest = 0;
  for (let i = 0; i < a.length; ++i) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

export const logit = (probability) => Math.log(probability / (1 - probability));
