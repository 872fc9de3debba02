// Compressed rows from lists of edges.
import { wantsGradient } from '../autograd/tape';
import { Kernel } from '../operation/kernel';
import { Operation } from '../operation/operation';
import { cpu } from '../runtime/device';
import { dtypeCode } from '../runtime/dtype';
import { immediately } from '../runtime/queue';
import { tensor } from '../tensor/create';
import { empty, type Tensor } from '../tensor/tensor';

const fromEdges = new Kernel(
  'graph_from_edges',
  { edge_sources: 'sources', edge_targets: 'targets', edge_weights: 'weights', N: 'numNodes' },
  'graph',
);
const lookUp = new Operation('embedding', [], { table: 'weights' }, 'graph');
const int32 = dtypeCode['int32'];

/** Row i lists the sources of the edges that end at node i. @internal */
export interface Rows {
  rowOffsets: Tensor;
  sources: Tensor;
}

/** The rows of a graph, and for each of their edges its place in the list. */
function edgeOrder(
  sources: Tensor,
  targets: Tensor,
  numNodes: number,
): { rowOffsets: Tensor; sources: Tensor; order: Tensor } {
  // Places travel as weights, on the CPU in float64, which holds every one.
  const places = tensor(Float64Array.from({ length: sources.size }, (_, edge) => edge));
  const outputs = [
    empty(int32, [numNodes + 1], cpu, 'graph', 'numNodes'),
    empty(int32, sources.shape, cpu, 'graph', 'sources'),
    empty(places._dtype, places.shape, cpu, 'graph', 'sources'),
  ];
  const [rowOffsets, sorted, order] = immediately(() =>
    fromEdges.run([sources.to('cpu'), targets.to('cpu'), places], undefined, outputs),
  );
  const device = sources.device;
  return {
    rowOffsets: rowOffsets!.to(device),
    sources: sorted!.to(device),
    order: tensor(Int32Array.from(order!.data as Float64Array)).to(device),
  };
}

/** Edges of one row keep their order. @internal */
export function rowsFromEdges(
  sources: Tensor,
  targets: Tensor,
  numNodes: number,
  weights: Tensor | undefined,
): { rowOffsets: Tensor; sources: Tensor; weights: Tensor | undefined } {
  const device = sources._device;
  if (weights && wantsGradient([weights])) {
    // Taken by index instead, so that the gradient finds its way back to the given order.
    const { rowOffsets, sources: sorted, order } = edgeOrder(sources, targets, numNodes);
    const taken = lookUp.run([order, weights.reshape([weights.size, 1]), undefined]).reshape([weights.size]);
    return { rowOffsets, sources: sorted, weights: taken };
  }
  const outputs = [
    empty(int32, [numNodes + 1], device, 'graph', 'numNodes'),
    empty(int32, [sources.size], device, 'graph', 'sources'),
    weights && empty(weights._dtype, weights.shape, device, 'graph', 'weights'),
  ];
  const [rowOffsets, sorted, sortedWeights] = fromEdges.run([sources, targets, weights], undefined, outputs, [
    true,
    true,
    weights !== undefined,
  ]);
  return { rowOffsets: rowOffsets!, sources: sorted!, weights: sortedWeights };
}
