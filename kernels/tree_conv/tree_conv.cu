// CUDA: y = act([parent's | own | daughters' features] [W_parent | W_self | W_daughters]^T + b),
// any number of events in one launch.
//
// One kernel links each node to its first daughter and its next sibling, a warp per event. The
// layer then gathers 64 rows of three parts into shared memory and multiplies them there. Backward
// is the same with mother and daughters exchanged: G = [daughters' dz | own dz | mother's dz] is
// gathered once, dx = G W and dW = G^T x for the stacked weights W [3 Fout, Fin]. Floor: x and y
// once through memory, or 6 N Fin Fout FLOP.
#include "tree_conv/tree_conv.h"

#include "lib/dense/dense.h"
#include "lib/dense/panel.cuh"
#include "tree_conv/tree_conv_call.h"

namespace upsilon {
namespace {

// Rows of the batch, not of the event; -1 where there is none. Only rows inside an event have
// links.
struct Links {
  int32_t *mother, *daughters, *first_daughter, *next_sibling;  // `daughters` is their number
  int32_t* last_daughter;  // while linking
};

struct Tree {
  const int32_t* offsets;
  int64_t events, nodes;
  int32_t normalization;
  Links links;
};

// A warp per event, 32 nodes at a time in ascending order. Of the nodes with one mother the lowest
// is hung behind the last daughter so far, every other one behind the one before it; only one lane
// ever writes for a mother.
template <int threads>
UPS_KERNEL_LB(threads)
link_nodes(const int32_t* fault, Tree tree, const int32_t* mother_in_event) {
  if (*fault != 0) return;
  const Links& links = tree.links;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t warps = global_threads() / 32;
  for (int64_t event = global_thread() / 32; event < tree.events; event += warps) {
    const int32_t begin = tree.offsets[event], end = tree.offsets[event + 1];
    for (int32_t node = begin + lane; node < end; node += 32) {
      links.daughters[node] = 0;
      links.first_daughter[node] = links.last_daughter[node] = links.next_sibling[node] = -1;
    }
    __syncwarp();
    for (int32_t first = begin; first < end; first += 32) {
      const int32_t node = first + lane;
      const int32_t in_event = node < end ? mother_in_event[node] : -1;
      const int32_t mother = in_event < 0 ? -1 : begin + in_event;
      const unsigned siblings = __match_any_sync(full_warp, mother), before = siblings & ((1u << lane) - 1u);
      int32_t last = -1, count = 0;
      if (mother >= 0) last = links.last_daughter[mother], count = links.daughters[mother];
      __syncwarp();
      if (node < end) links.mother[node] = mother;
      if (mother >= 0) {
        const int32_t previous = before ? first + 31 - __clz(static_cast<int>(before)) : last;
        if (previous >= 0) links.next_sibling[previous] = node;
        else links.first_daughter[mother] = node;
        if (siblings >> lane == 1u) {  // the highest
          links.last_daughter[mother] = node;
          links.daughters[mother] = count + __popc(siblings);
        }
      }
      __syncwarp();
    }
  }
}

enum class Direction { forward, backward };

UPS_ON_DEVICE float degree(const Links& links, int32_t node) {
  return static_cast<float>(1 + links.daughters[node] + (links.mother[node] >= 0 ? 1 : 0));
}

// The weight of the term that node `to` receives from `from`; both directions use the forward one.
UPS_ON_DEVICE float edge_weight(const Tree& tree, int32_t to, int32_t from, bool from_daughter) {
  if (tree.normalization == UPS_TREE_NORMALIZATION_SYMMETRIC)
    return 1.0f / sqrtf(degree(tree.links, to) * degree(tree.links, from));
  if (tree.normalization == UPS_TREE_NORMALIZATION_MEAN && from_daughter)
    return 1.0f / static_cast<float>(tree.links.daughters[to]);
  return 1.0f;
}

// One row of three parts, part p beginning at row + p * part_stride; columns from `width` to
// `padded` become 0. `lanes` threads share a row. Forward: mother's, own, daughters' features.
// Backward: the gradients of the terms that the daughters took from this node, of its own, and of
// the one its mother took.
inline constexpr int columns_at_once = 4;

template <Direction direction>
UPS_ON_DEVICE void gather_row(const Tree& tree, const float* values, int64_t width, int64_t padded, int64_t node,
                              int lane, int lanes, float* row, int64_t part_stride) {
  constexpr bool forward = direction == Direction::forward;
  const bool inside =
      node < tree.nodes && tree.events > 0 && node >= tree.offsets[0] && node < tree.offsets[tree.events];
  const int32_t self = static_cast<int32_t>(node);
  const int32_t mother = inside ? tree.links.mother[node] : -1;
  const int32_t first_daughter = inside ? tree.links.first_daughter[node] : -1;
  const float own_weight = inside ? edge_weight(tree, self, self, false) : 0.0f;
  const float mother_weight = mother < 0 ? 0.0f
                              : forward  ? edge_weight(tree, self, mother, false)
                                         : edge_weight(tree, mother, self, true);
  float* const of_mother = row + (forward ? 0 : 2) * part_stride;
  float* const of_self = row + part_stride;
  float* const of_daughters = row + (forward ? 2 : 0) * part_stride;
  for (int64_t first = lane; first < padded; first += columns_at_once * lanes) {
    float sums[columns_at_once] = {};
    for (int32_t daughter = first_daughter; daughter >= 0; daughter = tree.links.next_sibling[daughter]) {
      const float weight = forward ? edge_weight(tree, self, daughter, true) : edge_weight(tree, daughter, self, false);
      UPS_UNROLL
      for (int i = 0; i < columns_at_once; ++i) {
        const int64_t c = first + i * lanes;
        if (c < width) sums[i] += weight * values[daughter * width + c];
      }
    }
    UPS_UNROLL
    for (int i = 0; i < columns_at_once; ++i) {
      const int64_t c = first + i * lanes;
      if (c >= padded) continue;
      of_mother[c] = mother >= 0 && c < width ? mother_weight * values[mother * width + c] : 0.0f;
      of_self[c] = inside && c < width ? own_weight * values[node * width + c] : 0.0f;
      of_daughters[c] = sums[i];
    }
  }
}

// g[nodes, 3 width]
template <int threads, Direction direction>
UPS_KERNEL_LB(threads)
gather(const int32_t* fault, Tree tree, const float* values, int64_t width, int lanes, float* g) {
  if (*fault != 0) return;
  for (int64_t node = global_thread() / lanes; node < tree.nodes; node += global_threads() / lanes)
    gather_row<direction>(tree, values, width, width, node, static_cast<int>(threadIdx.x) % lanes, lanes,
                          g + node * 3 * width, width);
}

struct Layer {
  Tree tree;
  const float* x;
  int64_t inputs, outputs;
  int lanes;
  Operand weights[3];  // parent, self, daughters
  const float* bias;
  float* y;
  int32_t activation;
};

template <class Shape, int precision>
UPS_KERNEL_LB(Shape::threads, panel_blocks)
gather_and_multiply(const int32_t* fault, Layer layer) {
  if (*fault != 0) return;
  using Memory = PanelMemory<Shape, precision>;
  UPS_SHARED(Memory, memory, [1]);
  UPS_SHARED_DYN(float, panel);
  const int64_t part = padded_depth<Shape>(layer.inputs);
  const int64_t stride = panel_stride<precision>(3 * part);
  const int64_t first_node = static_cast<int64_t>(blockIdx.x) * Shape::rows;
  const Tree& tree = layer.tree;
  const int lane = static_cast<int>(threadIdx.x) % layer.lanes;
  for (int row = static_cast<int>(threadIdx.x) / layer.lanes; row < Shape::rows; row += Shape::threads / layer.lanes)
    gather_row<Direction::forward>(tree, layer.x, layer.inputs, part, first_node + row, lane, layer.lanes,
                                   panel + row * stride, part);
  const int64_t first_inside = tree.events > 0 ? tree.offsets[0] : 0;
  const int64_t end_inside = tree.events > 0 ? tree.offsets[tree.events] : 0;
  multiply_panel<Shape, precision>(
      panel, static_cast<int>(stride), layer.weights, layer.inputs, memory[0], [&](int row, int64_t column, float sum) {
        const int64_t node = first_node + row;
        if (node >= tree.nodes || column >= layer.outputs) return;
        const bool inside = node >= first_inside && node < end_inside;
        const float z = layer.bias ? sum + layer.bias[column] : sum;
        layer.y[node * layer.outputs + column] = inside ? activate_value(z, layer.activation) : 0.0f;
      });
}

// The three weights [outputs, inputs] as one matrix: below each other [3 outputs, inputs], or side
// by side [outputs, 3 inputs].
struct Weights {
  const float* part[3];
  int64_t outputs, inputs;
};

template <int threads>
UPS_KERNEL_LB(threads)
stack(const int32_t* fault, Weights weights, bool side_by_side, float* stacked) {
  if (*fault != 0) return;
  const int64_t size = weights.outputs * weights.inputs;
  for (int64_t i = global_thread(); i < 3 * size; i += global_threads()) {
    const int64_t p = i / size, at = i % size;
    const float value = (p == 0 ? weights.part[0] : p == 1 ? weights.part[1] : weights.part[2])[at];
    stacked[side_by_side ? at / weights.inputs * 3 * weights.inputs + p * weights.inputs + at % weights.inputs : i] =
        value;
  }
}

template <int threads>
UPS_KERNEL_LB(threads)
unstack(const int32_t* fault, const float* stacked, int64_t size, float* first, float* second, float* third) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < 3 * size; i += global_threads()) {
    float* const to = i < size ? first : i < 2 * size ? second : third;
    if (to) to[i % size] = stacked[i];
  }
}

Links take_links(WorkspaceLayout& workspace, int64_t nodes) {
  Links links;
  for (int32_t** array :
       {&links.mother, &links.daughters, &links.first_daughter, &links.next_sibling, &links.last_daughter})
    *array = workspace.reserve<int32_t>(nodes);
  return links;
}

template <class Conv>
Tree tree_of(const Conv& f, const Links& links) {
  return {f.offsets, f.events, f.nodes, f.options.normalization, links};
}

bool fits_panel(int64_t inputs) { return panel_bytes(3 * padded_depth<PanelTile>(inputs)) <= max_panel_bytes; }

// The layer itself, given the links. `gathered` and `stacked` are for layers too wide for a panel.
struct LayerScratch {
  float *gathered = nullptr, *stacked = nullptr;
  LayerScratch(WorkspaceLayout& workspace, int64_t nodes, int64_t inputs, int64_t outputs) {
    if (fits_panel(inputs)) return;
    gathered = workspace.reserve<float>(nodes * 3 * inputs);
    stacked = workspace.reserve<float>(outputs * 3 * inputs);
  }
};

template <class Conv>
void layer(Launcher& launch, int32_t precision, const Conv& f, const Tree& tree, const LayerScratch& scratch, float* y,
           int32_t activation) {
  if (f.outputs == 0) return;
  const int lanes = lanes_for(f.inputs);
  if (!fits_panel(f.inputs)) {
    launch.elements(gather<block_threads, Direction::forward>, f.nodes * lanes, tree, f.x, f.inputs, lanes,
                    scratch.gathered);
    launch.elements(stack<block_threads>, 3 * f.outputs * f.inputs,
                    Weights{{f.parent, f.self, f.daughters}, f.outputs, f.inputs}, true, scratch.stacked);
    product_with_weight(launch, precision, scratch.gathered, scratch.stacked, f.bias, y, f.nodes, 3 * f.inputs,
                        f.outputs, activation, {f.offsets, f.offsets + f.events});
    return;
  }
  const auto kernel = precision == UPS_BF16   ? gather_and_multiply<PanelTile, UPS_BF16>
                      : precision == UPS_TF32 ? gather_and_multiply<PanelTile, UPS_TF32>
                                              : gather_and_multiply<PanelTile, UPS_FP32>;
  const auto weight = [&](const float* w) { return operand(w, f.inputs, f.outputs, f.inputs); };
  launch.grid(kernel, ceil_div(f.nodes, PanelTile::rows), 1, PanelTile::threads,
              static_cast<size_t>(panel_bytes(3 * padded_depth<PanelTile>(f.inputs))),
              Layer{tree,
                    f.x,
                    f.inputs,
                    f.outputs,
                    lanes,
                    {weight(f.parent), weight(f.self), weight(f.daughters)},
                    f.bias,
                    y,
                    activation});
}

template <class Conv>
void link(Launcher& launch, const Conv& f, const Tree& tree) {
  launch.elements(link_nodes<block_threads>, f.events * 32, tree, f.mother);
}

struct ForwardScratch {
  Links links;
  LayerScratch layer;
  ForwardScratch(const TreeConvForward<float>& f, WorkspaceLayout& workspace)
      : links(take_links(workspace, f.nodes)), layer(workspace, f.nodes, f.inputs, f.outputs) {}
};

ups_status forward(const Call& call) {
  const TreeConvForward<float> f(call);
  const auto scratch = scratch_of<ForwardScratch>(call, f);
  const Tree tree = tree_of(f, scratch.links);
  Launcher launch(call);
  link(launch, f, tree);
  layer(launch, call.precision, f, tree, scratch.layer, f.y, f.options.activation);
  return launch.status();
}

struct BackwardScratch {
  Links links;
  LayerScratch layer;  // for gelu, which needs z
  float *dz, *gathered, *stacked, *stacked_gradient, *parts;
  BackwardScratch(const TreeConvBackward<float>& f, WorkspaceLayout& workspace)
      : links(take_links(workspace, f.nodes)), layer(workspace, f.nodes, f.inputs, f.outputs) {
    dz = workspace.reserve<float>(f.nodes * f.outputs);
    gathered = workspace.reserve<float>(f.nodes * 3 * f.outputs);
    stacked = workspace.reserve<float>(3 * f.outputs * f.inputs);
    stacked_gradient = workspace.reserve<float>(3 * f.outputs * f.inputs);
    parts = workspace.reserve<float>(
        std::max(transposed_product_floats(f.nodes, 3 * f.outputs, f.inputs), slope_floats(f.nodes, f.outputs)));
  }
};

ups_status backward(const Call& call) {
  const TreeConvBackward<float> f(call);
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  const Tree tree = tree_of(f, scratch.links);
  const bool gelu = f.options.activation == UPS_ACTIVATION_GELU;
  Launcher launch(call);
  link(launch, f, tree);
  if (gelu) layer(launch, call.precision, f, tree, scratch.layer, scratch.dz, UPS_ACTIVATION_NONE);
  slope(launch, gelu ? scratch.dz : f.y, f.dy, scratch.dz, scratch.parts, f.dbias, f.nodes, f.outputs,
        f.options.activation, {f.offsets, f.offsets + f.events});
  const int lanes = lanes_for(f.outputs);
  if (f.outputs > 0)
    launch.elements(gather<block_threads, Direction::backward>, f.nodes * lanes, tree, scratch.dz, f.outputs, lanes,
                    scratch.gathered);
  const int64_t size = f.outputs * f.inputs;
  if (f.dx) {
    launch.elements(stack<block_threads>, 3 * size, Weights{{f.parent, f.self, f.daughters}, f.outputs, f.inputs},
                    false, scratch.stacked);
    product(launch, call.precision, scratch.gathered, scratch.stacked, f.dx, f.nodes, 3 * f.outputs, f.inputs);
  }
  if (f.dself || f.dparent || f.ddaughters) {
    transposed_product(launch, call.precision, scratch.gathered, f.x, scratch.parts, scratch.stacked_gradient, f.nodes,
                       3 * f.outputs, f.inputs);
    launch.elements(unstack<block_threads>, 3 * size, scratch.stacked_gradient, size, f.dparent, f.dself, f.ddaughters);
  }
  return launch.status();
}

// Rows are numbered in 32 bits.
template <class Named>
bool supports(const Call& call) {
  return Named(call).dim("N") <= INT32_MAX;
}

UPS_CUDA_VARIANT(forward, TreeConvForwardCall, forward, workspace_of<TreeConvForward<float>, ForwardScratch>,
                 supports<TreeConvForwardCall>)
UPS_CUDA_VARIANT(backward, TreeConvBackwardCall, backward, workspace_of<TreeConvBackward<float>, BackwardScratch>,
                 supports<TreeConvBackwardCall>)

}  // namespace
}  // namespace upsilon
