// Matrix products of the present instruction set: C[rows, columns] = A[rows, depth] B[depth,
// columns], float32.
//
// B is packed once into panels of `panel_columns` columns: panel p holds, for every k, its columns
// side by side (the last panel is padded with zeros). A is read where it lies. A tile of tile_rows
// x panel_columns sums stays in registers while k runs. With B small (a layer's weights) it sits in
// L1/L2 and A streams through once; with large depth the k range is cut so that a slice of a panel
// stays in L1. Compiled in lib/dense/matmul.cpu.cc.
#if defined(UPS_LIB_DENSE_MATMUL_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_DENSE_MATMUL_SIMD_H
#undef UPS_LIB_DENSE_MATMUL_SIMD_H
#else
#define UPS_LIB_DENSE_MATMUL_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

#if UPS_LANES == 16
constexpr int tile_rows = 12;  // 24 sums, 2 of B, 1 of A: 27 of 32 registers
#else
constexpr int tile_rows = 6;  // 12 sums, 2 of B, 1 of A: 15 of 16 registers
#endif
constexpr int panel_columns = 2 * UPS_LANES;

// Floats a packed B takes, and its panels.
inline int64_t packed_size(int64_t depth, int64_t columns) { return depth * round_up(columns, panel_columns); }
inline int64_t panels(int64_t columns) { return ceil_div(columns, panel_columns); }

// Packs one panel of B[k, n] = w[n, k] to `to`: a weight in PyTorch's layout [columns, depth], rows
// `stride` apart.
void pack_panel_transposed(const float* w, int64_t stride, int64_t depth, int64_t columns, int64_t panel, float* to);
// Packs one panel of B[k, n] = b[k, n] to `to`, rows `stride` apart.
void pack_panel(const float* b, int64_t stride, int64_t depth, int64_t columns, int64_t panel, float* to);
// Packs a whole weight [columns, depth] as B, or as its transpose; `packed` has packed_size(depth,
// columns) floats.
void pack_weight(Threads& threads, const float* weight, int64_t depth, int64_t columns, float* packed);
void pack_weight_for_gradient(Threads& threads, const float* weight, int64_t depth, int64_t columns, float* packed);

// What happens to the sums before they are stored.
struct Finish {
  const float* bias = nullptr;  // per column; not together with accumulate
  bool accumulate = false;  // add to C instead of overwriting it
  bool relu = false;
};

// Memory that is needed next: prefetched into L2 while a product runs, one line at every step of a
// tile, which costs the product nothing; area after area, as long as there are steps. Without any
// area a tile prefetches the rows of A and C of the next tile.
struct Ahead {
  static constexpr int areas = 3;
  const float* from[areas] = {};
  int64_t floats[areas] = {};
};

// How A is read: by rows (A[r, k] = a[r * step + k]) or by columns (A[r, k] = a[k * step + r], a
// transposed matrix).
enum class Order { rows, columns };

// C = A B, with B packed over the whole depth.
void multiply(Order order, const float* a, int64_t a_step, int64_t rows, const float* packed, int64_t depth,
              int64_t columns, float* c, int64_t c_stride, Finish finish, Ahead ahead = {});
// C = A B, A read by columns and B where it lies, its rows `b_step` apart; `columns` is a multiple
// of panel_columns.
void multiply_transposed(const float* a, int64_t a_step, int64_t rows, const float* b, int64_t b_step, int64_t depth,
                         int64_t columns, float* c, int64_t c_stride, Finish finish, Ahead ahead = {});

UPS_SIMD_SHARED_END

#endif
