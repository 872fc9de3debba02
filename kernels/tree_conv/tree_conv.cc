// Reference: the definition, in plain loops.
#include "tree_conv/tree_conv.h"

#include "lib/math/activation.h"
#include "lib/kernel.h"
#include "tree_conv/tree_conv_call.h"

namespace upsilon {
namespace {

template <class T>
struct Scratch {
  int32_t* daughter_count;    // daughters of each node
  T *parent_x, *daughters_x;  // [N, Fin]: what W_parent and W_daughters are applied to
  T* dz;                      // [N, Fout]

  template <class Tree>
  Scratch(const Tree& f, WorkspaceLayout& workspace)
      : daughter_count(workspace.reserve<int32_t>(f.nodes)), parent_x(workspace.reserve<T>(f.nodes * f.inputs)),
        daughters_x(workspace.reserve<T>(f.nodes * f.inputs)), dz(workspace.reserve<T>(f.nodes * f.outputs)) {}
};

// The weight of neighbour `from` in the sum of node `to`, and of the node itself (from == to).
template <class T>
T term_weight(const int32_t* daughters, const int32_t* mother, int64_t to, int64_t from, int32_t normalization,
              bool from_is_daughter) {
  if (normalization == UPS_TREE_NORMALIZATION_MEAN) return from_is_daughter ? T(1) / T(daughters[to]) : T(1);
  if (normalization == UPS_TREE_NORMALIZATION_NONE) return T(1);
  const auto degree = [&](int64_t node) { return T(1 + daughters[node] + (mother[node] >= 0 ? 1 : 0)); };
  return T(1) / std::sqrt(degree(to) * degree(from));
}

// visit(node, mother of node) for every node of every event; the mother is -1 for a root.
template <class Tree, class Visit>
void each_node(const Tree& f, Visit&& visit) {
  for (int64_t event = 0; event < f.events; ++event)
    for (int64_t i = f.offsets[event]; i < f.offsets[event + 1]; ++i)
      visit(i, f.mother[i] < 0 ? int64_t{-1} : f.offsets[event] + f.mother[i]);
}

// z of one node from the prepared rows.
template <class T, class Tree>
T value(const Tree& f, const Scratch<T>& scratch, int64_t i, int64_t out) {
  T z = f.bias ? f.bias[out] : T(0);
  const T self = term_weight<T>(scratch.daughter_count, f.mother, i, i, f.options.normalization, false);
  for (int64_t in = 0; in < f.inputs; ++in) {
    const int64_t w = out * f.inputs + in, at = i * f.inputs + in;
    z += self * f.self[w] * f.x[at] + f.parent[w] * scratch.parent_x[at] + f.daughters[w] * scratch.daughters_x[at];
  }
  return z;
}

// Counts daughters and gathers, for every node, its mother's row and the sum of its daughters'
// rows, each with its weight.
template <class T, class Tree>
void gather(const Tree& f, const Scratch<T>& scratch) {
  clear(scratch.daughter_count, f.nodes);
  clear(scratch.parent_x, f.nodes * f.inputs);
  clear(scratch.daughters_x, f.nodes * f.inputs);
  each_node(f, [&](int64_t, int64_t mother) {
    if (mother >= 0) ++scratch.daughter_count[mother];
  });
  each_node(f, [&](int64_t i, int64_t mother) {
    if (mother < 0) return;
    const T up = term_weight<T>(scratch.daughter_count, f.mother, i, mother, f.options.normalization, false);
    const T down = term_weight<T>(scratch.daughter_count, f.mother, mother, i, f.options.normalization, true);
    for (int64_t in = 0; in < f.inputs; ++in) {
      scratch.parent_x[i * f.inputs + in] = up * f.x[mother * f.inputs + in];
      scratch.daughters_x[mother * f.inputs + in] += down * f.x[i * f.inputs + in];
    }
  });
}

template <class T>
ups_status forward_reference(const Call& call) {
  const TreeConvForward<T> f(call);
  const auto scratch = scratch_of<Scratch<T>>(call, f);
  gather(f, scratch);
  clear(f.y, f.nodes * f.outputs);
  each_node(f, [&](int64_t i, int64_t) {
    for (int64_t out = 0; out < f.outputs; ++out)
      f.y[i * f.outputs + out] = activate(value(f, scratch, i, out), f.options.activation);
  });
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const TreeConvBackward<T> f(call);
  const auto scratch = scratch_of<Scratch<T>>(call, f);
  gather(f, scratch);
  clear(f.dx, f.nodes * f.inputs);
  clear(f.dself, f.outputs * f.inputs);
  clear(f.dparent, f.outputs * f.inputs);
  clear(f.ddaughters, f.outputs * f.inputs);
  clear(f.dbias, f.outputs);
  clear(scratch.dz, f.nodes * f.outputs);
  const bool gelu = f.options.activation == UPS_ACTIVATION_GELU;
  each_node(f, [&](int64_t i, int64_t) {
    const T self = term_weight<T>(scratch.daughter_count, f.mother, i, i, f.options.normalization, false);
    for (int64_t out = 0; out < f.outputs; ++out) {
      const int64_t at = i * f.outputs + out;
      const T z = gelu ? value(f, scratch, i, out) : T(0);
      const T dz = f.dy[at] * activation_slope(z, f.y[at], f.options.activation);
      scratch.dz[at] = dz;
      for (int64_t in = 0; in < f.inputs; ++in) {
        const int64_t w = out * f.inputs + in, row = i * f.inputs + in;
        if (f.dself) f.dself[w] += dz * self * f.x[row];
        if (f.dparent) f.dparent[w] += dz * scratch.parent_x[row];
        if (f.ddaughters) f.ddaughters[w] += dz * scratch.daughters_x[row];
        if (f.dx) f.dx[row] += dz * self * f.self[w];
      }
      if (f.dbias) f.dbias[out] += dz;
    }
  });
  if (!f.dx) return UPS_OK;
  each_node(f, [&](int64_t i, int64_t mother) {
    if (mother < 0) return;
    const T up = term_weight<T>(scratch.daughter_count, f.mother, i, mother, f.options.normalization, false);
    const T down = term_weight<T>(scratch.daughter_count, f.mother, mother, i, f.options.normalization, true);
    for (int64_t out = 0; out < f.outputs; ++out)
      for (int64_t in = 0; in < f.inputs; ++in) {
        const int64_t w = out * f.inputs + in;
        f.dx[mother * f.inputs + in] += up * f.parent[w] * scratch.dz[i * f.outputs + out];
        f.dx[i * f.inputs + in] += down * f.daughters[w] * scratch.dz[mother * f.outputs + out];
      }
  });
  return UPS_OK;
}

const OperationOf<TreeConvForwardCall> forward{
    {forward_reference<float>, workspace_of<TreeConvForward<float>, Scratch<float>>},
    {forward_reference<double>, workspace_of<TreeConvForward<double>, Scratch<double>>}};
const OperationOf<TreeConvBackwardCall> backward{
    {backward_reference<float>, workspace_of<TreeConvBackward<float>, Scratch<float>>},
    {backward_reference<double>, workspace_of<TreeConvBackward<double>, Scratch<double>>}};

}  // namespace
}  // namespace upsilon

ups_status ups_tree_conv_forward(ups_context* context, const ups_tensor* offsets, const ups_tensor* mother,
                                 const ups_tensor* x, const ups_tensor* self, const ups_tensor* parent,
                                 const ups_tensor* daughters, const ups_tensor* bias, ups_tensor* y,
                                 const ups_tree_conv_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {offsets, mother, x, self, parent, daughters, bias, y}, options);
}

ups_status ups_tree_conv_backward(ups_context* context, const ups_tensor* offsets, const ups_tensor* mother,
                                  const ups_tensor* x, const ups_tensor* self, const ups_tensor* parent,
                                  const ups_tensor* daughters, const ups_tensor* bias, const ups_tensor* y,
                                  const ups_tensor* dy, ups_tensor* dx, ups_tensor* dself, ups_tensor* dparent,
                                  ups_tensor* ddaughters, ups_tensor* dbias,
                                  const ups_tree_conv_options* options) noexcept {
  return upsilon::call(
      context, upsilon::backward,
      {offsets, mother, x, self, parent, daughters, bias, y, dy, dx, dself, dparent, ddaughters, dbias}, options);
}
