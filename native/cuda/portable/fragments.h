// What one lane holds of the matrices of a warp-wide product D[16,8] += A[16,K] B[K,8].
// With group = lane / 4 and pair = lane % 4 (PTX ISA, "Matrix Fragments for mma"):
//   C     r[i]: row group + 8 (i / 2),  column 2 pair + i % 2
//   tf32  K = 8.   A r[i]: row group + 8 (i % 2), column pair + 4 (i / 2)
//                  B r[i]: row pair + 4 i, column group
//   bf16  K = 16.  A r[i]: row group + 8 (i % 2), columns 2 pair + 8 (i / 2) and the next, the
//                          first in the low half
//                  B r[i]: rows 2 pair + 8 i and the next, column group
#pragma once

namespace ups {

struct FragA_tf32 {
  uint32_t r[4];
};
struct FragB_tf32 {
  uint32_t r[2];
};
struct FragA_bf16 {
  uint32_t r[4];
};
struct FragB_bf16 {
  uint32_t r[2];
};
struct FragC {
  float r[4];
};

}  // namespace ups
