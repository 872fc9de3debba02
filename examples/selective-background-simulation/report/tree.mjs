// A decay forest, roots on the left, one row per final-state particle.
import { nameOf } from './names.mjs';
import { escape, line, picture, text } from './svg.mjs';

const columnWidth = 180,
  rowHeight = 24,
  labelWidth = 152,
  margin = 14;

/** The name as SVG text, with the width it takes {px}. */
function drawName(pdg, x, y) {
  const { base, sub, sup, bar } = nameOf(pdg);
  const raised = sup ? `<tspan dy="${sub ? -10 : -6}" class="small">${escape(sup)}</tspan>` : '';
  const lowered = sub ? `<tspan dy="4" class="small">${escape(sub)}</tspan>` : '';
  const width = 10 * base.length + 7 * (sub.length + sup.length) + 3;
  return {
    markup: text(x, y, `<tspan${bar ? ' class="bar"' : ''}>${escape(base)}</tspan>${lowered}${raised}`, {
      anchor: 'start',
      kind: 'particle',
    }),
    width,
  };
}

function kindOf(pdg, isFinal) {
  if (!isFinal) return 'decaying';
  const code = Math.abs(pdg);
  if (code === 12 || code === 14 || code === 16) return 'invisible';
  return nameOf(pdg).sup.match(/[+−]/) || code === 2212 ? 'charged' : 'neutral';
}

const shortNumber = (value) => (value < 0.0005 ? '0' : value < 0.1 ? value.toFixed(4) : value.toFixed(3));

/**
 * @param event - `pdg`, `mother` (-1 for a root), `mass` {GeV}, `energy` {GeV}, one value per
 *   particle
 */
export function decayTree(title, { pdg, mother, mass, energy }) {
  const daughters = pdg.map(() => []),
    roots = [];
  mother.forEach((of, i) => (of < 0 ? roots : daughters[of]).push(i));
  const depth = [],
    row = [];
  let rows = 0;
  const place = (i, level) => {
    depth[i] = level;
    daughters[i].forEach((daughter) => place(daughter, level + 1));
    const last = daughters[i].length - 1;
    row[i] = last < 0 ? rows++ : (row[daughters[i][0]] + row[daughters[i][last]]) / 2;
  };
  roots.forEach((root) => place(root, 0));
  const toX = (i) => margin + depth[i] * columnWidth,
    toY = (i) => margin + 8 + row[i] * rowHeight;
  const branches = pdg.map((_, i) => {
    if (mother[i] < 0) return '';
    const from = toX(mother[i]) + labelWidth,
      to = toX(i) - 8,
      bend = (from + to) / 2;
    const up = toY(mother[i]),
      down = toY(i);
    return `<path d="M${from} ${up}C${bend} ${up} ${bend} ${down} ${to} ${down}" class="branch"/>`;
  });
  const labels = pdg.map((code, i) => {
    const x = toX(i),
      y = toY(i),
      isFinal = daughters[i].length === 0;
    const name = drawName(code, x + 9, y + 5);
    const figures = `${shortNumber(mass[i])} · ${energy[i].toFixed(2)}`;
    const numbers = text(x + 12 + name.width, y + 4, figures, { anchor: 'start', kind: 'numbers' });
    // A line under the numbers would end in the branches' knot: the branches begin right of the
    // longest label.
    const reach = isFinal
      ? ''
      : line(
          [
            [Math.min(x + 18 + name.width + 6.4 * figures.length, x + labelWidth), y],
            [x + labelWidth, y],
          ],
          'branch',
        );
    return `<circle cx="${x}" cy="${y}" r="4.5" class="dot ${kindOf(code, isFinal)}"/>${name.markup}${numbers}${reach}`;
  });
  const width = margin * 2 + Math.max(0, ...depth) * columnWidth + labelWidth + 10,
    height = margin * 2 + rows * rowHeight;
  return { markup: picture(width, height, title, branches.join('') + labels.join('')), width };
}
