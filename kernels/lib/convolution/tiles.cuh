// Tiles of the matrix products that convolutions are, and the sums of their parts.
#pragma once
#include <type_traits>

#include "lib/convolution/device.h"
#include "lib/dense/matmul.cuh"

namespace upsilon {
namespace {

// By the number of output channels.
using NarrowTile = TileShape<256, 8, 16, 64, 2, 4, 1>;
using MiddleTile = TileShape<64, 32, 16, 16, 8, 2, 2>;
using WideTile = TileShape<64, 64, 16, 16, 8, 2, 2>;

// Calls product(precision), the precision as a type.
template <class Product>
void with_precision(int32_t precision, Product&& product) {
  if (precision == UPS_BF16) product(std::integral_constant<int, UPS_BF16>{});
  else if (precision == UPS_TF32) product(std::integral_constant<int, UPS_TF32>{});
  else product(std::integral_constant<int, UPS_FP32>{});
}

// result[i] = the sum over parts p of parts[p * length + i], in the order of the parts.
template <int threads, class Part>
UPS_KERNEL_LB(threads)
add_parts(const int32_t* fault, const Part* parts, int64_t count, int64_t length, float* result) {
  if (*fault != 0) return;
  for (int64_t i = global_thread(); i < length; i += global_threads()) {
    Part sum = 0;
    for (int64_t p = 0; p < count; ++p) sum += parts[p * length + i];
    result[i] = static_cast<float>(sum);
  }
}

}  // namespace
}  // namespace upsilon
