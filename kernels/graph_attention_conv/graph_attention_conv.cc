// Reference: the definition, in plain loops.
#include "graph_attention_conv/graph_attention_conv.h"

#include <limits>

#include "lib/math/activation.h"
#include "lib/kernel.h"
#include "graph_attention_conv/graph_attention_conv_call.h"

namespace upsilon {
namespace {

template <class T>
struct Scratch {
  T *h, *from_source, *from_target;  // [N, H F], and the two parts of a score [N, H]
  explicit Scratch(const GraphAttention<T>& f, WorkspaceLayout& workspace)
      : h(workspace.reserve<T>(f.nodes * f.width())), from_source(workspace.reserve<T>(f.nodes * f.heads)),
        from_target(workspace.reserve<T>(f.nodes * f.heads)) {}
};

template <class T>
struct BackwardScratch : Scratch<T> {
  T *dz, *dh, *dfrom_source, *dfrom_target;
  BackwardScratch(const GraphAttention<T>& f, WorkspaceLayout& workspace)
      : Scratch<T>(f, workspace), dz(workspace.reserve<T>(f.nodes * f.outputs())),
        dh(workspace.reserve<T>(f.nodes * f.width())), dfrom_source(workspace.reserve<T>(f.nodes * f.heads)),
        dfrom_target(workspace.reserve<T>(f.nodes * f.heads)) {}
};

template <class T>
void project(const GraphAttention<T>& f, const Scratch<T>& s) {
  for (int64_t i = 0; i < f.nodes; ++i) {
    for (int64_t out = 0; out < f.width(); ++out) {
      T sum = 0;
      for (int64_t in = 0; in < f.inputs; ++in) sum += f.x[i * f.inputs + in] * f.weight[out * f.inputs + in];
      s.h[i * f.width() + out] = sum;
    }
    for (int64_t head = 0; head < f.heads; ++head) {
      T source = 0, target = 0;
      for (int64_t c = head * f.features; c < (head + 1) * f.features; ++c) {
        source += f.attention_source[c] * s.h[i * f.width() + c];
        target += f.attention_target[c] * s.h[i * f.width() + c];
      }
      s.from_source[i * f.heads + head] = source;
      s.from_target[i * f.heads + head] = target;
    }
  }
}

// Calls body(j, alpha, score before leakyRelu, leakyRelu's slope there) for every edge j -> i.
template <class T, class Body>
void each_weight(const GraphAttention<T>& f, const Scratch<T>& s, int64_t i, int64_t head, Body&& body) {
  const T below = T(f.options.negative_slope);
  const auto each = [&](auto&& visit) {
    const auto with_score = [&](int64_t j) {
      const T e = s.from_source[j * f.heads + head] + s.from_target[i * f.heads + head];
      visit(j, e < T(0) ? below * e : e, e, e > T(0) ? T(1) : below);
    };
    for (int32_t e = f.row_offsets[i]; e < f.row_offsets[i + 1]; ++e)
      if (!f.options.self_loops || f.sources[e] != i) with_score(f.sources[e]);
    if (f.options.self_loops) with_score(i);
  };
  T largest = -std::numeric_limits<T>::infinity(), total = 0;
  each([&](int64_t, T score, T, T) { largest = score > largest ? score : largest; });
  each([&](int64_t, T score, T, T) { total += std::exp(score - largest); });
  each([&](int64_t j, T score, T e, T slope) { body(j, std::exp(score - largest) / total, e, slope); });
}

template <class T>
void attend(const GraphAttention<T>& f, const Scratch<T>& s, int32_t activation, T* y) {
  const int64_t outputs = f.outputs();
  clear(y, f.nodes * outputs);
  for (int64_t i = 0; i < f.nodes; ++i) {
    for (int64_t head = 0; head < f.heads; ++head)
      each_weight(f, s, i, head, [&](int64_t j, T alpha, T, T) {
        for (int64_t c = 0; c < f.features; ++c)
          y[i * outputs + head * f.output_step() + c] += f.share() * alpha * s.h[j * f.width() + head * f.features + c];
      });
    for (int64_t c = 0; c < outputs; ++c) {
      T& z = y[i * outputs + c];
      z = activate(f.bias ? z + f.bias[c] : z, activation);
    }
  }
}

template <class T>
ups_status forward_reference(const Call& call) {
  const GraphAttentionForward<T> f(call);
  const auto scratch = scratch_of<Scratch<T>>(call, f);
  project(f, scratch);
  attend(f, scratch, f.options.activation, f.y);
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const GraphAttentionBackward<T> f(call);
  const auto s = scratch_of<BackwardScratch<T>>(call, f);
  const int64_t outputs = f.outputs(), width = f.width();
  project(f, s);
  if (f.options.activation == UPS_ACTIVATION_GELU) attend(f, s, UPS_ACTIVATION_NONE, s.dz);
  else clear(s.dz, f.nodes * outputs);
  for (int64_t at = 0; at < f.nodes * outputs; ++at)
    s.dz[at] = f.dy[at] * activation_slope(s.dz[at], f.y[at], f.options.activation);

  clear(s.dh, f.nodes * width);
  clear(s.dfrom_source, f.nodes * f.heads);
  for (int64_t i = 0; i < f.nodes; ++i)
    for (int64_t head = 0; head < f.heads; ++head) {
      const T* dz = s.dz + i * outputs + head * f.output_step();
      const auto dalpha = [&](int64_t j) {
        T sum = 0;
        for (int64_t c = 0; c < f.features; ++c) sum += f.share() * dz[c] * s.h[j * width + head * f.features + c];
        return sum;
      };
      T mean = 0, alpha_above = 0, alpha_below = 0, mean_above = 0, mean_below = 0;
      each_weight(f, s, i, head, [&](int64_t j, T alpha, T score, T) {
        mean += alpha * dalpha(j);
        (score > T(0) ? alpha_above : alpha_below) += alpha;
        (score > T(0) ? mean_above : mean_below) += alpha * dalpha(j);
      });
      s.dfrom_target[i * f.heads + head] =
          (T(1) - T(f.options.negative_slope)) * (mean_above * alpha_below - mean_below * alpha_above);
      each_weight(f, s, i, head, [&](int64_t j, T alpha, T, T slope) {
        const T dscore = alpha * (dalpha(j) - mean) * slope;
        s.dfrom_source[j * f.heads + head] += dscore;
        for (int64_t c = 0; c < f.features; ++c) s.dh[j * width + head * f.features + c] += f.share() * alpha * dz[c];
      });
    }

  clear(f.dx, f.nodes * f.inputs);
  clear(f.dweight, width * f.inputs);
  clear(f.dattention_source, width);
  clear(f.dattention_target, width);
  clear(f.dbias, outputs);
  for (int64_t i = 0; i < f.nodes; ++i) {
    for (int64_t out = 0; out < width; ++out) {
      const int64_t head = out / f.features;
      const T source = s.dfrom_source[i * f.heads + head], target = s.dfrom_target[i * f.heads + head];
      const T h = s.h[i * width + out];
      const T dh = s.dh[i * width + out] + source * f.attention_source[out] + target * f.attention_target[out];
      if (f.dattention_source) f.dattention_source[out] += source * h;
      if (f.dattention_target) f.dattention_target[out] += target * h;
      for (int64_t in = 0; in < f.inputs; ++in) {
        if (f.dx) f.dx[i * f.inputs + in] += dh * f.weight[out * f.inputs + in];
        if (f.dweight) f.dweight[out * f.inputs + in] += dh * f.x[i * f.inputs + in];
      }
    }
    for (int64_t c = 0; f.dbias && c < outputs; ++c) f.dbias[c] += s.dz[i * outputs + c];
  }
  return UPS_OK;
}

const OperationOf<GraphAttentionConvForwardCall> forward{
    {forward_reference<float>, workspace_of<GraphAttentionForward<float>, Scratch<float>>},
    {forward_reference<double>, workspace_of<GraphAttentionForward<double>, Scratch<double>>}};
const OperationOf<GraphAttentionConvBackwardCall> backward{
    {backward_reference<float>, workspace_of<GraphAttentionBackward<float>, BackwardScratch<float>>},
    {backward_reference<double>, workspace_of<GraphAttentionBackward<double>, BackwardScratch<double>>}};

}  // namespace
}  // namespace upsilon

ups_status ups_graph_attention_conv_forward(ups_context* context, const ups_tensor* row_offsets,
                                            const ups_tensor* sources, const ups_tensor* x, const ups_tensor* weight,
                                            const ups_tensor* attention_source, const ups_tensor* attention_target,
                                            const ups_tensor* bias, ups_tensor* y,
                                            const ups_graph_attention_conv_options* options) noexcept {
  return upsilon::call(context, upsilon::forward,
                       {row_offsets, sources, x, weight, attention_source, attention_target, bias, y}, options);
}

ups_status ups_graph_attention_conv_backward(ups_context* context, const ups_tensor* row_offsets,
                                             const ups_tensor* sources, const ups_tensor* transposed_offsets,
                                             const ups_tensor* targets, const ups_tensor* x, const ups_tensor* weight,
                                             const ups_tensor* attention_source, const ups_tensor* attention_target,
                                             const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy,
                                             ups_tensor* dx, ups_tensor* dweight, ups_tensor* dattention_source,
                                             ups_tensor* dattention_target, ups_tensor* dbias,
                                             const ups_graph_attention_conv_options* options) noexcept {
  return upsilon::call(context, upsilon::backward,
                       {row_offsets, sources, transposed_offsets, targets, x, weight, attention_source,
                        attention_target, bias, y, dy, dx, dweight, dattention_source, dattention_target, dbias},
                       options);
}
