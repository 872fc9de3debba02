// A picture of time against size, both logarithmic, as SVG: one curve for each contestant, named
// where it ends.

export interface Curve {
  name: string;
  /** What else to say, under the name. */
  note?: string;
  color: string;
  /** Size and time {ms}. */
  points: (readonly [number, number])[];
  /** Ours is drawn thick. */
  ours?: boolean;
}

export interface LogLog {
  /** What a screen reader says. */
  title: string;
  x: string;
  y: string;
  curves: readonly Curve[];
}

const width = 760,
  height = 460,
  left = 74,
  right = width - 196,
  top = 22,
  bottom = height - 52;
const style = `svg{font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;background:#fff}
text{font-size:12px;fill:#5d6b7a}.title{fill:#16202c}.name{font-size:12.5px;font-weight:600}.note{font-size:11px}
.grid{stroke:#e2e6eb}.axis{stroke:#9aa6b2;fill:none}.curve{fill:none;stroke-width:1.8;stroke-linejoin:round}.ours{stroke-width:3}
.leader{stroke:#9aa6b2;stroke-width:.8;fill:none}`;

const rounded = (value: number): string => String(Number(value.toFixed(1)));

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

interface TextLook {
  anchor?: string;
  look?: string;
  color?: string;
  turn?: boolean;
}

function text(x: number, y: number, content: string, { anchor = 'middle', look = '', color, turn }: TextLook): string {
  const rotate = turn ? ` transform="rotate(-90 ${rounded(x)} ${rounded(y)})"` : '';
  const fill = color ? ` style="fill:${color}"` : '';
  return `<text x="${rounded(x)}" y="${rounded(y)}" text-anchor="${anchor}" class="${look}"${fill}${rotate}>${content}</text>`;
}

function line(points: readonly (readonly [number, number])[], look: string, color?: string): string {
  const stroke = color ? ` style="stroke:${color}"` : '';
  return `<polyline points="${points.map(([x, y]) => `${rounded(x)},${rounded(y)}`).join(' ')}" class="${look}"${stroke}/>`;
}

const power = (exponent: number): string =>
  `10<tspan dy="-5" font-size="9">${String(exponent).replace('-', '−')}</tspan>`;

function timeLabel(exponent: number): string {
  const units: Record<string, string> = {
    '-3': '1 µs',
    '-2': '10 µs',
    '-1': '0.1 ms',
    0: '1 ms',
    1: '10 ms',
    2: '0.1 s',
  };
  return units[exponent] ?? `${(10 ** (exponent - 3)).toLocaleString('en')} s`;
}

/** Moves labels up, or down at the upper end of the room, until neighbours are `apart` pixels. */
function spread(wanted: readonly number[], apart: number, first: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[b] - wanted[a]);
  const found = [...wanted];
  order.forEach((at, k) => {
    if (k > 0) found[at] = Math.min(found[at], found[order[k - 1]] - apart);
  });
  let limit = first;
  for (const at of order.reverse()) {
    found[at] = Math.max(found[at], limit);
    limit = found[at] + apart;
  }
  return found;
}

/** Curves that end at the same size stand together. */
function groupedByEnd(curves: readonly Curve[]): Curve[][] {
  const groups = new Map<number, Curve[]>();
  for (const curve of curves) {
    const end = curve.points.at(-1)![0];
    groups.set(end, [...(groups.get(end) ?? []), curve]);
  }
  return [...groups.values()];
}

export function logLogPicture({ title, x, y, curves }: LogLog): string {
  const all = curves.flatMap((curve) => curve.points);
  const range = (axis: 0 | 1): [number, number] => {
    const logs = all.map((point) => Math.log10(point[axis]));
    return [Math.floor(Math.min(...logs) + 1e-9), Math.ceil(Math.max(...logs) - 1e-9)];
  };
  const [xLow, xHigh] = range(0),
    [yLow, yHigh] = range(1);
  const toX = (value: number): number =>
    left + ((Math.log10(value) - xLow) / Math.max(xHigh - xLow, 1)) * (right - left);
  const toY = (value: number): number =>
    bottom - ((Math.log10(value) - yLow) / Math.max(yHigh - yLow, 1)) * (bottom - top);
  const parts: string[] = [];
  for (let e = xLow; e <= xHigh; ++e) {
    const at = toX(10 ** e);
    parts.push(line([[at, top], [at, bottom]], 'grid'), text(at, bottom + 19, power(e), {})); // prettier-ignore
  }
  for (let e = yLow; e <= yHigh; ++e) {
    const at = toY(10 ** e);
    parts.push(line([[left, at], [right, at]], 'grid'), text(left - 8, at + 4, timeLabel(e), { anchor: 'end' })); // prettier-ignore
  }
  parts.push(line([[left, top], [left, bottom], [right, bottom]], 'axis')); // prettier-ignore
  parts.push(text((left + right) / 2, height - 10, escape(x), { look: 'title' }));
  parts.push(text(16, (top + bottom) / 2, escape(y), { look: 'title', turn: true }));

  for (const together of groupedByEnd(curves)) {
    const ends = together.map(({ points }) => toY(points.at(-1)![1]));
    const places = spread(ends, 34, top);
    together.forEach(({ name, note, color, points, ours }, i) => {
      const drawn = points.map(([size, time]) => [toX(size), toY(time)] as const);
      const [endX, endY] = drawn.at(-1)!;
      if (Math.abs(places[i] - endY) > 4) parts.push(line([[endX + 6, endY], [endX + 14, places[i]]], 'leader')); // prettier-ignore
      parts.push(line(drawn, `curve${ours ? ' ours' : ''}`, color));
      for (const [cx, cy] of drawn)
        parts.push(`<circle cx="${rounded(cx)}" cy="${rounded(cy)}" r="${ours ? 4.2 : 3.2}" fill="${color}"/>`);
      parts.push(text(endX + 17, places[i] + 2, escape(name), { anchor: 'start', look: 'name', color }));
      if (note) parts.push(text(endX + 17, places[i] + 16, escape(note), { anchor: 'start', look: 'note' }));
    });
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}"><style>${style}</style><rect width="100%" height="100%" fill="#fff"/>${parts.join('')}</svg>\n`;
}
