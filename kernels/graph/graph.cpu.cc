#include "graph/edge_sort.h"

#define UPS_SIMD_SOURCE "graph/graph.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

UPS_CPU_VARIANT(from_edges, GraphFromEdgesCall, sort_edges<float>)
UPS_CPU_VARIANT(transpose, GraphTransposeCall, transpose_edges)

UPS_SIMD_END
