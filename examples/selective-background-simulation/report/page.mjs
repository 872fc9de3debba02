// The report: one HTML file that needs nothing else.
import { always, bill, detector, stages } from '../cost.mjs';
import { rocCurves, scoreAxis, scoreDistribution, thresholdChoice } from './charts.mjs';
import { style } from './style.mjs';
import { escape } from './svg.mjs';
import { decayTree } from './tree.mjs';

const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const grouped = (number) => Math.round(number).toLocaleString('en');
const talk = 'J. Kahn, “Selective background Monte Carlo simulation at Belle II”, February 2019';

function legend(entries) {
  return `<div class="legend">${entries.map(({ kind, name }) => `<span><i class="${kind}"></i>${escape(name)}</span>`).join('')}</div>`;
}

function card(title, caption, body) {
  return `<section class="card"><h2>${title}</h2><p class="caption">${caption}</p>${body}</section>`;
}

function table(head, rows) {
  const cells = (tag, row) => `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>${head ? `<thead>${cells('th', head)}</thead>` : ''}<tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table>`;
}

function tiles(run, cost) {
  const entries = [
    [grouped(run.scores.length), `events, ${grouped(run.particles)} particles`],
    [percent(run.simulated), 'would be simulated'],
    run.kept === undefined ? undefined : [percent(run.kept), 'of the passing events kept'],
    run.curves[0] && [run.curves[0].area.toFixed(3), `AUC, ± ${run.curves[0].error.toFixed(3)}`],
    [percent(cost.saved / cost.without), 'of the computing time saved'],
    [grouped(run.scores.length / run.networkSeconds), 'events/s through the network'],
  ];
  return `<div class="tiles">${entries
    .filter(Boolean)
    .map(([value, label]) => `<div class="tile"><b>${value}</b><span>${label}</span></div>`)
    .join('')}</div>`;
}

function plots(run) {
  const axis = scoreAxis(run.scores);
  const all = { name: `all, ${grouped(run.scores.length)}`, kind: 'all', scores: run.scores };
  const byLabel = run.passes
    ? [
        { name: `pass the skim, ${grouped(run.ofLabel.pass.length)}`, kind: 'one', scores: run.ofLabel.pass },
        { name: `fail, ${grouped(run.ofLabel.fail.length)}`, kind: 'two', scores: run.ofLabel.fail },
      ].filter(({ scores }) => scores.length > 0)
    : [all];
  const cards = [
    card(
      'Scores',
      run.passes ? 'Every class is normalised to its own number of events.' : 'The file has no labels.',
      legend(byLabel) + scoreDistribution('Distribution of passProbability', byLabel, axis, run.threshold),
    ),
  ];
  if (run.processes.length > 1) {
    cards.push(
      card(
        'Scores by process',
        'What the network thinks of continuum and of BB̅ events.',
        legend(run.processes.map(({ name, kind, scores }) => ({ kind, name: `${name}, ${grouped(scores.length)}` }))) +
          scoreDistribution('Distribution of passProbability by process', run.processes, axis, run.threshold),
      ),
    );
  }
  if (run.curves.length > 0) {
    const entries = run.curves.map(({ name, kind, area, error }) => ({
      kind,
      name: `${name} ${area.toFixed(3)} ± ${error.toFixed(3)}`,
    }));
    cards.push(
      card(
        'ROC',
        'Areas under the curves, with their statistical errors.',
        legend(entries) + rocCurves('ROC curves', run.curves, [run.failingSimulated, run.kept]),
      ),
    );
  }
  const groups = run.passes ? [...byLabel.slice(0, 1), all] : [all];
  cards.push(
    card(
      'Choice of the threshold',
      'What is above it goes on to detector simulation and reconstruction.',
      legend(groups) + thresholdChoice('Shares of events above a threshold', groups, axis, run.threshold),
    ),
  );
  return `<div class="plots">${cards.join('')}</div>`;
}

function treeCard({ event, score, passes, particles }) {
  const drawn = decayTree(`Decay tree of event ${event}`, particles);
  const kinds = [
    ['charged', 'charged, stable'],
    ['neutral', 'neutral, stable'],
    ['invisible', 'neutrino'],
    ['decaying', 'decays'],
  ];
  const caption =
    `Event ${grouped(event)}, passProbability ${score.toPrecision(3)}${passes === undefined ? '' : passes ? '; it passes the skim' : '; it fails the skim'}. ` +
    'Numbers are mass · energy in the laboratory {GeV}; only particles that the network sees.';
  const key = `<div class="legend">${kinds.map(([kind, name]) => `<span><i class="dot ${kind}"></i>${name}</span>`).join('')}</div>`;
  return card(
    'One decay tree',
    caption,
    `${key}<div class="scroll"><div style="min-width:${Math.round(drawn.width * 0.86)}px">${drawn.markup}</div></div>`,
  );
}

function tables(run, cost) {
  const share = (count, of) => `${grouped(count)} <span class="lead">(${percent(count / of)})</span>`;
  const figures = [
    ['events', grouped(run.scores.length)],
    ['particles that the network saw', grouped(run.particles)],
    ['threshold', run.threshold.toPrecision(3)],
    ['would be simulated', share(run.simulated * run.scores.length, run.scores.length)],
    ...(run.passes
      ? [
          ['pass the skim', share(run.ofLabel.pass.length, run.scores.length)],
          [
            'passing events kept',
            run.kept === undefined ? '–' : share(run.kept * run.ofLabel.pass.length, run.ofLabel.pass.length),
          ],
        ]
      : []),
    ['events/s, network alone', grouped(run.scores.length / run.networkSeconds)],
    ['events/s, file to scores', grouped(run.scores.length / run.seconds)],
    ['device', escape(run.device)],
  ];
  const kiloOrNot = (value) => (value >= 1e7 ? `${grouped(value / 1000)} k` : grouped(value));
  const costs = [
    [
      'framework and generation',
      always.toFixed(2),
      kiloOrNot(run.scores.length * always),
      kiloOrNot(run.scores.length * always),
    ],
    [
      'detector simulation',
      stages['Detector simulation'].toFixed(2),
      kiloOrNot(run.scores.length * stages['Detector simulation']),
      kiloOrNot(run.simulated * run.scores.length * stages['Detector simulation']),
    ],
    [
      'reconstruction',
      stages['Event reconstruction'].toFixed(2),
      kiloOrNot(run.scores.length * stages['Event reconstruction']),
      kiloOrNot(run.simulated * run.scores.length * stages['Event reconstruction']),
    ],
    [
      '<b>together</b>',
      `<b>${(always + detector).toFixed(2)}</b>`,
      `<b>${kiloOrNot(cost.without)}</b>`,
      `<b>${kiloOrNot(cost.withFilter)}</b>`,
    ],
  ];
  const gain =
    cost.gain === undefined
      ? ''
      : ` The same computing time yields ${cost.gain.toFixed(1)} times as many events that pass.`;
  return (
    `<div class="tables">${card('Figures', escape(run.file), table(undefined, figures))}` +
    `${card('Computing time {HS06·s}', `Per event after ${talk}.${gain}`, table(['', 'per event', 'without filter', 'with filter'], costs))}</div>`
  );
}

const script = `
const button=document.querySelector('button'),root=document.documentElement;
button.onclick=()=>{const dark=root.dataset.theme?root.dataset.theme==='dark':matchMedia('(prefers-color-scheme:dark)').matches;root.dataset.theme=dark?'light':'dark'};
`;

/** @param run - what demo.mjs gathered */
export function page(run) {
  const cost = bill(run.scores.length, run.simulated * run.scores.length, run.kept);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Selective background simulation</title><style>${style}</style></head><body><main>
<header><div><h1>Which events are worth simulating?</h1>
<p class="lead">A graph network reads the decay trees of generated events and says how probably each will pass the skim, before ${detector.toFixed(0)} HS06·s are spent on its detector simulation and reconstruction.</p></div>
<button type="button">light / dark</button></header>
${tiles(run, cost)}
${plots(run)}
${run.tree ? treeCard(run.tree) : ''}
${tables(run, cost)}
<footer>${escape(run.madeBy)}. The idea, its costs and the first networks: ${talk}.</footer>
</main><script>${script}</script></body></html>
`;
}
