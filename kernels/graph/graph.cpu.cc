#include "graph/edge_sort.h"

#define UPS_SIMD_SOURCE "graph/graph.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

UPS_CPU_VARIANT(from_edges, "graph_from_edges", sort_edges<float>, nullptr, weights_match)
UPS_CPU_VARIANT(transpose, "graph_transpose", transpose_edges)

UPS_SIMD_END
