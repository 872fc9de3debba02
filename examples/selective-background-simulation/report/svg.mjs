// The few shapes that the report draws. Colours are classes: the page's style decides, in light and
// in dark.

/** Text of a file may hold anything: it must not become markup. */
export function escape(text) {
  return String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const rounded = (number) => Number(number.toFixed(2));

/** A picture that scales with the page and says what it shows. */
export function picture(width, height, title, body) {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">${body}</svg>`;
}

export function text(x, y, content, { anchor = 'middle', kind = 'label', rotate = false } = {}) {
  const turn = rotate ? ` transform="rotate(-90 ${rounded(x)} ${rounded(y)})"` : '';
  return `<text x="${rounded(x)}" y="${rounded(y)}" text-anchor="${anchor}" class="${kind}"${turn}>${content}</text>`;
}

export function line(points, kind) {
  return `<polyline points="${points.map(([x, y]) => `${rounded(x)},${rounded(y)}`).join(' ')}" class="${kind}"/>`;
}

export function area(points, kind) {
  return `<polygon points="${points.map(([x, y]) => `${rounded(x)},${rounded(y)}`).join(' ')}" class="${kind}"/>`;
}

/**
 * Axes and grid around a plot.
 * @param x, y - `{ low, high, ticks: [value, label][], title }`
 * @returns the frame's markup and the functions from values to places
 */
export function frame(width, height, x, y) {
  const left = 58,
    right = width - 26,
    top = 14,
    bottom = height - 48;
  const toX = (value) => left + ((value - x.low) / (x.high - x.low)) * (right - left);
  const toY = (value) => bottom - ((value - y.low) / (y.high - y.low)) * (bottom - top);
  const parts = [
    ...x.ticks.map(
      ([value, label]) =>
        line(
          [
            [toX(value), top],
            [toX(value), bottom],
          ],
          'grid',
        ) + text(toX(value), bottom + 18, label),
    ),
    ...y.ticks.map(
      ([value, label]) =>
        line(
          [
            [left, toY(value)],
            [right, toY(value)],
          ],
          'grid',
        ) + text(left - 8, toY(value) + 4, label, { anchor: 'end' }),
    ),
    line(
      [
        [left, top],
        [left, bottom],
        [right, bottom],
      ],
      'axis',
    ),
    text((left + right) / 2, height - 8, x.title, { kind: 'title' }),
    text(14, (top + bottom) / 2, y.title, { kind: 'title', rotate: true }),
  ];
  return { markup: parts.join(''), toX, toY, left, right, top, bottom };
}

/** Ticks at decades: 10⁻³, 10⁻², 0.1, 1. The lowest says that everything below is in its bin. */
export function decades(low, high, isCut) {
  const powers = { 0: '1', '-1': '0.1' };
  const ticks = [];
  for (let power = Math.ceil(low); power <= high; ++power) {
    const label = powers[power] ?? `10<tspan dy="-5" font-size="9">${String(power).replace('-', '−')}</tspan>`;
    ticks.push([power, isCut && power === low ? `≤ ${label}` : label]);
  }
  return ticks;
}

/** Round numbers from 0 to `high`, four to six of them. */
export function percentTicks(high) {
  const step = [0.01, 0.02, 0.05, 0.1, 0.2].find((candidate) => high / candidate <= 6) ?? 0.25;
  const ticks = [];
  for (let value = 0; value <= high + 1e-9; value += step) ticks.push([value, `${Math.round(value * 100)} %`]);
  return ticks;
}
