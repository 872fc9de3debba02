// Two plots in one SVG file: whom the particles of an event attend to, and how often the decay is
// found.
import { frame, line, text } from '../selective-background-simulation/report/svg.mjs';
import { trueDecay } from './found.mjs';

const mapWidth = 530,
  plotWidth = 510,
  height = 520;
const style = `
svg{font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;background:#fff}
text{font-size:12px;fill:#5d6b7a}.title{font-size:12.5px;fill:#16202c}.note{font-size:13px;fill:#16202c}.head{font-size:14px;fill:#16202c;font-weight:600}
.grid{stroke:#e2e6eb;fill:none}.axis{stroke:#9aa6b2;fill:none}
.curve{fill:none;stroke-width:2.2;stroke-linejoin:round}.curve.one{stroke:#1c6fd1}.curve.light{stroke:#a9cdf3}.curve.two{stroke:#9aa6b2;stroke-dasharray:6 4}.curve.three{stroke:#5d6b7a;stroke-dasharray:2 4}
.B{stroke:#d9480f}.D{stroke:#2b8a3e}.pi0{stroke:#9c36b5}.box{fill:none;stroke-width:2}.bar{fill:none;stroke-width:3}
text.B{fill:#d9480f;stroke:none}text.D{fill:#2b8a3e;stroke:none}text.pi0{fill:#9c36b5;stroke:none}text.name{font-size:13px;font-weight:600}`;

const symbols = { 11: 'e', 13: 'μ', 22: 'γ', 211: 'π', 321: 'K', 2212: 'p' };
const names = ['B', 'D', 'π⁰'],
  classes = ['B', 'D', 'pi0'];

const symbolOf = (code, charge) => symbols[Math.abs(code)] + (charge > 0 ? '⁺' : charge < 0 ? '⁻' : '');

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** White, blue, nearly black. */
function shade(share) {
  const stops = [
    [255, 255, 255],
    [124, 178, 236],
    [28, 111, 209],
    [10, 38, 84],
  ];
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1),
    low = Math.min(Math.floor(at), stops.length - 2);
  const mixed = stops[low].map((value, c) => Math.round(value + (at - low) * (stops[low + 1][c] - value)));
  return `rgb(${mixed.join(',')})`;
}

/**
 * Particles by what they come from: the D's, the bachelor, then photons of other pi0, then all
 * others.
 */
function inOrder(event) {
  const { particles, objects, codes } = event;
  const [b, d, pion] = trueDecay(event);
  const others = objects.filter(({ kind, members }) => kind === 2 && members !== pion.members);
  const rank = (i) => {
    if (pion.members.includes(i)) return 2;
    if (d.members.includes(i)) return Math.abs(codes[i]) === 321 ? 0 : 1;
    if (b.members.includes(i)) return 3;
    const other = others.findIndex(({ members }) => members.includes(i));
    return other >= 0 ? 4 + other : particles[i].charge === 0 ? 101 : 100;
  };
  const order = [...particles.keys()].sort((i, j) => rank(i) - rank(j));
  return { order, boxes: [b, d, pion, ...others] };
}

/** A rectangle. One decimal is finer than a pixel. */
function box(x, y, width, height, attributes) {
  const [left, top, across, down] = [x, y, width, height].map((value) => Number(value.toFixed(1)));
  return `<rect x="${left}" y="${top}" width="${across}" height="${down}" ${attributes}/>`;
}

function attentionMap({ event, attention, slots, decaySlots }) {
  const { order, boxes } = inOrder(event);
  const left = 66,
    stripTop = 40,
    stripCell = 19,
    top = stripTop + 3 * stripCell + 34,
    cell = Math.min(25, (height - top - 14) / order.length),
    end = order.length * cell;
  const square = (x, y, tall, share) =>
    box(x, y, cell - 1, tall - 1, `fill="${shade(share)}" stroke="#e2e6eb" stroke-width=".6"`);
  const parts = [text(18, 22, 'Attention between the particles of one event', { anchor: 'start', kind: 'head' })];
  decaySlots.forEach((slot, kind) => {
    const y = stripTop + kind * stripCell;
    parts.push(text(left - 8, y + 14, `slot ${names[kind]}`, { anchor: 'end', kind: `name ${classes[kind]}` }));
    order.forEach((i, column) => parts.push(square(left + column * cell, y, stripCell, 0.75 * (slot?.shares[i] ?? 0))));
  });
  const weights = order.map((i) => order.map((j) => attention[slots + i][slots + j]));
  const most = Math.max(...weights.flat());
  order.forEach((i, at) => {
    const label = symbolOf(event.codes[i], event.particles[i].charge);
    parts.push(text(left - 8, top + (at + 0.68) * cell, label, { anchor: 'end', kind: 'note' }));
    parts.push(text(left + (at + 0.46) * cell, top - 8, label, { kind: 'note' }));
    weights[at].forEach((weight, column) =>
      parts.push(square(left + column * cell, top + at * cell, cell, (weight / most) ** 0.7)),
    );
  });
  // Outer boxes first; those of B, D and the pi0 in it are named beside the map.
  boxes.forEach(({ kind, members }, b) => {
    const places = members.map((i) => order.indexOf(i));
    const first = Math.min(...places) * cell,
      size = (Math.max(...places) + 1) * cell - first,
      inset = [-1.5, 0.2, 1.9][kind];
    parts.push(
      box(
        left + first + inset,
        top + first + inset,
        size - 2 * inset - 1,
        size - 2 * inset - 1,
        `rx="3" class="box ${classes[kind]}"`,
      ),
    );
    const x = left + end + [62, 36, 8][b < 3 ? kind : 2];
    const bar = [
      [x, top + first + 2],
      [x, top + first + size - 3],
    ];
    parts.push(line(bar, `bar ${classes[kind]}`));
    parts.push(
      text(x + 6, top + first + size / 2 + 4, names[kind], { anchor: 'start', kind: `name ${classes[kind]}` }),
    );
  });
  const rest = Math.max(...boxes.flatMap(({ members }) => members.map((i) => order.indexOf(i)))) + 1;
  if (rest < order.length)
    parts.push(text(left + end + 8, top + ((rest + order.length) / 2) * cell + 4, 'the other B', { anchor: 'start' }));
  return parts.join('');
}

function learning({ curve, ways }) {
  const last = curve.at(-1).step;
  const plot = frame(
    plotWidth,
    height - 24,
    {
      low: 0,
      high: last,
      ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share * last, (share * last).toLocaleString('en')]),
      title: 'steps of training',
    },
    {
      low: 0,
      high: 1,
      ticks: [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => [share, `${Math.round(100 * share)} %`]),
      title: 'held-out events',
    },
  );
  const toPlace = ([x, y]) => [plot.toX(x), plot.toY(y)];
  const curves = [
    ['light', `π⁰ of the D: ${percent(ways[0].pi0)}`, [[0, 0], ...curve.map(({ step, pi0 }) => [step, pi0])]],
    ['one', `whole decay: ${percent(ways[0].whole)}`, [[0, 0], ...curve.map(({ step, whole }) => [step, whole])]],
    ...ways.slice(1).map(({ name, whole }, k) => [
      ['two', 'three'][k],
      `${name}: ${percent(whole)}`,
      [
        [0, whole],
        [last, whole],
      ],
    ]),
  ];
  const drawn = curves.map(([kind, label, points], row) => {
    const x = plot.left + 120,
      y = plot.bottom - 96 + 24 * row;
    const mark = [
      [x, y - 4],
      [x + 26, y - 4],
    ];
    const name = text(x + 36, y, row < 2 ? `network, ${label}` : label, { anchor: 'start', kind: 'note' });
    return line(points.map(toPlace), `curve ${kind}`) + line(mark, `curve ${kind}`) + name;
  });
  return plot.markup + drawn.join('');
}

/**
 * @param data - `event`, held out, and the network's `attention` in it, rows of `slots` and then
 *   particles; `decaySlots`, what it found of the decay; `curve` and `ways`, judgements along the
 *   training and at its end, beside other ways
 */
export function drawing(data) {
  const width = mapWidth + plotWidth;
  const label = `Attention between the particles of an event, and the share of events whose decay is found: ${data.ways.map(({ name, whole }) => `${name} ${percent(whole)}`).join(', ')}`;
  const right = text(plotWidth / 2 + 16, 22, 'Events whose decay is found, particle by particle', { kind: 'head' });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}"><style>${style}</style><rect width="100%" height="100%" fill="#fff"/>${attentionMap(data)}<g transform="translate(${mapWidth} 0)">${right}<g transform="translate(0 24)">${learning(data)}</g></g></svg>\n`;
}
