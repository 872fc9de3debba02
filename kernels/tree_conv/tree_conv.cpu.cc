// SIMD. Only mothers have daughters to sum, and all daughters of a mother share its parent term. So
// W_parent and W_daughters are applied to the mothers' rows alone (about a third of the nodes of a
// decay tree) and not to every node:
//   y = x W_self^T + b for all nodes;
//   P = x_m W_parent^T and Q = (sum of m's daughters) W_daughters^T for mothers m;
//   then y_i += P of i's mother, y_m += Q_m.
// Events are worked on in batches whose rows stay in cache; an event larger than a batch uses room
// in the workspace. With symmetric normalisation, 1/sqrt(d_i d_j) is applied as one factor to the
// rows going in and one to those coming out.
#include "tree_conv/tree_conv.h"
#include "tree_conv/tree_conv_call.h"

#define UPS_SIMD_SOURCE "tree_conv/tree_conv.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/matmul.simd.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/rows.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t batch_nodes = chunk_rows;  // nodes of a batch; also of a task, which owns the events that begin in it

inline void scale_row(float* to, const float* from, float factor, int64_t count) {
  each_vector(
      count, [&](int64_t c, int64_t here) { store_some(to + c, broadcast(factor) * load_some(from + c, here), here); });
}

// Scratch for a batch of up to `nodes` nodes. Rows called x have Fin numbers, rows called y have
// Fout.
struct BatchScratch {
  int32_t *daughters, *slot;  // per node: how many daughters; the node's place among the mothers of its batch, or -1
  float* scale;  // per node: d^-1/2 (symmetric)
  float *x, *mothers_x, *daughters_x;  // scaled rows; rows of the mothers; sums over the daughters of each mother
  float *mothers_y, *daughters_y;  // products of the two, or gradients of them
  float* dz;

  BatchScratch(int64_t nodes, int64_t inputs, int64_t outputs, bool backward, WorkspaceLayout& workspace)
      : daughters(workspace.reserve<int32_t>(nodes)), slot(workspace.reserve<int32_t>(nodes)),
        scale(workspace.reserve<float>(nodes)), x(workspace.reserve<float>(nodes * inputs)),
        mothers_x(workspace.reserve<float>(nodes * inputs)), daughters_x(workspace.reserve<float>(nodes * inputs)),
        mothers_y(workspace.reserve<float>(nodes * outputs)), daughters_y(workspace.reserve<float>(nodes * outputs)),
        dz(workspace.reserve<float>(backward ? nodes * outputs : 0)) {}
};

// The workspace: packed weights, one scratch a worker, and one for events larger than a batch. The
// last is as large as all nodes together and each event takes the room at its own place in it, so
// nothing has to be counted first; memory that no event touches is never made real by the operating
// system.
struct Scratch {
  static constexpr int weights = 3;  // self, parent, daughters
  float *packed[weights], *packed_gradient[weights];
  char *workers, *large;
  int64_t worker_bytes, inputs, outputs;
  bool backward;

  Scratch(const TreeConvForward<float>& f, int32_t workers_, WorkspaceLayout& workspace)
      : Scratch(f, false, workers_, workspace) {}
  Scratch(const TreeConvBackward<float>& f, int32_t workers_, WorkspaceLayout& workspace)
      : Scratch(f, true, workers_, workspace) {}

  template <class Tree>
  Scratch(const Tree& f, bool backward_, int32_t workers_, WorkspaceLayout& workspace)
      : inputs(f.inputs), outputs(f.outputs), backward(backward_) {
    for (float*& p : packed) p = workspace.reserve<float>(packed_size(inputs, outputs));
    for (float*& p : packed_gradient) p = workspace.reserve<float>(backward ? packed_size(outputs, inputs) : 0);
    WorkspaceLayout one(nullptr);
    (void)BatchScratch(batch_nodes, inputs, outputs, backward, one);
    worker_bytes = static_cast<int64_t>(one.bytes());
    workers = workspace.reserve<char>(worker_bytes * workers_);
    large = workspace.reserve<char>(large_bytes(f.nodes));
  }

  // Room for events of `nodes` nodes that begin at node `first` of the batch: pieces are rounded up
  // to 64 bytes.
  int64_t row_bytes() const { return 4 * (3 + 3 * inputs + (backward ? 3 : 2) * outputs); }
  static constexpr int64_t rounding = 16 * 64;
  int64_t large_bytes(int64_t nodes) const { return nodes * row_bytes() + (nodes / batch_nodes + 1) * rounding; }
  BatchScratch batch(int64_t first, int64_t nodes, int32_t worker) const {
    char* room = nodes <= batch_nodes ? workers + worker * worker_bytes
                                      : large + round_up(first * row_bytes() + first / batch_nodes * rounding, 64);
    WorkspaceLayout workspace(room);
    return BatchScratch(nodes, inputs, outputs, backward, workspace);
  }
};

// Calls body(first event, end event) for batches of whole events; `task` owns the events that begin
// in its nodes.
template <class Tree, class Body>
void each_batch(const Tree& f, int64_t task, Body&& body) {
  const auto first_from = [&](int64_t node) {
    return std::lower_bound(f.offsets, f.offsets + f.events, static_cast<int32_t>(node)) - f.offsets;
  };
  int64_t event = first_from(task * batch_nodes);
  const int64_t end = first_from(std::min((task + 1) * batch_nodes, f.nodes + 1));
  while (event < end) {
    int64_t next = event + 1;
    while (next < end && f.offsets[next + 1] - f.offsets[event] <= batch_nodes) ++next;
    body(event, next);
    event = next;
  }
}
template <class Tree>
int64_t task_count(const Tree& f) {
  return f.nodes / batch_nodes + 1;  // empty events may begin at the very end
}

// One batch: its nodes, counted from the first one, and its family relations.
template <class Tree>
struct Batch {
  const Tree& f;
  int64_t first_event, end_event, first, nodes;
  BatchScratch scratch;
  int64_t mothers = 0;

  Batch(const Tree& tree, const Scratch& all, int64_t first_event_, int64_t end_event_, int32_t worker)
      : f(tree), first_event(first_event_), end_event(end_event_), first(tree.offsets[first_event_]),
        nodes(tree.offsets[end_event_] - tree.offsets[first_event_]), scratch(all.batch(first, nodes, worker)) {
    clear(scratch.daughters, nodes);
    each_daughter([&](int64_t, int64_t mother) { ++scratch.daughters[mother]; });
    for (int64_t i = 0; i < nodes; ++i) scratch.slot[i] = scratch.daughters[i] ? static_cast<int32_t>(mothers++) : -1;
    if (symmetric())
      for (int64_t i = 0; i < nodes; ++i)
        scratch.scale[i] = 1.0f / std::sqrt(static_cast<float>(1 + scratch.daughters[i] + (f.mother[first + i] >= 0)));
  }

  bool symmetric() const { return f.options.normalization == UPS_TREE_NORMALIZATION_SYMMETRIC; }
  bool mean() const { return f.options.normalization == UPS_TREE_NORMALIZATION_MEAN; }

  // visit(node, its mother), both counted from the first node of the batch, for every node that has
  // a mother.
  template <class Visit>
  void each_daughter(Visit&& visit) const {
    for (int64_t event = first_event; event < end_event; ++event) {
      const int64_t begin = f.offsets[event] - first, end = f.offsets[event + 1] - first;
      for (int64_t i = begin; i < end; ++i)
        if (const int32_t mother = f.mother[first + i]; mother >= 0) visit(i, begin + mother);
    }
  }

  // Rows of x with the factor of the symmetric normalisation; x itself otherwise.
  const float* scaled(const float* rows, int64_t features, float* room) const {
    if (!symmetric()) return rows;
    for (int64_t i = 0; i < nodes; ++i) scale_row(room + i * features, rows + i * features, scratch.scale[i], features);
    return room;
  }
  // The mothers' rows side by side.
  void gather_mothers(const float* rows, int64_t features, float* to) const {
    for (int64_t i = 0; i < nodes; ++i)
      if (scratch.slot[i] >= 0) copy_row(rows + i * features, features, to + scratch.slot[i] * features);
  }
  // For every mother the sum of its daughters' rows, in the order of the nodes.
  void sum_daughters(const float* rows, int64_t features, float* to) const {
    clear(to, mothers * features);
    each_daughter([&](int64_t i, int64_t mother) {
      add_row(rows + i * features, features, to + scratch.slot[mother] * features);
    });
  }
  void divide_by_daughters(float* rows, int64_t features) const {
    for (int64_t i = 0; i < nodes; ++i)
      if (const int32_t slot = scratch.slot[i]; slot >= 0)
        scale_row(rows + slot * features, rows + slot * features, 1.0f / static_cast<float>(scratch.daughters[i]),
                  features);
  }
  // rows of y += what belongs to the node's mother, and what belongs to the node as a mother.
  void spread(const float* of_mother, const float* as_mother, int64_t features, float* y) const {
    each_daughter([&](int64_t i, int64_t mother) {
      add_row(of_mother + scratch.slot[mother] * features, features, y + i * features);
    });
    for (int64_t i = 0; i < nodes; ++i)
      if (scratch.slot[i] >= 0) add_row(as_mother + scratch.slot[i] * features, features, y + i * features);
  }

  // Prepares the rows that the three weights are applied to; returns those of W_self.
  const float* prepare() const {
    const float* x = scaled(f.x + first * f.inputs, f.inputs, scratch.x);
    gather_mothers(x, f.inputs, scratch.mothers_x);
    sum_daughters(x, f.inputs, scratch.daughters_x);
    if (mean()) divide_by_daughters(scratch.daughters_x, f.inputs);
    return x;
  }

  // y = act(z) of the batch's nodes.
  void convolve(const Scratch& all, const float* x, int32_t activation, float* y) const {
    const int64_t in = f.inputs, out = f.outputs;
    const float* bias = symmetric() ? nullptr : f.bias;
    multiply(Order::rows, x, in, nodes, all.packed[0], in, out, y, out, {bias});
    multiply(Order::rows, scratch.mothers_x, in, mothers, all.packed[1], in, out, scratch.mothers_y, out, {});
    multiply(Order::rows, scratch.daughters_x, in, mothers, all.packed[2], in, out, scratch.daughters_y, out, {});
    spread(scratch.mothers_y, scratch.daughters_y, out, y);
    const bool relu = activation == UPS_ACTIVATION_RELU;
    for (int64_t i = 0; i < nodes && (symmetric() || relu); ++i) {
      if (symmetric()) scale_row(y + i * out, y + i * out, scratch.scale[i], out);
      finish_row(y + i * out, symmetric() ? f.bias : nullptr, out, relu);
    }
    activate_rows(y, nodes * out, activation);
  }
};

// Rows outside every event are 0.
template <class Tree>
void clear_outside(const Tree& f, float* rows, int64_t features) {
  const int64_t begin = f.events ? f.offsets[0] : 0, end = f.events ? f.offsets[f.events] : 0;
  clear(rows, begin * features);
  clear(rows + end * features, (f.nodes - end) * features);
}

template <class Tree>
void pack_weights(Threads& threads, const Tree& f, const Scratch& all) {
  pack_weight(threads, f.self, f.inputs, f.outputs, all.packed[0]);
  pack_weight(threads, f.parent, f.inputs, f.outputs, all.packed[1]);
  pack_weight(threads, f.daughters, f.inputs, f.outputs, all.packed[2]);
}

ups_status forward(const Call& call) {
  const TreeConvForward<float> f(call);
  const auto all = scratch_of<Scratch>(call, f);
  pack_weights(*call.threads, f, all);
  clear_outside(f, f.y, f.outputs);
  call.threads->run(task_count(f), [&](int64_t task, int32_t worker) {
    each_batch(f, task, [&](int64_t event, int64_t end) {
      const Batch<TreeConvForward<float>> batch(f, all, event, end, worker);
      batch.convolve(all, batch.prepare(), f.options.activation, f.y + batch.first * f.outputs);
    });
  });
  return UPS_OK;
}

struct BackwardScratch {
  Scratch all;
  GroupSums sums;  // dself, dparent, ddaughters, dbias
  float* packed_x;  // per worker
  int64_t packed_x_floats;

  BackwardScratch(const TreeConvBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : all(f, workers, workspace), sums(f.nodes / batch_nodes + 1, 3 * f.inputs * f.outputs + f.outputs, workspace),
        packed_x_floats(packed_rows_size(batch_nodes, f.inputs)) {
    packed_x = workspace.reserve<float>(packed_x_floats * workers);
  }
};

// The transposed picture: a mother collects dz of its daughters for W_parent, a daughter gets its
// mother's dz for W_daughters. With e the rows of dz (scaled), U_m the sum over daughters of e_d
// and V_m = e_m:
//   dW_self = e^T x, dW_parent = U^T x_m, dW_daughters = V^T (sum or mean of the daughters' x)
//   dx_i = W_self^T e_i + [i is a mother] W_parent^T U_i + W_daughters^T V_mother(i),
// the last term divided by the number of daughters for the mean.
ups_status backward(const Call& call) {
  const TreeConvBackward<float> f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<BackwardScratch>(call, f);
  const Scratch& all = scratch.all;
  const int64_t in = f.inputs, out = f.outputs, weight = in * out;
  const int32_t activation = f.options.activation;
  if (activation == UPS_ACTIVATION_GELU) pack_weights(threads, f, all);
  if (f.dx) {
    pack_weight_for_gradient(threads, f.self, out, in, all.packed_gradient[0]);
    pack_weight_for_gradient(threads, f.parent, out, in, all.packed_gradient[1]);
    pack_weight_for_gradient(threads, f.daughters, out, in, all.packed_gradient[2]);
    clear_outside(f, f.dx, in);
  }
  scratch.sums.run(threads, [&](int64_t task, float* sum, int32_t worker) {
    float* packed_x = scratch.packed_x + worker * scratch.packed_x_floats;
    // Weight gradients of a batch larger than the packing room are added piece by piece.
    const auto add_gradient = [&](const float* e, const float* x, int64_t rows, float* dweight, Ahead ahead = {}) {
      for (int64_t r = 0; r < rows; r += batch_nodes)
        add_weight_gradient(e + r * out, out, x + r * in, in, std::min(batch_nodes, rows - r), packed_x, dweight,
                            ahead);
    };
    each_batch(f, task, [&](int64_t event, int64_t end) {
      const Batch<TreeConvBackward<float>> batch(f, all, event, end, worker);
      const BatchScratch& s = batch.scratch;
      const float* x = batch.prepare();
      const float* dz = f.dy + batch.first * out;
      if (activation != UPS_ACTIVATION_NONE) {
        if (activation == UPS_ACTIVATION_GELU) batch.convolve(all, x, UPS_ACTIVATION_NONE, s.dz);
        slope_rows(f.y + batch.first * out, dz, s.dz, batch.nodes * out, activation);
        dz = s.dz;
      }
      if (f.dbias) add_rows(dz, out, batch.nodes, out, sum + 3 * weight);
      const float* e = batch.scaled(dz, out, s.dz);
      float *u = s.daughters_y, *v = s.mothers_y;
      batch.sum_daughters(e, out, u);
      batch.gather_mothers(e, out, v);
      const int64_t next = batch.first + batch.nodes, next_nodes = std::min(batch_nodes, f.nodes - next);
      if (f.dself)  // meanwhile the rows of the next batch are fetched
        add_gradient(e, x, batch.nodes, sum,
                     {{f.x + next * in, f.dy + next * out, f.y + next * out},
                      {next_nodes * in, next_nodes * out, next_nodes * out}});
      if (f.dparent) add_gradient(u, s.mothers_x, batch.mothers, sum + weight);
      if (f.ddaughters) add_gradient(v, s.daughters_x, batch.mothers, sum + 2 * weight);
      if (!f.dx) return;
      if (batch.mean()) batch.divide_by_daughters(v, out);
      float* dx = f.dx + batch.first * in;
      multiply(Order::rows, e, out, batch.nodes, all.packed_gradient[0], out, in, dx, in, {});
      multiply(Order::rows, u, out, batch.mothers, all.packed_gradient[1], out, in, s.mothers_x, in, {});
      multiply(Order::rows, v, out, batch.mothers, all.packed_gradient[2], out, in, s.daughters_x, in, {});
      batch.spread(s.daughters_x, s.mothers_x, in, dx);
      if (batch.symmetric())
        for (int64_t i = 0; i < batch.nodes; ++i) scale_row(dx + i * in, dx + i * in, s.scale[i], in);
    });
  });
  if (f.dself) scratch.sums.total(threads, 0, weight, f.dself);
  if (f.dparent) scratch.sums.total(threads, weight, weight, f.dparent);
  if (f.ddaughters) scratch.sums.total(threads, 2 * weight, weight, f.ddaughters);
  if (f.dbias) scratch.sums.total(threads, 3 * weight, out, f.dbias);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, TreeConvForwardCall, forward, workspace_of<TreeConvForward<float>, Scratch>)
UPS_CPU_VARIANT(backward, TreeConvBackwardCall, backward, workspace_of<TreeConvBackward<float>, BackwardScratch>)

UPS_SIMD_END
