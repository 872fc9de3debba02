// The peers' dense layer beside ours, for the suites that measure something else than its speed
// with it.
import type { Bench, Row } from '../bench';
import type { Tensor } from '../library';
import type { Contestant } from '../measure';

/** Contestants that compute x weight^T; why some are left out goes into the row's notes. */
export async function linearPeers(
  bench: Bench,
  row: Row,
  x: Tensor,
  weight: Tensor,
  expected: Tensor,
): Promise<Contestant[]> {
  if (!bench.peers) return [];
  const found = await bench.peers.open({
    operation: 'linear_forward',
    both: false,
    dims: { rows: x.shape[0], K: x.shape[1], M: weight.shape[0] },
    options: { activation: 'none' },
    inputs: { x, weight },
    expected: { y: expected },
    outputs: ['y'],
    absent: ['bias'],
  });
  row.notes.push(...found.notes);
  return found.contestants;
}
