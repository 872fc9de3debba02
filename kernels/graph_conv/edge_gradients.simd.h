// The gradient of graph_conv's edge weights; the formulas are in graph_conv.h. Work: 2 N Fin Fout
// FLOP for one product with the weight, 2 (E + N) min(Fin, Fout) for the products over the edges;
// nothing of E x F is stored.
#if defined(UPS_GRAPH_CONV_EDGE_GRADIENTS_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_GRAPH_CONV_EDGE_GRADIENTS_SIMD_H
#undef UPS_GRAPH_CONV_EDGE_GRADIENTS_SIMD_H
#else
#define UPS_GRAPH_CONV_EDGE_GRADIENTS_SIMD_H
#endif

#include "graph_conv/graph_conv_call.h"
#include "lib/dense/matmul.simd.h"
#include "lib/graph/edge_products.simd.h"

UPS_SIMD_BEGIN

// For the gradient of the edge weights. The narrower side is multiplied: <W^T dz_i, x_j> or <dz_i,
// W x_j>.
struct EdgeScratch {
  float *packed, *product;  // dz W [N, Fin] or x W^T [N, Fout]
  float *loop, *in, *of_degree;  // per node: q of its loop, the sum of c q over its edges, dL/dd

  EdgeScratch(const GraphConvBackward<float>& f, WorkspaceLayout& workspace) {
    if (!f.dedge_weights) return;
    packed = workspace.reserve<float>(f.inputs <= f.outputs ? packed_size(f.outputs, f.inputs)
                                                            : packed_size(f.inputs, f.outputs));
    product = workspace.reserve<float>(f.nodes * std::min(f.inputs, f.outputs));
    loop = workspace.reserve<float>(f.nodes);
    in = workspace.reserve<float>(f.nodes);
    of_degree = workspace.reserve<float>(f.nodes);
  }
};

// Sums of c q in double: they cancel against the edges' own terms, exactly so where scaling all
// weights changes nothing.
void edge_gradients(const Call& call, const GraphConvBackward<float>& f, const NodeFactors<float>& factors,
                    const float* dz, const EdgeScratch& scratch) {
  constexpr int64_t rows_per_task = 256;
  Threads& threads = *call.threads;
  const bool by_inputs = f.inputs <= f.outputs, loops = f.options.self_loops;
  const bool symmetric = f.options.normalization == UPS_NORMALIZATION_SYMMETRIC;
  const int64_t width = std::min(f.inputs, f.outputs), depth = std::max(f.inputs, f.outputs);
  const auto each_tile = [&](auto&& body) {
    threads.run(ceil_div(f.nodes, rows_per_task), [&](int64_t task, int32_t) {
      body(task * rows_per_task, std::min(rows_per_task, f.nodes - task * rows_per_task));
    });
  };
  if (by_inputs) pack_weight_for_gradient(threads, f.weight, f.outputs, f.inputs, scratch.packed);
  else pack_weight(threads, f.weight, f.inputs, f.outputs, scratch.packed);
  each_tile([&](int64_t first, int64_t rows) {
    multiply(Order::rows, (by_inputs ? dz : f.x) + first * depth, depth, rows, scratch.packed, depth, width,
             scratch.product + first * width, width, {});
  });

  const EdgeProducts graph{
      f.row_offsets, f.sources, nullptr, by_inputs ? scratch.product : dz, by_inputs ? f.x : scratch.product,
      width,         f.edges};
  const auto weight = [&](int64_t e) { return f.edge_weights ? f.edge_weights[e] : 1.0f; };
  const auto finish = [&](int64_t i, float of_degree) {
    finish_edge_gradients(i, f.row_offsets, f.sources, f.options, factors, of_degree, f.dedge_weights);
  };
  const int64_t begin = f.nodes ? f.row_offsets[0] : f.edges, end = f.nodes ? f.row_offsets[f.nodes] : f.edges;
  clear(f.dedge_weights, begin);
  clear(f.dedge_weights + end, f.edges - end);
  each_tile([&](int64_t first, int64_t rows) {
    multiply_edges(graph, first, rows, f.dedge_weights);
    for (int64_t i = first; i < first + rows; ++i) {
      double in = 0;
      for (int64_t e = f.row_offsets[i]; e < f.row_offsets[i + 1]; ++e)
        if (!loops || f.sources[e] != i)
          in += static_cast<double>(weight(e) * factors.source[f.sources[e]]) * f.dedge_weights[e];
      if (loops) {
        scratch.loop[i] = dot(graph.a + i * width, graph.b + i * width, width);
        in += static_cast<double>(factors.loop[i] * factors.source[i]) * scratch.loop[i];
      }
      scratch.in[i] = static_cast<float>(factors.target[i] * in);
      if (!symmetric) finish(i, degree_gradient(i, f.options, factors, scratch.in[i], 0.0f));
    }
  });
  if (!symmetric) return;
  each_tile([&](int64_t first, int64_t rows) {
    for (int64_t i = first; i < first + rows; ++i) {
      double out = 0;
      for (int64_t place = f.transposed_offsets[i]; place < f.transposed_offsets[i + 1]; ++place) {
        const int64_t target = f.targets[place], e = f.edge_ids[place];
        if (!loops || target != i) out += static_cast<double>(factors.target[target] * weight(e)) * f.dedge_weights[e];
      }
      if (loops) out += static_cast<double>(factors.target[i] * factors.loop[i]) * scratch.loop[i];
      scratch.of_degree[i] =
          degree_gradient(i, f.options, factors, scratch.in[i], static_cast<float>(factors.source[i] * out));
    }
  });
  each_tile([&](int64_t first, int64_t rows) {
    for (int64_t i = first; i < first + rows; ++i) finish(i, scratch.of_degree[i]);
  });
}

UPS_SIMD_END

#endif
