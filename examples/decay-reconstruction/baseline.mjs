// What one would do without a network: try every combination of particles, and keep the one whose
// masses fit best.
import { mass, massOf, sumOf } from './events.mjs';

/**
 * Widths of the masses, of energy difference and beam-constrained mass {GeV}, as the bundled events
 * have them.
 */
const width = { pi0: 0.004, D: 0.011, deltaE: 0.022, mbc: 0.003 };
const window = 0.02;

/**
 * The combination K pi gamma gamma + pi of an event with the least chi squared.
 * @param beamEnergy - half the energy of the collision: the B must have it too; undefined to ask
 *   for the masses of pi0 and D alone, and take the fastest pion of the right charge as the
 *   bachelor
 * @returns `[B, D, pi0]`, each the numbers of its particles; undefined where nothing fits
 */
export function bestCombination({ particles }, beamEnergy) {
  const numbered = particles.map((particle, i) => ({ ...particle, i }));
  const tracks = numbered.filter(({ charge }) => charge !== 0),
    photons = numbered.filter(({ charge }) => charge === 0);
  const pions = photons.flatMap((a, k) =>
    photons.slice(k + 1).flatMap((b) => {
      const p = sumOf([a.p, b.p]);
      const off = massOf(p) - mass.pi0;
      return Math.abs(off) < window ? [{ p, members: [a.i, b.i], chi2: (off / width.pi0) ** 2 }] : [];
    }),
  );
  let best;
  for (const kaon of tracks.filter((track) => track.kaon > 0.5))
    for (const pion of tracks.filter((track) => track.kaon < 0.5 && track.charge === -kaon.charge))
      for (const pi0 of pions) {
        const D = sumOf([kaon.p, pion.p, pi0.p]);
        const masses = pi0.chi2 + ((massOf(D) - mass.D) / width.D) ** 2;
        for (const bachelor of tracks.filter((track) => track.charge === kaon.charge && track !== kaon)) {
          const [energy, ...p] = sumOf([D, bachelor.p]);
          const fit =
            beamEnergy === undefined
              ? -Math.hypot(...bachelor.p) * 1e-6
              : ((energy - beamEnergy) / width.deltaE) ** 2 +
                ((Math.sqrt(Math.max(beamEnergy ** 2 - Math.hypot(...p) ** 2, 0)) - mass.B) / width.mbc) ** 2;
          if (best && best.chi2 <= masses + fit) continue;
          const members = [kaon.i, pion.i, ...pi0.members];
          best = { chi2: masses + fit, found: [[...members, bachelor.i], members, pi0.members] };
        }
      }
  return best?.found;
}
