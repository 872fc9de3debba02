// The sample kernels without a fault, in odd shapes; on a GPU as well.
#include "sample_cases.h"

namespace {

using sample::tolerance;

UPS_TEST(element_wise, every_schedule) {
  CHECK(sample::add_error(24) == 0);
  CHECK(sample::add_error(3) == 0);
}

UPS_TEST(sums_of_blocks, every_schedule) {
  CHECK(sample::block_sum_error<128>() < tolerance);
  CHECK(sample::block_sum_error<64>() < tolerance);
  CHECK(sample::last_block_error() < tolerance);
}

UPS_TEST(sums_in_warps, every_schedule) {
  CHECK(sample::segmented_scan_error() < tolerance);
  CHECK(sample::row_sums_error() < tolerance);
  CHECK(sample::exchange_error() == 0);
}

UPS_TEST(matrix_products, every_schedule) {
  CHECK(sample::gemm_cp_async_error({33, 36, 20}) < tolerance);
  CHECK(sample::gemm_cp_async_error({1, 4, 4}) < tolerance);
  CHECK((sample::gemm_mma_error<float>({35, 19, 21}) < tolerance));
  CHECK((sample::gemm_mma_error<ups::bf16>({35, 19, 37}) < tolerance));
}

UPS_TEST(lock, every_schedule) {
  const test::DeviceArray<int> lock(std::vector<int>(1, 0)), count(std::vector<int>(1, 0));
  CHECK(test::run(sample::count_under_lock, 3, 64, 0, lock.data(), count.data()) == cudaSuccess);
  CHECK(count.values()[0] == 3 * 64);
}

UPS_TEST(thousands_of_blocks, once) {
  constexpr unsigned blocks = 5000;
  const test::DeviceArray<float> in(test::random_floats(blocks * 64, 1)), sums(blocks);
  CHECK(test::run(sample::block_sum<64>, blocks, 64, 0, in.data(), sums.data(), static_cast<int>(blocks * 64)) ==
        cudaSuccess);
  for (const float sum : sums.values()) CHECK(std::fabs(sum) < 64);
}

}  // namespace
