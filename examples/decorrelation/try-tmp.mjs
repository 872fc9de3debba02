import * as ups from 'upsilon-kernels';
import { readCandidates, features, spectators } from '/work/wt/decorrelation-study/examples/decorrelation/candidates.mjs';
import { Tagger, train } from '/work/wt/decorrelation-study/examples/decorrelation/tagger.mjs';
import { measured, shares, jensenShannon } from '/work/wt/decorrelation-study/examples/decorrelation/measures.mjs';
const file = process.argv[2]; const epochs = Number(process.argv[3] ?? 40);
const t0 = performance.now();
const { training, test } = readCandidates(file);
console.log('n', training.signal.length, test.signal.length, training.signal.reduce((a,b)=>a+b,0), (performance.now()-t0).toFixed(0),'ms');
console.log(Array.from(test.x.data.slice(0,17)).map(v=>v.toFixed(2)).join(' '));
const binnings = { mass: {low:0.3,high:4.8,bins:25}, mbc: {low:5.2,high:5.29,bins:25}, deltaE: {low:-0.3,high:0.3,bins:25} };
const bkg = (values) => values.filter((_, i) => !test.signal[i]);
for (const strength of (process.argv[4] ?? '0,1,10').split(',').map(Number)) {
  const t = performance.now();
  const tagger = new Tagger(features.length, 1);
  let last, first; train(tagger, { ...training, variable: training.mass }, { strength, epochs, onEpoch: (m) => { first ??= m; last = m; } });
  const s = tagger.scores(test.x), tr = tagger.scores(training.x);
  const auc = ups.rocAuc(s, test.signal).item(), auct = ups.rocAuc(tr, training.signal).item();
  const out = spectators.map((v) => { const m = measured(s, test.signal, test[v], binnings[v]); 
     const d = ups.distanceCorrelation(bkg(s), bkg(test[v])).item();
     return `${v}: dcor ${d.toFixed(4)} 1/JSD ${(1/m.divergence).toFixed(1)} (pass ${m.pass.length})`; });
  const m = measured(s, test.signal, test.mass, binnings.mass);
  console.log(strength, 'auc', auc.toFixed(4), auct.toFixed(4), 'R50', m.rejection.toFixed(1), out.join('; '), JSON.stringify(first), JSON.stringify(last), (performance.now()-t).toFixed(0),'ms');
}
