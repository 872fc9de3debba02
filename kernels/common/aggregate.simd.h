// The sum over a node's edges, y = scale * (sum over edges of w_e s_source x[source] + loop * s_self x[self]).
// Compiled in common/aggregate.cpu.cc.

UPS_SIMD_SHARED_BEGIN

struct Edges {
  const int32_t* sources;
  const int32_t* ids = nullptr;          // where an edge's weight lies; null: at the edge itself
  const float* weights = nullptr;        // per edge; null: 1
  const float* source_scale = nullptr;   // per node; null: 1
};

// Sums rows of x over the edges first .. end in their order. `self` < 0: no loop; otherwise edges from `self` are left
// out and `loop` times row `self` is added last.
void aggregate_row(const Edges& edges, int32_t first, int32_t end, int64_t self, float loop, float scale,
                   const float* x, int64_t features, float* y);

UPS_SIMD_SHARED_END
