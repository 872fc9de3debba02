// The report's plots. A group is `{ name, kind, scores }`; its kind is the colour.
import { histogram, shareAbove } from '../statistics.mjs';
import { area, decades, frame, line, percentTicks, picture, text } from './svg.mjs';

const width = 560,
  height = 340;

/** Decades that hold all scores; a handful of tiny ones does not stretch the axis. */
export function scoreAxis(scores) {
  const sorted = Float64Array.from(scores).sort();
  const low = sorted[Math.floor(sorted.length / 1000)] ?? 0.01;
  return { low: Math.max(-6, Math.min(-1, Math.floor(Math.log10(Math.max(low, 1e-9))))), high: 0 };
}

function thresholdLine({ toX, top, bottom }, threshold, low) {
  if (!(Math.log10(threshold) > low)) return '';
  const x = toX(Math.log10(threshold));
  return (
    line(
      [
        [x, top],
        [x, bottom],
      ],
      'threshold',
    ) + text(x + 6, top + 11, `threshold ${threshold.toPrecision(3)}`, { anchor: 'start', kind: 'note' })
  );
}

/** Shares of every group per bin of log10(score). */
export function scoreDistribution(title, groups, axis, threshold) {
  const smallest = Math.min(...groups.map(({ scores }) => scores.length));
  const bins = Math.round((axis.high - axis.low) / (smallest < 500 ? 0.25 : 0.125));
  const shares = groups.map(({ scores }) =>
    histogram(
      scores.map((score) => Math.log10(Math.max(score, 1e-12))),
      axis.low,
      axis.high,
      bins,
    ),
  );
  const highest = Math.max(0.05, ...shares.flat()) * 1.12;
  const isCut = groups.some(({ scores }) => scores.some((score) => score < 10 ** axis.low));
  const plot = frame(
    width,
    height,
    { ...axis, ticks: decades(axis.low, axis.high, isCut), title: 'passProbability' },
    { low: 0, high: highest, ticks: percentTicks(highest), title: 'share of the class per bin' },
  );
  const drawn = groups.map(({ kind }, g) => {
    const steps = shares[g].flatMap((share, bin) =>
      [bin, bin + 1].map((edge) => [plot.toX(axis.low + (edge / bins) * (axis.high - axis.low)), plot.toY(share)]),
    );
    return (
      area([[plot.left, plot.bottom], ...steps, [plot.right, plot.bottom]], `fill ${kind}`) +
      line(steps, `curve ${kind}`)
    );
  });
  return picture(width, height, title, plot.markup + drawn.join('') + thresholdLine(plot, threshold, axis.low));
}

/** At most about `most` points of a curve, its ends among them. */
function thinned(points, most) {
  const step = Math.max(1, Math.floor(points.length / most));
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

const percentages = [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => [share, `${Math.round(share * 100)} %`]);

/** ROC curves `{ kind, points }` and the point of work `[failing, passing]`. */
export function rocCurves(title, curves, work) {
  const plot = frame(
    width,
    height,
    { low: 0, high: 1, ticks: percentages, title: 'failing events that would be simulated' },
    { low: 0, high: 1, ticks: percentages, title: 'passing events kept' },
  );
  const diagonal = line(
    [
      [plot.toX(0), plot.toY(0)],
      [plot.toX(1), plot.toY(1)],
    ],
    'chance',
  );
  const drawn = curves.map(({ kind, points }) =>
    line(
      thinned(points, 600).map(([x, y]) => [plot.toX(x), plot.toY(y)]),
      `curve ${kind}`,
    ),
  );
  const [x, y] = [plot.toX(work[0]), plot.toY(work[1])];
  const mark =
    `<circle cx="${x}" cy="${y}" r="5" class="work"/>` +
    text(x + 10, y + 16, 'at the threshold', { anchor: 'start', kind: 'note' });
  return picture(width, height, title, plot.markup + diagonal + drawn.join('') + mark);
}

/** What every threshold simulates, and what it keeps. */
export function thresholdChoice(title, groups, axis, threshold) {
  const places = Array.from({ length: 121 }, (_, i) => axis.low + (i / 120) * (axis.high - axis.low));
  const plot = frame(
    width,
    height,
    { ...axis, ticks: decades(axis.low, axis.high), title: 'threshold on passProbability' },
    { low: 0, high: 1, ticks: percentages, title: 'share of events' },
  );
  const drawn = groups.map(({ kind, scores }) => {
    const shares = shareAbove(
      scores,
      places.map((place) => 10 ** place),
    );
    return line(
      places.map((place, i) => [plot.toX(place), plot.toY(shares[i])]),
      `curve ${kind}`,
    );
  });
  return picture(width, height, title, plot.markup + drawn.join('') + thresholdLine(plot, threshold, axis.low));
}
