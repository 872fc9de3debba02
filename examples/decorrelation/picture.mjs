// Three plots in one SVG file: power against sculpting, and what background looks like behind the
// cut, without and with the term.
import { area, frame, line, text } from '../selective-background-simulation/report/svg.mjs';
import { binnings, shares } from './measures.mjs';

const width = 560,
  height = 460,
  side = 440;
const style = `
svg{font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;background:#fff}
text{font-size:12px;fill:#5d6b7a}.title{font-size:12.5px;fill:#16202c}.note{font-size:12.5px;fill:#16202c}
.small{font-size:11px;fill:#5d6b7a}
.grid{stroke:#e2e6eb;fill:none}.axis{stroke:#9aa6b2;fill:none}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}.bar{fill:none;stroke-width:1.2}
.chance{fill:none;stroke:#9aa6b2;stroke-width:1.4;stroke-dasharray:5 4}
.one{stroke:#d9480f}.two{stroke:#1c6fd1}.three{stroke:#2b8a3e}.four{stroke:#7b3fb5}
.fill{stroke:none;fill-opacity:.18}.fill.two{fill:#1c6fd1}`;
const colors = { one: '#d9480f', three: '#2b8a3e', four: '#7b3fb5' };

const dot = (x, y, kind) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4" fill="${colors[kind]}"/>`;

function tradeOff(scan, others) {
  const points = [...scan, ...others];
  const most = Math.max(...points.map(({ rejection }) => rejection.mean + rejection.deviation));
  const step = [5, 10, 20, 50].find((candidate) => most / candidate <= 7) ?? 100;
  const high = step * Math.ceil((1.05 * most) / step);
  const inverses = points.flatMap(({ inverse, chance }) => [inverse.mean, chance]);
  const [low, top] = [Math.floor(Math.log10(Math.min(...inverses))), Math.log10(1.6 * Math.max(...inverses))];
  const yTicks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    .map((value) => [Math.log10(value), String(value)])
    .filter(([value]) => value >= low && value <= top);
  const xTicks = Array.from({ length: high / step + 1 }, (_, i) => [i * step, String(i * step)]);
  const plot = frame(
    width,
    height,
    { low: 0, high, ticks: xTicks, title: 'background rejection at 50 % signal efficiency' },
    { low, high: top, ticks: yTicks, title: '1 / JSD of m(ππ): background that passes, that fails' },
  );
  const place = ({ rejection, inverse }) => [plot.toX(rejection.mean), plot.toY(Math.log10(inverse.mean))];
  const bars = ({ rejection, inverse }, kind) => {
    const [x, y] = [rejection.mean, inverse.mean];
    const across = [x - rejection.deviation, x + rejection.deviation].map((value) => [
      plot.toX(value),
      plot.toY(Math.log10(y)),
    ]);
    const along = [Math.max(y - inverse.deviation, 10 ** low), y + inverse.deviation].map((value) => [
      plot.toX(x),
      plot.toY(Math.log10(value)),
    ]);
    return line(across, `bar ${kind}`) + line(along, `bar ${kind}`);
  };
  const sorted = [...points].sort((a, b) => a.rejection.mean - b.rejection.mean);
  const chance = line(
    sorted.map((point) => [plot.toX(point.rejection.mean), plot.toY(Math.log10(point.chance))]),
    'chance',
  );
  const first = sorted[0];
  const labelled = (point, kind, label, [dx, dy, anchor]) => {
    const [x, y] = place(point);
    return bars(point, kind) + dot(x, y, kind) + text(x + dx, y + dy, label, { anchor, kind: 'note' });
  };
  const [above, below, beside] = [
    [9, -7, 'start'],
    [-8, 17, 'end'],
    [9, 16, 'start'],
  ];
  return (
    plot.markup +
    chance +
    text(plot.toX(first.rejection.mean) + 10, plot.toY(Math.log10(first.chance)) - 4, 'no sculpting, but for chance', {
      anchor: 'start',
      kind: 'small',
    }) +
    line(scan.map(place), 'curve one') +
    scan
      .map((point) =>
        point.strength === 0
          ? labelled(point, 'one', 'no term', beside)
          : labelled(point, 'one', `λ = ${point.strength}`, below),
      )
      .join('') +
    others.map((point, k) => labelled(point, ['three', 'four'][k], point.name, above)).join('')
  );
}

function masses({ example }, title, highest) {
  const { low, high, bins } = binnings.mass;
  const plot = frame(
    side,
    height / 2,
    { low, high, ticks: [1, 2, 3, 4].map((value) => [value, String(value)]), title: 'm(ππ) {GeV}' },
    {
      low: 0,
      high: highest,
      ticks: [0.05, 0.1, 0.15, 0.2, 0.25].filter((y) => y < highest).map((y) => [y, `${Math.round(100 * y)} %`]),
      title: 'share per bin',
    },
  );
  const [pass, fail] = [example.pass, example.fail].map((values) => shares(values, binnings.mass));
  const steps = (values) =>
    Array.from(values, (value, bin) =>
      [bin, bin + 1].map((edge) => [plot.toX(low + (edge / bins) * (high - low)), plot.toY(value)]),
    ).flat();
  const failing = steps(fail);
  const corners = [[plot.left, plot.bottom], ...failing, [plot.right, plot.bottom]];
  const key = (y, kind, label) =>
    line(
      [
        [plot.right - 150, y - 4],
        [plot.right - 132, y - 4],
      ],
      `curve ${kind}`,
    ) + text(plot.right - 126, y, label, { anchor: 'start', kind: 'note' });
  return (
    plot.markup +
    area(corners, 'fill two') +
    line(failing, 'curve two') +
    line(steps(pass), 'curve one') +
    text(plot.left + 10, plot.top + 12, title, { anchor: 'start', kind: 'note' }) +
    key(plot.top + 30, 'one', `passes (${example.pass.length})`) +
    key(plot.top + 48, 'two', `fails (${example.fail.length})`)
  );
}

/** @param scan - points of rising strength, the first without the term */
export function drawing(scan, others) {
  const strongest = scan.reduce((best, point) => (point.inverse.mean > best.inverse.mean ? point : best));
  const shown = [scan[0], strongest];
  const highest =
    1.25 *
    Math.max(
      ...shown.flatMap(({ example }) =>
        [example.pass, example.fail].flatMap((values) => [...shares(values, binnings.mass)]),
      ),
    );
  const label = `Background rejection against 1/JSD for rising strengths of the decorrelation term, and masses of background that passes and fails the cut`;
  const lower = `<g transform="translate(0 ${height / 2})">${masses(strongest, `λ = ${strongest.strength}`, highest)}</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + side} ${height}" width="${width + side}" height="${height}" role="img" aria-label="${label}"><style>${style}</style><rect width="100%" height="100%" fill="#fff"/>${tradeOff(scan, others)}<g transform="translate(${width} 0)">${masses(scan[0], 'no term', highest)}${lower}</g></svg>\n`;
}
