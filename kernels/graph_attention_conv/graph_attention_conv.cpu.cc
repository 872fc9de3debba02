// SIMD. Work: 2 N Fin HF FLOP of product, then per edge and head one exp and 2 F FLOP; with few
// edges a node the product is nearly all of it. h = x W^T goes to the workspace with the two
// numbers of each node and head that scores are made of. A row's edges are taken in blocks whose
// weights fit in a few KiB of L1; from block to block the largest score and the sums are carried
// along (online softmax: M. Milakov and N. Gimelshein, arXiv:1805.02867), so nothing of the size of
// the edges is stored.
// Backward, with p_ij = <dz_i, h_j> and r_i = sum_j alpha_ij p_ij: dscore_ij = alpha_ij (p_ij -
// r_i) leakyRelu'. One pass over the rows of the graph gives each node's largest score, sum, r and
// the gradient of its target part; one over the rows of the transposed graph recomputes alpha from
// those and gives dh. Then dx = dh W, dW = dh^T x: 4 N Fin HF.
#include "graph_attention_conv/graph_attention_conv.h"
#include "graph_attention_conv/graph_attention_conv_call.h"

#define UPS_SIMD_SOURCE "graph_attention_conv/graph_attention_conv.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/dense/matmul.simd.h"
#include "lib/dense/weight_gradient.simd.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/elementary.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t tile_of_rows = 96;  // 96 x 128 floats are 48 KiB: scores are made while h is in cache
constexpr int64_t block_edges = 64, block_heads = 16;

// Numbers of a block of edges, [edge][head] with `heads` of them side by side.
using BlockNumbers = float[block_edges * block_heads];
// One number for each of a block's heads.
using HeadNumbers = float[block_heads];

// Neighbours of a node, in blocks: all of the row, or with loops those but the node, then the node.
template <class Body>
void each_block(const int32_t* offsets, const int32_t* neighbours, int64_t node, bool self_loops, Body&& body) {
  const int64_t begin = offsets[node], end = offsets[node + 1];
  if (!self_loops) {
    for (int64_t e = begin; e < end; e += block_edges) body(neighbours + e, std::min(block_edges, end - e));
    return;
  }
  int32_t list[block_edges];
  int64_t count = 0;
  for (int64_t e = begin; e < end; ++e) {
    if (neighbours[e] == node) continue;
    list[count++] = neighbours[e];
    if (count < block_edges) continue;
    body(list, count);
    count = 0;
  }
  list[count++] = static_cast<int32_t>(node);
  body(list, count);
}

// The numbers of every node and head, [N, H].
struct Scores {
  float *source, *target;
};

// Heads first .. first + count of a node: the work is cut by heads so that a block's numbers fit in
// L1.
struct HeadRange {
  int64_t first, count;
};
template <class Body>
void each_head_range(int64_t heads, Body&& body) {
  for (int64_t first = 0; first < heads; first += block_heads)
    body(HeadRange{first, std::min(block_heads, heads - first)});
}

[[gnu::always_inline]] inline Floats leaky(Floats s, Floats below) { return s < zero() ? below * s : s; }
[[gnu::always_inline]] inline Floats leaky_slope(Floats s, Floats below) {
  return s > zero() ? broadcast(1.0f) : below;
}

// sums[edge][head] = own[head] + others[neighbour of the edge][head]: scores before leakyRelu.
void add_parts(const float* own, const float* others, int64_t all_heads, HeadRange heads, const int32_t* neighbours,
               int64_t edges, BlockNumbers& sums) {
  for (int64_t e = 0; e < edges; ++e) {
    const float* other = others + neighbours[e] * all_heads + heads.first;
    each_vector(heads.count, [&](int64_t h, int64_t here) {
      store_some(sums + e * heads.count + h, load_some(own + h, here) + load_some(other + h, here), here);
    });
  }
}

// The largest score so far and the sum of exp(score - largest), carried from block to block of a
// row.
struct Softmax {
  HeadNumbers largest, total;
  bool begun = false;

  // Scores become weights exp(score - largest). rescale: what numbers of earlier blocks are to be
  // multiplied with.
  void take(BlockNumbers& scores, int64_t edges, int64_t heads, HeadNumbers& rescale) {
    each_vector(heads, [&](int64_t h, int64_t here) {
      Floats most = begun ? load_some(largest + h, here) : load_some(scores + h, here);
      const Floats before = most;
      for (int64_t e = 0; e < edges; ++e) most = max(load_some(scores + e * heads + h, here), most);
      for (int64_t e = 0; e < edges; ++e)
        store_some(scores + e * heads + h, load_some(scores + e * heads + h, here) - most, here);
      store_some(largest + h, most, here);
      if (begun) store_some(rescale + h, exp(before - most), here);
    });
    each_vector(edges * heads,
                [&](int64_t k, int64_t here) { store_some(scores + k, exp(load_some(scores + k, here)), here); });
    each_vector(heads, [&](int64_t h, int64_t here) {
      Floats sum = begun ? load_some(total + h, here) * load_some(rescale + h, here) : zero();
      for (int64_t e = 0; e < edges; ++e) sum += load_some(scores + e * heads + h, here);
      store_some(total + h, sum, here);
    });
    begun = true;
  }
};

// to[0 .. features) (+)= sum over edges of weights[e step] rows[neighbours[e] stride + 0 ..
// features); what was there counts `rescale` times, or not at all when that is 0.
template <int vectors>
void add_weighted_columns(const float* rows, int64_t stride, const int32_t* neighbours, int64_t edges,
                          const float* weights, int64_t step, float rescale, int64_t count, float* to) {
  Floats sums[vectors];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v)
    sums[v] = rescale == 0.0f ? zero() : broadcast(rescale) * load_some(to + v * lanes, vectors == 1 ? count : lanes);
  for (int64_t e = 0; e < edges; ++e) {
    const float* row = rows + neighbours[e] * stride;
    const Floats weight = broadcast(weights[e * step]);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
      sums[v] = weight * load_some(row + v * lanes, vectors == 1 ? count : lanes) + sums[v];
  }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) store_some(to + v * lanes, sums[v], vectors == 1 ? count : lanes);
}
void add_weighted(const float* rows, int64_t stride, const int32_t* neighbours, int64_t edges, const float* weights,
                  int64_t step, float rescale, int64_t features, float* to) {
  for (int64_t c = 0; c < features;) {
    const int64_t full = (features - c) / lanes, vectors = full >= 4 ? 4 : full >= 2 ? 2 : 1;
    const auto add = vectors == 4   ? add_weighted_columns<4>
                     : vectors == 2 ? add_weighted_columns<2>
                                    : add_weighted_columns<1>;
    const int64_t count = std::min(features - c, vectors * lanes);
    add(rows + c, stride, neighbours, edges, weights, step, rescale, count, to + c);
    c += count;
  }
}

struct Nodes {
  float *packed, *h;
  Scores scores;
  Nodes(const GraphAttention<float>& f, WorkspaceLayout& workspace)
      : packed(workspace.reserve<float>(packed_size(f.inputs, f.width()))),
        h(workspace.reserve<float>(f.nodes * f.width())),
        scores{workspace.reserve<float>(f.nodes * f.heads), workspace.reserve<float>(f.nodes * f.heads)} {}
};

void project(Threads& threads, const GraphAttention<float>& f, const Nodes& nodes) {
  const int64_t width = f.width();
  pack_weight(threads, f.weight, f.inputs, width, nodes.packed);
  threads.run(ceil_div(f.nodes, tile_of_rows), [&](int64_t task, int32_t) {
    const int64_t first = task * tile_of_rows, rows = std::min(tile_of_rows, f.nodes - first);
    float* h = nodes.h + first * width;
    multiply(Order::rows, f.x + first * f.inputs, f.inputs, rows, nodes.packed, f.inputs, width, h, width, {});
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t head = 0; head < f.heads; ++head) {
        const float* features = h + r * width + head * f.features;
        const int64_t at = (first + r) * f.heads + head;
        nodes.scores.source[at] = dot(features, f.attention_source + head * f.features, f.features);
        nodes.scores.target[at] = dot(features, f.attention_target + head * f.features, f.features);
      }
  });
}

// z[0 .. H F) of one node, heads side by side.
void attend(const GraphAttention<float>& f, const Nodes& nodes, int64_t node, float* z) {
  const Floats below = broadcast(f.options.negative_slope);
  each_head_range(f.heads, [&](HeadRange heads) {
    Softmax softmax;
    float* z_heads = z + heads.first * f.features;
    each_block(f.row_offsets, f.sources, node, f.options.self_loops, [&](const int32_t* neighbours, int64_t edges) {
      alignas(64) BlockNumbers weights;
      HeadNumbers rescale = {};
      add_parts(nodes.scores.target + node * f.heads + heads.first, nodes.scores.source, f.heads, heads, neighbours,
                edges, weights);
      each_vector(edges * heads.count, [&](int64_t k, int64_t here) {
        store_some(weights + k, leaky(load_some(weights + k, here), below), here);
      });
      softmax.take(weights, edges, heads.count, rescale);
      for (int64_t h = 0; h < heads.count; ++h)
        add_weighted(nodes.h + (heads.first + h) * f.features, f.width(), neighbours, edges, weights + h, heads.count,
                     rescale[h], f.features, z_heads + h * f.features);
    });
    if (!softmax.begun) return clear(z_heads, heads.count * f.features);
    for (int64_t h = 0; h < heads.count; ++h) {
      const Floats scale = broadcast(f.share() / softmax.total[h]);
      float* features = z_heads + h * f.features;
      each_vector(f.features, [&](int64_t c, int64_t here) {
        store_some(features + c, load_some(features + c, here) * scale, here);
      });
    }
  });
}

// y = act(z + bias), of all nodes.
void attend_all(Threads& threads, const GraphAttention<float>& f, const Nodes& nodes, float* heads_of_worker,
                int32_t activation, float* y) {
  const int64_t outputs = f.outputs(), width = f.width();
  threads.run(ceil_div(f.nodes, tile_of_rows), [&](int64_t task, int32_t worker) {
    const int64_t first = task * tile_of_rows, end = std::min(f.nodes, first + tile_of_rows);
    for (int64_t node = first; node < end; ++node) {
      float* row = y + node * outputs;
      if (f.options.concat) {
        attend(f, nodes, node, row);
      } else {
        float* heads = heads_of_worker + worker * round_up(width, 16);
        attend(f, nodes, node, heads);
        clear(row, outputs);
        add_rows(heads, f.features, f.heads, f.features, row);
      }
      finish_row(row, f.bias, outputs, activation == UPS_ACTIVATION_RELU);
    }
    activate_rows(y + first * outputs, (end - first) * outputs, activation);
  });
}

struct HeadsOfWorker {
  float* values;
  HeadsOfWorker(const GraphAttention<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : values(workspace.reserve<float>(f.options.concat ? 0 : round_up(f.width(), 16) * workers)) {}
};

ups_status forward(const Call& call) {
  const GraphAttentionForward<float> f(call);
  WorkspaceLayout workspace(call.workspace);
  const auto nodes = make_scratch<Nodes>(call, f, workspace);
  const auto heads_of_worker = make_scratch<HeadsOfWorker>(call, f, workspace);
  project(*call.threads, f, nodes);
  attend_all(*call.threads, f, nodes, heads_of_worker.values, f.options.activation, f.y);
  return UPS_OK;
}

struct BackwardScratch {
  Nodes nodes;
  HeadsOfWorker heads_of_worker;
  float *packed_weight, *dz;
  float *largest, *inverse_total, *mean, *dtarget;  // [N, H]; mean: r
  GroupSums sums;  // dweight, dattention_source, dattention_target, dbias
  float *dh, *packed_x;  // per worker
  int64_t dh_floats, packed_x_floats;

  BackwardScratch(const GraphAttentionBackward<float>& f, int32_t workers, WorkspaceLayout& workspace)
      : nodes(f, workspace), heads_of_worker(f, workers, workspace),
        packed_weight(workspace.reserve<float>(packed_size(f.width(), f.inputs))),
        dz(workspace.reserve<float>(f.options.activation == UPS_ACTIVATION_NONE ? 0 : f.nodes * f.outputs())),
        largest(workspace.reserve<float>(f.nodes * f.heads)),
        inverse_total(workspace.reserve<float>(f.nodes * f.heads)), mean(workspace.reserve<float>(f.nodes * f.heads)),
        dtarget(workspace.reserve<float>(f.nodes * f.heads)),
        sums(ceil_div(f.nodes, chunk_rows), f.width() * f.inputs + 2 * f.width() + f.outputs(), workspace),
        dh_floats(round_up(chunk_rows * f.width(), 16)), packed_x_floats(packed_rows_size(chunk_rows, f.inputs)) {
    dh = workspace.reserve<float>(dh_floats * workers);
    packed_x = workspace.reserve<float>(packed_x_floats * workers);
  }
};

// What a row of the graph says of its node: the softmax, r, and the gradient of the node's target
// part, by the sums M and P over edges of positive scores and of others (graph_attention_conv.h),
// carried along with the softmax.
void backward_of_target(const GraphAttentionBackward<float>& f, const BackwardScratch& s, const float* dz,
                        int64_t node) {
  const Floats below = broadcast(f.options.negative_slope), share = broadcast(f.share());
  const float* dz_node = dz + node * f.outputs();
  each_head_range(f.heads, [&](HeadRange heads) {
    Softmax softmax;
    HeadNumbers m_above = {}, m_below = {}, p_above = {}, p_below = {};
    each_block(f.row_offsets, f.sources, node, f.options.self_loops, [&](const int32_t* neighbours, int64_t edges) {
      alignas(64) BlockNumbers weights, scores, products;
      HeadNumbers rescale = {};
      add_parts(s.nodes.scores.target + node * f.heads + heads.first, s.nodes.scores.source, f.heads, heads, neighbours,
                edges, weights);
      each_vector(edges * heads.count, [&](int64_t k, int64_t here) {
        const Floats score = load_some(weights + k, here);
        store_some(weights + k, leaky(score, below), here);
        store_some(scores + k, score, here);
      });
      softmax.take(weights, edges, heads.count, rescale);
      for (int64_t e = 0; e < edges; ++e) {
        const float* h_other = s.nodes.h + neighbours[e] * f.width() + heads.first * f.features;
        for (int64_t h = 0; h < heads.count; ++h)
          products[e * heads.count + h] =
              dot(dz_node + (heads.first + h) * f.output_step(), h_other + h * f.features, f.features);
      }
      each_vector(heads.count, [&](int64_t h, int64_t here) {
        const Floats scale = load_some(rescale + h, here);
        Floats above = load_some(m_above + h, here) * scale, under = load_some(m_below + h, here) * scale;
        Floats p_over = load_some(p_above + h, here) * scale, p_under = load_some(p_below + h, here) * scale;
        for (int64_t k = h; k < edges * heads.count; k += heads.count) {
          const Floats weight = load_some(weights + k, here), product = load_some(products + k, here) * share;
          const Ints is_above = load_some(scores + k, here) > zero();
          above += is_above ? weight : zero();
          under += is_above ? zero() : weight;
          p_over += is_above ? weight * product : zero();
          p_under += is_above ? zero() : weight * product;
        }
        store_some(m_above + h, above, here);
        store_some(m_below + h, under, here);
        store_some(p_above + h, p_over, here);
        store_some(p_below + h, p_under, here);
      });
    });
    const int64_t at = node * f.heads + heads.first;
    each_vector(heads.count, [&](int64_t h, int64_t here) {
      const Floats none = zero();
      const Floats inverse = softmax.begun ? broadcast(1.0f) / load_some(softmax.total + h, here) : none;
      const Floats mean_above = load_some(p_above + h, here) * inverse;
      const Floats mean_below = load_some(p_below + h, here) * inverse;
      store_some(s.largest + at + h, softmax.begun ? load_some(softmax.largest + h, here) : none, here);
      store_some(s.inverse_total + at + h, inverse, here);
      store_some(s.mean + at + h, mean_above + mean_below, here);
      store_some(s.dtarget + at + h,
                 (broadcast(1.0f) - below) * inverse *
                     (mean_above * load_some(m_below + h, here) - mean_below * load_some(m_above + h, here)),
                 here);
    });
  });
}

// dh of one node, from the edges that begin there, and the gradients of the attention vectors added
// to their sums.
void backward_of_source(const GraphAttentionBackward<float>& f, const BackwardScratch& s, const float* dz, int64_t node,
                        float* dh, float* dattention_source, float* dattention_target) {
  const Floats below = broadcast(f.options.negative_slope), share = broadcast(f.share());
  const float* h_node = s.nodes.h + node * f.width();
  each_head_range(f.heads, [&](HeadRange heads) {
    HeadNumbers dsource = {};
    bool begun = false;
    each_block(f.transposed_offsets, f.targets, node, f.options.self_loops, [&](const int32_t* targets, int64_t edges) {
      alignas(64) BlockNumbers weights, products;
      add_parts(s.nodes.scores.source + node * f.heads + heads.first, s.nodes.scores.target, f.heads, heads, targets,
                edges, weights);
      for (int64_t e = 0; e < edges; ++e) {
        const float* dz_other = dz + targets[e] * f.outputs() + heads.first * f.output_step();
        for (int64_t h = 0; h < heads.count; ++h)
          products[e * heads.count + h] =
              dot(dz_other + h * f.output_step(), h_node + (heads.first + h) * f.features, f.features);
      }
      each_vector(heads.count, [&](int64_t h, int64_t here) {
        Floats sum = load_some(dsource + h, here);
        for (int64_t e = 0; e < edges; ++e) {
          const int64_t k = e * heads.count + h, at = targets[e] * f.heads + heads.first + h;
          const Floats score = load_some(weights + k, here);
          const Floats alpha =
              exp(leaky(score, below) - load_some(s.largest + at, here)) * load_some(s.inverse_total + at, here);
          const Floats p = load_some(products + k, here) * share;
          sum += alpha * (p - load_some(s.mean + at, here)) * leaky_slope(score, below);
          store_some(weights + k, alpha * share, here);
        }
        store_some(dsource + h, sum, here);
      });
      for (int64_t h = 0; h < heads.count; ++h)
        add_weighted(dz + (heads.first + h) * f.output_step(), f.outputs(), targets, edges, weights + h, heads.count,
                     begun ? 1.0f : 0.0f, f.features, dh + (heads.first + h) * f.features);
      begun = true;
    });
    if (!begun) clear(dh + heads.first * f.features, heads.count * f.features);
    for (int64_t h = 0; h < heads.count; ++h) {
      const int64_t at = (heads.first + h) * f.features;
      const Floats source = broadcast(dsource[h]), target = broadcast(s.dtarget[node * f.heads + heads.first + h]);
      each_vector(f.features, [&](int64_t c, int64_t here) {
        const Floats features = load_some(h_node + at + c, here);
        Floats sum = load_some(dh + at + c, here);
        sum = source * load_some(f.attention_source + at + c, here) + sum;
        sum = target * load_some(f.attention_target + at + c, here) + sum;
        store_some(dh + at + c, sum, here);
        float *to_source = dattention_source + at + c, *to_target = dattention_target + at + c;
        store_some(to_source, source * features + load_some(to_source, here), here);
        store_some(to_target, target * features + load_some(to_target, here), here);
      });
    }
  });
}

ups_status backward(const Call& call) {
  const GraphAttentionBackward<float> f(call);
  Threads& threads = *call.threads;
  const auto s = scratch_of<BackwardScratch>(call, f);
  const int64_t width = f.width(), outputs = f.outputs();
  const int32_t activation = f.options.activation;
  project(threads, f, s.nodes);
  pack_weight_for_gradient(threads, f.weight, width, f.inputs, s.packed_weight);

  const float* dz = f.dy;
  if (activation != UPS_ACTIVATION_NONE) {
    dz = s.dz;
    if (activation == UPS_ACTIVATION_GELU)
      attend_all(threads, f, s.nodes, s.heads_of_worker.values, UPS_ACTIVATION_NONE, s.dz);
    threads.run(ceil_div(f.nodes, chunk_rows), [&](int64_t task, int32_t) {
      const int64_t first = task * chunk_rows * outputs;
      const int64_t count = std::min(chunk_rows, f.nodes - task * chunk_rows) * outputs;
      slope_rows(f.y + first, f.dy + first, s.dz + first, count, activation);
    });
  }

  threads.run(ceil_div(f.nodes, tile_of_rows), [&](int64_t task, int32_t) {
    const int64_t end = std::min(f.nodes, (task + 1) * tile_of_rows);
    for (int64_t node = task * tile_of_rows; node < end; ++node) backward_of_target(f, s, dz, node);
  });
  const int64_t at_source = width * f.inputs, at_target = at_source + width, at_bias = at_target + width;
  s.sums.run(threads, [&](int64_t chunk, float* sum, int32_t worker) {
    const int64_t first = chunk * chunk_rows, rows = std::min(chunk_rows, f.nodes - first);
    float* dh = s.dh + worker * s.dh_floats;
    for (int64_t r = 0; r < rows; ++r)
      backward_of_source(f, s, dz, first + r, dh + r * width, sum + at_source, sum + at_target);
    if (f.dx)
      multiply(Order::rows, dh, width, rows, s.packed_weight, width, f.inputs, f.dx + first * f.inputs, f.inputs, {});
    if (f.dweight)
      add_weight_gradient(dh, width, f.x + first * f.inputs, f.inputs, rows, s.packed_x + worker * s.packed_x_floats,
                          sum);
    if (f.dbias) add_rows(dz + first * outputs, outputs, rows, outputs, sum + at_bias);
  });
  if (f.dweight) s.sums.total(threads, 0, width * f.inputs, f.dweight);
  if (f.dattention_source) s.sums.total(threads, at_source, width, f.dattention_source);
  if (f.dattention_target) s.sums.total(threads, at_target, width, f.dattention_target);
  if (f.dbias) s.sums.total(threads, at_bias, outputs, f.dbias);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, GraphAttentionConvForwardCall, forward,
                workspace_of<GraphAttentionForward<float>, Nodes, HeadsOfWorker>)
UPS_CPU_VARIANT(backward, GraphAttentionConvBackwardCall, backward,
                workspace_of<GraphAttentionBackward<float>, BackwardScratch>)

UPS_SIMD_END
