// Two plots in one SVG file: scores of the held-out events, and ROC curves.
import { histogram } from '../selective-background-simulation/statistics.mjs';
import { area, frame, line, percentTicks, text } from '../selective-background-simulation/report/svg.mjs';

const width = 520,
  height = 360,
  kinds = ['one', 'two', 'three'];
const style = `
svg{font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;background:#fff}
text{font-size:12px;fill:#5d6b7a}.title{font-size:12.5px;fill:#16202c}.note{font-size:13px;fill:#16202c}
.grid{stroke:#e2e6eb;fill:none}.axis{stroke:#9aa6b2;fill:none}
.curve{fill:none;stroke-width:2.2;stroke-linejoin:round}.fill{fill-opacity:.16;stroke:none}
.curve.one{stroke:#d9480f}.curve.two{stroke:#1c6fd1}.curve.three{stroke:#2b8a3e}
.fill.one{fill:#d9480f}.fill.two{fill:#1c6fd1}`;

function key(x, y, kind, label) {
  const mark = [
    [x, y - 4],
    [x + 18, y - 4],
  ];
  return line(mark, `curve ${kind}`) + text(x + 26, y, label, { anchor: 'start', kind: 'note' });
}

function scorePlot({ scores, name }, isB) {
  const bins = 25;
  const classes = [1, 0].map((label) =>
    histogram(
      [...scores].filter((_, i) => isB[i] === label),
      0,
      1,
      bins,
    ),
  );
  const highest = Math.max(...classes.flat()) * 1.12;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((value) => [value, String(value)]);
  const plot = frame(
    width,
    height,
    { low: 0, high: 1, ticks, title: `score (${name} pooling)` },
    { low: 0, high: highest, ticks: percentTicks(highest), title: 'share of the class per bin' },
  );
  const drawn = classes.map((shares, k) => {
    const steps = shares.flatMap((share, bin) =>
      [bin, bin + 1].map((edge) => [plot.toX(edge / bins), plot.toY(share)]),
    );
    const corners = [[plot.left, plot.bottom], ...steps, [plot.right, plot.bottom]];
    return area(corners, `fill ${kinds[k]}`) + line(steps, `curve ${kinds[k]}`);
  });
  const keys = key(plot.left + 120, 40, 'one', 'B mesons') + key(plot.left + 120, 60, 'two', 'continuum');
  return plot.markup + drawn.join('') + keys;
}

function rocPlot(curves) {
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].map((value) => [value, `${100 * value} %`]);
  const plot = frame(
    width,
    height,
    { low: 0, high: 1, ticks, title: 'continuum that is kept' },
    { low: 0, high: 1, ticks, title: 'B mesons that are kept' },
  );
  const drawn = curves.map(({ points, name, area: auc }, k) => {
    const curve = line(
      points.map(([x, y]) => [plot.toX(x), plot.toY(y)]),
      `curve ${kinds[k]}`,
    );
    return curve + key(plot.left + 170, plot.bottom - 70 + 22 * k, kinds[k], `${name}: ${auc.toFixed(3)}`);
  });
  return (
    plot.markup + drawn.join('') + text(plot.left + 170, plot.bottom - 92, 'area under the curve', { anchor: 'start' })
  );
}

/** @param curves - the first two are networks with scores, in the order of their colours */
export function drawing(curves, isB) {
  const label = `Scores of held-out events, and ROC curves: ${curves.map(({ name, area: auc }) => `${name} ${auc.toFixed(3)}`).join(', ')}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * width} ${height}" width="${2 * width}" height="${height}" role="img" aria-label="${label}"><style>${style}</style><rect width="100%" height="100%" fill="#fff"/>${scorePlot(curves[0], isB)}<g transform="translate(${width} 0)">${rocPlot(curves)}</g></svg>\n`;
}
