// Faults that only some schedules show: missing barriers, a wait too short, memory that nobody
// wrote.  Most are races on purpose, which ThreadSanitizer would report; emulator_bounds.cc looks
// at those one by one.
#include "emulator.h"
#include "sample_cases.h"

namespace {

using sample::Fault;
using sample::tolerance;
using test::config;
using test::Order;
using test::wrong_seeds;

constexpr int seeds = 20;

UPS_TEST(missing_barriers, once) {
  if (test::thread_sanitized) return;
  const test::Settings settings;
  const auto found = [](auto error) { return wrong_seeds(seeds, tolerance, error); };
  CHECK(found(sample::block_sum_error<128, Fault::barrier_after_store>) == seeds);
  CHECK(found(sample::block_sum_error<128, Fault::barrier_in_loop>) == seeds);
  CHECK(found([] { return sample::gemm_cp_async_error<Fault::barrier_before_use>({32, 32, 64}); }) == seeds);
  CHECK(found([] { return sample::gemm_cp_async_error<Fault::barrier_before_overwrite>({32, 32, 64}); }) == seeds);
  CHECK(found([] { return sample::gemm_mma_error<float, Fault::barrier_before_use>({32, 16, 64}); }) == seeds);
  CHECK(found([] { return sample::gemm_mma_error<float, Fault::barrier_before_overwrite>({32, 16, 64}); }) == seeds);
  CHECK(found(sample::exchange_error<false>) == seeds);
  CHECK(found(sample::block_sum_error<128>) == 0);
  CHECK(found(sample::exchange_error<true>) == 0);
}

UPS_TEST(wait_for_too_few_copies, once) {
  if (test::thread_sanitized) return;
  const test::Settings settings;
  const auto error = [] { return sample::gemm_cp_async_error<Fault::wait>({32, 32, 64}); };
  CHECK(wrong_seeds(seeds, tolerance, error) == seeds);
  for (const Order order : {Order::forward, Order::reverse}) {
    config().order = order;
    CHECK(!(error() <= tolerance));
  }
}

UPS_KERNEL_LB(32) reads_what_nobody_wrote(float* out) {
  UPS_SHARED(float, values, [32]);
  if (threadIdx.x != 5) values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

UPS_TEST(unwritten_memory_is_nan, once) {
  const test::Settings settings;
  const test::DeviceArray<float> out(32), fresh(32);
  CHECK(std::isnan(fresh.values()[0]));
  CHECK(test::run(reads_what_nobody_wrote, 1, 32, 0, out.data()) == cudaSuccess);
  CHECK(std::isnan(out.values()[5]) && out.values()[6] == 1);
}

// Every barrier that a kernel meets matters: without it some seed gives a wrong result or an error.
template <class Error>
void mutate_every_barrier(const char* name, size_t expected_sites, Error error) {
  const test::Settings settings;
  const auto known = ups::emu::barrier_sites().size();
  config().record_sites = true;
  CHECK(error() <= tolerance);
  config().record_sites = false;
  const auto sites = ups::emu::barrier_sites();
  CHECK(sites.size() == known + expected_sites);
  for (size_t i = known; i < sites.size(); ++i) {
    config().skip_file = sites[i].file;
    config().skip_line = sites[i].line;
    if (!CHECK(wrong_seeds(seeds, tolerance, error) == seeds))
      fprintf(stderr, "  %s survives without the barrier at %s:%d\n", name, sites[i].file.c_str(), sites[i].line);
  }
  config().skip_file = "another_file.h";
  CHECK(wrong_seeds(2, tolerance, error) == 0);
}

UPS_TEST(mutations, once) {
  if (test::thread_sanitized) return;
  mutate_every_barrier("block_sum", 2, [] { return sample::block_sum_error<128>(); });
  mutate_every_barrier("gemm_cp_async", 2, [] { return sample::gemm_cp_async_error({32, 32, 64}); });
  mutate_every_barrier("gemm_mma", 2, [] { return sample::gemm_mma_error<float>({32, 16, 64}); });
  mutate_every_barrier("exchange_in_warp", 1, [] { return sample::exchange_error(); });
}

UPS_KERNEL_LB(32) order_of_threads(int* ticket, int* place) {
  place[blockIdx.x * 32 + threadIdx.x] = atomicAdd(ticket, 1);
}

std::vector<int> places() {
  const test::DeviceArray<int> ticket(std::vector<int>(1, 0)), place(4 * 32);
  CHECK(test::run(order_of_threads, 4, 32, 0, ticket.data(), place.data()) == cudaSuccess);
  return place.values();
}

UPS_TEST(schedules_are_what_they_say, once) {
  const test::Settings settings;
  const auto forward = places();
  for (int i = 0; i < 4 * 32; ++i) CHECK(forward[static_cast<size_t>(i)] == i);
  config().order = Order::reverse;
  const auto reverse = places();
  for (int i = 0; i < 4 * 32; ++i) CHECK(reverse[static_cast<size_t>(i)] == 4 * 32 - 1 - i);
  config().order = Order::random;
  config().seed = 1;
  const auto first = places(), again = places();
  config().seed = 2;
  const auto second = places();
  CHECK(first == again && first != second && first != forward && second != forward);
}

}  // namespace
