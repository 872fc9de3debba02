import { columnOf, particlesOf } from './columns.mjs';

/** Larger trees cannot be read on a page. */
const mostParticles = 48;

/** One event's particles as the network sees them. */
function particlesIn(batch, event, filter, ups) {
  const { particles } = particlesOf(batch.slice(event, event + 1), filter, ups);
  const column = (name) => {
    const list = ups.ragged(particles[name], { name });
    return Array.from(list.values.data.subarray(list.offsets.data[0], list.offsets.data[1]), Number);
  };
  const [mother, status] = [column('mother'), particles.status && column('status')];
  const { required, rejected } = filter.selection;
  const kept = [...mother.keys()].filter(
    (i) => !status || ((status[i] & required) === required && (status[i] & rejected) === 0),
  );
  const place = new Map(kept.map((i, at) => [i, at]));
  const ancestor = (i) => {
    let of = mother[i];
    while (of >= 0 && !place.has(of)) of = mother[of];
    return of < 0 ? -1 : place.get(of);
  };
  const pick = (name) => {
    const values = column(name);
    return kept.map((i) => values[i]);
  };
  const [energy, px, py, pz] = ['energy', 'px', 'py', 'pz'].map(pick);
  const mass = columnOf(batch, 'mass')
    ? pick('mass')
    : energy.map((e, i) => Math.sqrt(Math.max(0, e ** 2 - px[i] ** 2 - py[i] ** 2 - pz[i] ** 2)));
  return { pdg: pick('pdg'), mother: kept.map(ancestor), mass, energy };
}

/**
 * Of the events with the highest scores (and the label, if there is one), the first that fits on a
 * page.
 */
export function treeToDraw(table, filter, run, ups) {
  const { scores, passes } = run;
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
  const liked = [...order.filter((event) => passes?.[event]), ...order].slice(0, 50);
  for (const event of liked) {
    let within = event;
    const batch = table.batches.find(({ numRows }) => within < numRows || ((within -= numRows), false));
    const particles = particlesIn(batch, within, filter, ups);
    const count = particles.pdg.length;
    if (count > 0 && count <= mostParticles)
      return { event, score: scores[event], passes: passes && Boolean(passes[event]), particles };
  }
  return undefined;
}
