// Gradients that are sums over all rows of a batch (a layer's weight and bias), with bits that
// depend on the shape only.
//
// Rows come in fixed chunks. The chunks are dealt to a fixed number of groups; each group adds into
// a sum of its own, chunk after chunk, and the groups are added in order at the end. Threads only
// decide who works on which group. Compiled in lib/dense/weight_gradient.cpu.cc.
#if defined(UPS_LIB_DENSE_WEIGHT_GRADIENT_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_DENSE_WEIGHT_GRADIENT_SIMD_H
#undef UPS_LIB_DENSE_WEIGHT_GRADIENT_SIMD_H
#else
#define UPS_LIB_DENSE_WEIGHT_GRADIENT_SIMD_H
#endif

#include "lib/dense/matmul.simd.h"
#include "lib/simd/sums.simd.h"

UPS_SIMD_SHARED_BEGIN

constexpr int64_t chunk_rows = 240;  // what most layers take: a multiple of every tile height

struct GroupSums {
  int64_t chunks = 0, groups = 1, floats = 0;
  float* sums = nullptr;

  GroupSums() = default;
  // `floats`: numbers summed up, e.g. outputs * inputs + outputs for a weight and a bias.
  GroupSums(int64_t chunks_, int64_t floats_, WorkspaceLayout& workspace);

  // body(chunk, sum, worker) for every chunk.
  template <class Body>
  void run(Threads& threads, Body&& body) const {
    threads.run(groups, [&](int64_t group, int32_t worker) {
      float* sum = sums + group * floats;
      clear(sum, floats);
      for (int64_t chunk = chunks * group / groups; chunk < chunks * (group + 1) / groups; ++chunk)
        body(chunk, sum, worker);
    });
  }

  // result = the `length` numbers from `first` on, added over the groups.
  void total(Threads& threads, int64_t first, int64_t length, float* result) const;
};

// Room for the columns that fill no whole panel.
inline int64_t packed_rows_size(int64_t rows, int64_t columns) {
  return columns % panel_columns ? round_up(rows * panel_columns, 16) : 0;
}

// dweight[outputs, inputs] += dz[rows, outputs]^T x[rows, inputs]; `packed` has
// packed_rows_size(rows, inputs) floats. Whole panels of x are read where they lie.
void add_weight_gradient(const float* dz, int64_t outputs, const float* x, int64_t inputs, int64_t rows, float* packed,
                         float* dweight, Ahead ahead = {});

UPS_SIMD_SHARED_END

#endif
