// CUDA. Floor: 2 N Fin HF FLOP, or h and the gathered rows through memory. h = x W^T is a dense
// product; then a warp takes a node and a head, its lanes the features: every lane goes through the
// row's edges, first for the largest score and the sums, then for the features, so nothing of the
// size of the edges is stored and no lane waits for another. Backward as the SIMD variant: one pass
// over the rows, one over the transposed rows, then dense products. The gradients of the attention
// vectors are the diagonal blocks of (dsource | dtarget)^T h.
#include "graph_attention_conv/graph_attention_conv.h"

#include "lib/math/activation.cuh"
#include "lib/dense/dense.h"
#include "graph_attention_conv/graph_attention_conv_call.h"

namespace upsilon {
namespace {

constexpr int columns_at_once = 4;  // features that a lane holds in registers

// What the kernels of one call share.
struct Attention {
  const int32_t *offsets, *neighbours;  // of the graph, or of the transposed one
  int64_t nodes, heads, features;
  float below;  // slope of leakyRelu
  bool self_loops;
  const float *h, *from_source, *from_target;  // [N, H F], [N, H], [N, H]
};

UPS_ON_DEVICE float leaky(float score, float below) { return score < 0.0f ? below * score : score; }

// Calls body(neighbour) for the edges of a node, its own loop last.
template <class Body>
UPS_ON_DEVICE void each_neighbour(const Attention& a, int64_t node, Body body) {
  for (int32_t e = a.offsets[node]; e < a.offsets[node + 1]; ++e) {
    const int32_t neighbour = a.neighbours[e];
    if (!a.self_loops || neighbour != node) body(static_cast<int64_t>(neighbour));
  }
  if (a.self_loops) body(node);
}

struct Softmax {
  float largest, inverse_total;  // 0 where there are no edges
};
UPS_ON_DEVICE Softmax softmax_of(const Attention& a, int64_t node, int64_t head) {
  const float own = a.from_target[node * a.heads + head];
  float largest = -INFINITY, total = 0.0f;
  const auto score = [&](int64_t j) { return leaky(a.from_source[j * a.heads + head] + own, a.below); };
  each_neighbour(a, node, [&](int64_t j) { largest = fmaxf(largest, score(j)); });
  each_neighbour(a, node, [&](int64_t j) { total += expf(score(j) - largest); });
  return {largest, total == 0.0f ? 0.0f : 1.0f / total};
}

template <int threads>
UPS_KERNEL_LB(threads)
find_scores(const int32_t* fault, const float* h, const float* attention_source, const float* attention_target,
            int64_t nodes, int64_t heads, int64_t features, float* from_source, float* from_target) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t at = global_thread() / 32; at < nodes * heads; at += global_threads() / 32) {
    const int64_t head = at % heads;
    float source = 0.0f, target = 0.0f;
    for (int64_t c = lane; c < features; c += 32) {
      source += attention_source[head * features + c] * h[at * features + c];
      target += attention_target[head * features + c] * h[at * features + c];
    }
    source = ups::warp_sum(source);
    target = ups::warp_sum(target);
    if (lane == 0) from_source[at] = source, from_target[at] = target;
  }
}

struct Output {
  bool concat;
  float share;
  const float* bias;
  int32_t activation;
  float* y;
};

// A warp takes a node and a head; without concat all heads of a node, one after the other.
template <int threads>
UPS_KERNEL_LB(threads)
attend(const int32_t* fault, Attention a, Output out) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t heads_at_once = out.concat ? 1 : a.heads, teams = out.concat ? a.nodes * a.heads : a.nodes;
  for (int64_t team = global_thread() / 32; team < teams; team += global_threads() / 32) {
    const int64_t node = out.concat ? team / a.heads : team, first_head = out.concat ? team % a.heads : 0;
    for (int64_t first = lane; first < a.features; first += columns_at_once * 32) {
      float z[columns_at_once] = {};
      for (int64_t head = first_head; head < first_head + heads_at_once; ++head) {
        const Softmax softmax = softmax_of(a, node, head);
        const float own = a.from_target[node * a.heads + head], scale = softmax.inverse_total * out.share;
        each_neighbour(a, node, [&](int64_t j) {
          const float score = leaky(a.from_source[j * a.heads + head] + own, a.below);
          const float alpha = expf(score - softmax.largest) * scale;
          UPS_UNROLL
          for (int i = 0; i < columns_at_once; ++i) {
            const int64_t c = first + 32 * i;
            if (c < a.features) z[i] += alpha * a.h[(j * a.heads + head) * a.features + c];
          }
        });
      }
      UPS_UNROLL
      for (int i = 0; i < columns_at_once; ++i) {
        const int64_t c = first + 32 * i;
        if (c >= a.features) continue;
        const int64_t column = (out.concat ? first_head * a.features : 0) + c;
        out.y[team * a.features + c] = activate_value(out.bias ? z[i] + out.bias[column] : z[i], out.activation);
      }
    }
  }
}

struct Gradient {
  const float* dz;
  int64_t stride, step;  // of a row of dz, and from head to head in it
  float share;
  float *largest, *inverse_total, *mean;  // [N, H]
  float* dscores;  // [N, 2 H]: of the source parts, then of the target parts
};

// <dz of node i, h of node j> for one head, the same in every lane.
UPS_ON_DEVICE float product_of(const Attention& a, const Gradient& g, int64_t i, int64_t j, int64_t head, int lane) {
  const float *dz = g.dz + i * g.stride + head * g.step, *h = a.h + (j * a.heads + head) * a.features;
  float sum = 0.0f;
  for (int64_t c = lane; c < a.features; c += 32) sum += dz[c] * h[c];
  return ups::warp_sum(sum) * g.share;
}

template <int threads>
UPS_KERNEL_LB(threads)
backward_of_targets(const int32_t* fault, Attention a, Gradient g) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t at = global_thread() / 32; at < a.nodes * a.heads; at += global_threads() / 32) {
    const int64_t node = at / a.heads, head = at % a.heads;
    const Softmax softmax = softmax_of(a, node, head);
    float m_above = 0.0f, m_below = 0.0f, p_above = 0.0f, p_below = 0.0f;
    each_neighbour(a, node, [&](int64_t j) {
      const float score = a.from_source[j * a.heads + head] + a.from_target[at];
      const float alpha = expf(leaky(score, a.below) - softmax.largest) * softmax.inverse_total;
      const float p = alpha * product_of(a, g, node, j, head, lane);
      m_above += score > 0.0f ? alpha : 0.0f;
      m_below += score > 0.0f ? 0.0f : alpha;
      p_above += score > 0.0f ? p : 0.0f;
      p_below += score > 0.0f ? 0.0f : p;
    });
    if (lane != 0) continue;
    g.largest[at] = softmax.largest;
    g.inverse_total[at] = softmax.inverse_total;
    g.mean[at] = p_above + p_below;
    g.dscores[node * 2 * a.heads + a.heads + head] = (1.0f - a.below) * (p_above * m_below - p_below * m_above);
  }
}

// dh of every node and head from the edges that begin there.
template <int threads>
UPS_KERNEL_LB(threads)
backward_of_sources(const int32_t* fault, Attention a, Gradient g, const float* attention_source,
                    const float* attention_target, float* dh) {
  if (*fault != 0) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t at = global_thread() / 32; at < a.nodes * a.heads; at += global_threads() / 32) {
    const int64_t node = at / a.heads, head = at % a.heads;
    float dsource = 0.0f;
    const auto alpha_of = [&](int64_t i, float score) {
      return expf(leaky(score, a.below) - g.largest[i * a.heads + head]) * g.inverse_total[i * a.heads + head];
    };
    each_neighbour(a, node, [&](int64_t i) {
      const float score = a.from_source[at] + a.from_target[i * a.heads + head];
      const float p = product_of(a, g, i, node, head, lane);
      dsource += alpha_of(i, score) * (p - g.mean[i * a.heads + head]) * (score > 0.0f ? 1.0f : a.below);
    });
    if (lane == 0) g.dscores[node * 2 * a.heads + head] = dsource;
    const float dtarget = g.dscores[node * 2 * a.heads + a.heads + head];
    for (int64_t first = lane; first < a.features; first += columns_at_once * 32) {
      float sums[columns_at_once] = {};
      each_neighbour(a, node, [&](int64_t i) {
        const float weight = alpha_of(i, a.from_source[at] + a.from_target[i * a.heads + head]) * g.share;
        UPS_UNROLL
        for (int k = 0; k < columns_at_once; ++k) {
          const int64_t c = first + 32 * k;
          if (c < a.features) sums[k] += weight * g.dz[i * g.stride + head * g.step + c];
        }
      });
      UPS_UNROLL
      for (int k = 0; k < columns_at_once; ++k) {
        const int64_t c = first + 32 * k, column = head * a.features + c;
        if (c < a.features)
          dh[at * a.features + c] = sums[k] + dsource * attention_source[column] + dtarget * attention_target[column];
      }
    }
  }
}

// Head h's gradients are at its own features in rows h and H + h of `products`, [2 H, H F].
template <int threads>
UPS_KERNEL_LB(threads)
take_diagonal(const int32_t* fault, const float* products, int64_t heads, int64_t features, float* dattention_source,
              float* dattention_target) {
  if (*fault != 0) return;
  const int64_t width = heads * features;
  for (int64_t column = global_thread(); column < width; column += global_threads()) {
    const int64_t head = column / features;
    if (dattention_source) dattention_source[column] = products[head * width + column];
    if (dattention_target) dattention_target[column] = products[(heads + head) * width + column];
  }
}

struct Scratch {
  float *h, *from_source, *from_target;
  Scratch(const GraphAttention<float>& f, WorkspaceLayout& workspace)
      : h(workspace.reserve<float>(f.nodes * f.width())), from_source(workspace.reserve<float>(f.nodes * f.heads)),
        from_target(workspace.reserve<float>(f.nodes * f.heads)) {}
};

Attention attention_of(const GraphAttention<float>& f, const Scratch& s) {
  return {f.row_offsets,
          f.sources,
          f.nodes,
          f.heads,
          f.features,
          f.options.negative_slope,
          f.options.self_loops != 0,
          s.h,
          s.from_source,
          s.from_target};
}

void project(Launcher& launch, int32_t precision, const GraphAttention<float>& f, const Scratch& s) {
  product_with_weight(launch, precision, f.x, f.weight, nullptr, s.h, f.nodes, f.inputs, f.width(),
                      UPS_ACTIVATION_NONE);
  launch.elements(find_scores<block_threads>, f.nodes * f.heads * 32, s.h, f.attention_source, f.attention_target,
                  f.nodes, f.heads, f.features, s.from_source, s.from_target);
}

void attend_all(Launcher& launch, const GraphAttention<float>& f, const Scratch& s, int32_t activation, float* y) {
  const Output out{f.options.concat != 0, f.share(), f.bias, activation, y};
  launch.elements(attend<block_threads>, f.nodes * (out.concat ? f.heads : 1) * 32, attention_of(f, s), out);
}

ups_status forward(const Call& call) {
  const GraphAttentionForward<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  project(launch, call.precision, f, scratch);
  attend_all(launch, f, scratch, f.options.activation, f.y);
  return launch.status();
}

struct BackwardScratch : Scratch {
  DenseScratch of_outputs;
  float *largest, *inverse_total, *mean, *dscores, *dh, *products, *parts;
  BackwardScratch(const GraphAttentionBackward<float>& f, WorkspaceLayout& workspace)
      : Scratch(f, workspace), of_outputs(workspace, f.nodes, 0, f.outputs(), f.options.activation),
        largest(workspace.reserve<float>(f.nodes * f.heads)),
        inverse_total(workspace.reserve<float>(f.nodes * f.heads)), mean(workspace.reserve<float>(f.nodes * f.heads)),
        dscores(workspace.reserve<float>(f.nodes * 2 * f.heads)), dh(workspace.reserve<float>(f.nodes * f.width())),
        products(workspace.reserve<float>(2 * f.heads * f.width())),
        parts(workspace.reserve<float>(std::max(transposed_product_floats(f.nodes, f.width(), f.inputs),
                                                transposed_product_floats(f.nodes, 2 * f.heads, f.width())))) {}
};

ups_status backward(const Call& call) {
  const GraphAttentionBackward<float> f(call);
  const auto s = scratch_of<BackwardScratch>(call, f);
  const bool gelu = f.options.activation == UPS_ACTIVATION_GELU;
  float* const dz_out = s.of_outputs.dz;
  Launcher launch(call);
  project(launch, call.precision, f, s);
  if (gelu) attend_all(launch, f, s, UPS_ACTIVATION_NONE, dz_out);
  slope(launch, gelu ? dz_out : f.y, f.dy, dz_out, s.of_outputs.parts, f.dbias, f.nodes, f.outputs(),
        f.options.activation);

  Attention a = attention_of(f, s);
  const Gradient g{dz_out ? dz_out : f.dy, f.outputs(), f.output_step(), f.share(), s.largest,
                   s.inverse_total,        s.mean,      s.dscores};
  launch.elements(backward_of_targets<block_threads>, f.nodes * f.heads * 32, a, g);
  a.offsets = f.transposed_offsets;
  a.neighbours = f.targets;
  launch.elements(backward_of_sources<block_threads>, f.nodes * f.heads * 32, a, g, f.attention_source,
                  f.attention_target, s.dh);
  if (f.dx) product(launch, call.precision, s.dh, f.weight, f.dx, f.nodes, f.width(), f.inputs);
  if (f.dweight)
    transposed_product(launch, call.precision, s.dh, f.x, s.parts, f.dweight, f.nodes, f.width(), f.inputs);
  if (f.dattention_source || f.dattention_target) {
    transposed_product(launch, UPS_FP32, s.dscores, s.h, s.parts, s.products, f.nodes, 2 * f.heads, f.width());
    launch.elements(take_diagonal<block_threads>, f.width(), s.products, f.heads, f.features, f.dattention_source,
                    f.dattention_target);
  }
  return launch.status();
}

UPS_CUDA_VARIANT(forward, GraphAttentionConvForwardCall, forward, workspace_of<GraphAttentionForward<float>, Scratch>)
UPS_CUDA_VARIANT(backward, GraphAttentionConvBackwardCall, backward,
                 workspace_of<GraphAttentionBackward<float>, BackwardScratch>)

}  // namespace
}  // namespace upsilon
