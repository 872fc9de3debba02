// What an event costs {HS06 s}: J. Kahn, "Selective background Monte Carlo simulation at Belle II",
// February 2019, the table "Stage, HEP-SPEC06 s/event".
export const stages = {
  'Framework overhead': 0.79,
  'Event generation': 0.11,
  'Detector simulation': 47.23,
  'Event reconstruction': 26.77,
};

/** Spent on every generated event. */
export const always = stages['Framework overhead'] + stages['Event generation'];
/** Spent on those that go on to the detector. */
export const detector = stages['Detector simulation'] + stages['Event reconstruction'];

/**
 * The bill with and without a filter.
 * @param events - how many are generated
 * @param simulated - how many of them go on
 * @param kept - share of the passing events that go on, if known
 */
export function bill(events, simulated, kept) {
  const without = events * (always + detector),
    withFilter = events * always + simulated * detector;
  return {
    without,
    withFilter,
    saved: without - withFilter,
    /** How many times as many passing events the same computing time yields. */
    gain: kept === undefined ? undefined : kept * (without / withFilter),
  };
}
