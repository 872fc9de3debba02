// Profiles and distributions of simulated and generated showers, and a few showers from three
// sides, as one SVG file.
import { area, frame, line, text } from '../selective-background-simulation/report/svg.mjs';
import { cells } from './simulation.mjs';

const width = 360,
  height = 290,
  kinds = { truth: 'one', generated: 'two' };
const style = `
svg{font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;background:#fff}
text{font-size:11.5px;fill:#5d6b7a}.title{font-size:12px;fill:#16202c}.note{font-size:12.5px;fill:#16202c}
.grid{stroke:#e2e6eb;fill:none}.axis,.box{stroke:#9aa6b2;fill:none}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}.fill{fill-opacity:.16;stroke:none}
.curve.one{stroke:#1c6fd1}.curve.two{stroke:#d9480f}.fill.one{fill:#1c6fd1}`;
/** From the weakest to the strongest cell, in steps of a factor. */
const shades = ['#e3ecf6', '#b9d0ea', '#7fb0dc', '#3f89c9', '#1c5fa8', '#5b3a9b', '#a02c86', '#d9480f'];

const ten = (power) => `10${String(power).replace(/./g, (sign) => (sign === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[sign]))}`;

/** Round numbers from low to high, three to six of them. */
function ticksOf(low, high) {
  const rough = (high - low) / 5,
    decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * decade >= rough) * decade;
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); ++k)
    ticks.push([k * step, String(Number((k * step).toPrecision(6)))]);
  return ticks;
}

function decadeTicks(low, high) {
  const ticks = [];
  for (let power = Math.ceil(low); power <= high; ++power) ticks.push([power, ten(power)]);
  return ticks;
}

/**
 * Steps of both kinds over the same bins.
 * @param edges - of the bins, as they are drawn
 */
function plot({ edges, truth, generated, xTitle, yTitle, xTicks, logarithmic = false }) {
  const shown = (value) => (logarithmic ? Math.log10(Math.max(value, 1e-9)) : value);
  const highest = Math.max(...truth, ...generated);
  const low = logarithmic ? Math.floor(Math.log10(Math.min(...truth.filter((value) => value > 0)))) : 0,
    high = logarithmic ? Math.log10(highest) + 0.25 : highest * 1.15;
  const [first, last] = [edges[0], edges[edges.length - 1]];
  const axes = frame(
    width,
    height,
    { low: first, high: last, ticks: xTicks ?? ticksOf(first, last), title: xTitle },
    { low, high, ticks: logarithmic ? decadeTicks(low, high) : ticksOf(0, high), title: yTitle },
  );
  const steps = (values) =>
    values.flatMap((value, bin) =>
      [bin, bin + 1].map((edge) => [axes.toX(edges[edge]), axes.toY(Math.max(low, shown(value)))]),
    );
  const corners = [[axes.left, axes.bottom], ...steps(truth), [axes.right, axes.bottom]];
  return (
    axes.markup +
    area(corners, `fill ${kinds.truth}`) +
    line(steps(truth), `curve ${kinds.truth}`) +
    line(steps(generated), `curve ${kinds.generated}`)
  );
}

function distribution({ name, unit, truth, generated }) {
  const bins = 40;
  const sorted = [...truth, ...generated].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor(sorted.length * 0.002)], sorted[Math.floor(sorted.length * 0.998)]];
  const edges = Array.from({ length: bins + 1 }, (_, k) => low + ((high - low) * k) / bins);
  const shares = (values) => {
    const counts = new Array(bins).fill(0);
    for (const value of values) {
      const bin = Math.floor(((value - low) / (high - low)) * bins);
      if (bin >= 0 && bin < bins) counts[bin] += 100 / values.length;
    }
    return counts;
  };
  const xTitle = unit ? `${name} {${unit}}` : name;
  return plot({
    edges,
    truth: shares(truth),
    generated: shares(generated),
    xTitle,
    yTitle: '% of the showers per bin',
  });
}

const side = 150,
  cell = side / cells;

/** Cells summed along one axis, as squares of one path per shade. */
function projection(shower, along, x, y) {
  const sums = new Float64Array(cells * cells);
  for (let i = 0; i < cells ** 3; ++i) {
    const at = [Math.floor(i / cells ** 2), Math.floor(i / cells) % cells, i % cells];
    const [row, column] = [
      [at[1], at[2]],
      [at[1], at[0]],
      [at[2], at[0]],
    ][along];
    sums[(cells - 1 - row) * cells + column] += shower[i];
  }
  const paths = shades.map(() => '');
  sums.forEach((sum, i) => {
    if (sum < 0.1) return;
    const shade = Math.min(shades.length - 1, Math.floor(Math.log(sum / 0.1) / Math.log(3)));
    paths[shade] += `M${i % cells} ${Math.floor(i / cells)}h1v1h-1z`;
  });
  const squares = paths.map((path, k) => (path ? `<path d="${path}" fill="${shades[k]}"/>` : '')).join('');
  return `<g transform="translate(${x} ${y}) scale(${cell})">${squares}</g><rect x="${x}" y="${y}" width="${side}" height="${side}" class="box"/>`;
}

function showerRows({ energies, truth, generated }, top) {
  const size = cells ** 3;
  const names = ['y over x', 'y over depth', 'x over depth'];
  return energies
    .map((energy, i) =>
      [truth, generated]
        .map((images, k) => {
          const left = 20 + k * 1.5 * width,
            y = top + i * (side + 52);
          const shower = images.subarray(i * size, (i + 1) * size);
          const label = `${k === 0 ? 'simulated' : 'generated'}, ${energy} GeV`;
          const sides = names.map(
            (name, along) =>
              projection(shower, along, left + along * (side + 16), y + 18) +
              text(left + along * (side + 16) + side / 2, y + side + 33, name),
          );
          return text(left, y + 10, label, { anchor: 'start', kind: 'note' }) + sides.join('');
        })
        .join(''),
    )
    .join('');
}

export function drawing({ longitudinal, radial, spectrum, distributions, showers }) {
  const upTo = (count) => Array.from({ length: count + 1 }, (_, i) => i);
  const plots = [
    plot({ edges: upTo(cells), ...longitudinal, xTitle: 'layer', yTitle: 'energy per layer {MIP}' }),
    plot({
      edges: upTo(cells / 2),
      ...radial,
      xTitle: 'distance from the axis {cells}',
      yTitle: 'energy per ring {MIP}',
      logarithmic: true,
    }),
    plot({
      ...spectrum,
      edges: spectrum.edges.map((edge) => Math.log10(edge)),
      xTicks: decadeTicks(-1, 3),
      xTitle: 'energy of a cell {MIP}',
      yTitle: 'cells per shower and bin',
      logarithmic: true,
    }),
    ...distributions.map(distribution),
  ];
  const placed = plots.map(
    (markup, k) => `<g transform="translate(${(k % 3) * width} ${40 + Math.floor(k / 3) * height})">${markup}</g>`,
  );
  const key = (x, kind, label) =>
    line(
      [
        [x, 22],
        [x + 22, 22],
      ],
      `curve ${kind}`,
    ) + text(x + 30, 26, label, { anchor: 'start', kind: 'note' });
  const top = 60 + 2 * height,
    total = top + 2 * (side + 52);
  const label = 'Profiles, distributions and projections of simulated and generated photon showers, 10 to 100 GeV';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${3 * width} ${total}" width="${3 * width}" height="${total}" role="img" aria-label="${label}"><style>${style}</style><rect width="100%" height="100%" fill="#fff"/>${key(60, 'one', 'simulated: Grindhammer–Peters parametrisation')}${key(420, 'two', 'generated')}${text(560, 26, '1,000 photons of 10 to 100 GeV each', { anchor: 'start' })}${placed.join('')}${showerRows(showers, top)}</svg>\n`;
}
