// What is wrong in every schedule ends the launch with an error that names the place, and never
// hangs.
#include "emulator.h"
#include "sample_kernels.h"

namespace {

using test::config;
using test::contains;
using test::Order;

UPS_KERNEL_LB(32) barrier_in_branches(float* out) {
  if (threadIdx.x < 16) {
    out[threadIdx.x] = 1;
    __syncthreads();
  } else {
    out[threadIdx.x] = 2;
    __syncthreads();
  }
}
UPS_KERNEL_LB(32) two_barriers_on_a_line(float*) {
  // clang-format off
  if (threadIdx.x < 16) __syncthreads(); else __syncthreads();
  // clang-format on
}
UPS_KERNEL_LB(32) early_exit(float* out) {
  if (threadIdx.x == 3) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}
UPS_KERNEL_LB(32) unequal_trips(float* out) {
  for (unsigned i = 0; i < threadIdx.x % 2 + 1; ++i) __syncthreads();
  out[threadIdx.x] = 1;
}
UPS_KERNEL_LB(32) half_warp_shuffle(float* out) {
  float value = 1;
  if (threadIdx.x % 2 == 1) value = __shfl_xor_sync(0xffffffffu, value, 2);
  out[threadIdx.x] = value;
}
UPS_KERNEL_LB(32) waiting_half(float* out) {
  float value = 1;
  if (threadIdx.x < 16) value = __shfl_xor_sync(0xffffffffu, value, 2);
  else __syncthreads();
  out[threadIdx.x] = value;
}
UPS_KERNEL_LB(32) shuffles_in_branches(float* out) {
  float value = 1;
  if (threadIdx.x < 16) value = __shfl_xor_sync(0xffffffffu, value, 2);
  else value = __shfl_xor_sync(0xffffffffu, value, 2);
  out[threadIdx.x] = value;
}
UPS_KERNEL_LB(32) sums_in_branches(float* out) {  // the place is the caller's, not the line inside the tile
  float value = 1;
  if (threadIdx.x < 16) value = ups::warp_sum(value);
  else value = ups::warp_sum(value);
  out[threadIdx.x] = value;
}
UPS_KERNEL_LB(32) source_outside_mask(float* out) {
  float value = 1;
  if (threadIdx.x < 16) value = __shfl_sync(0x0000ffffu, value, 20);
  out[threadIdx.x] = value;
}
UPS_KERNEL_LB(32) mask_without_caller(float* out) { out[threadIdx.x] = __shfl_sync(0xfffffffeu, 1.0f, 1); }
UPS_KERNEL_LB(32) odd_width(float* out) { out[threadIdx.x] = __shfl_sync(0xffffffffu, 1.0f, 1, 12); }
UPS_KERNEL_LB(64) whole_warps(float* out) { out[threadIdx.x] = ups::warp_sum(1.0f); }
UPS_KERNEL_LB(32) copies_not_awaited(float* out) {
  UPS_SHARED(float, stage, [32]);
  ups::cp_async<4>(&stage[threadIdx.x], out + threadIdx.x);
  ups::cp_async_commit();
}
UPS_KERNEL_LB(32) copies_not_committed(float* out) {
  UPS_SHARED(float, stage, [32]);
  ups::cp_async<4>(&stage[threadIdx.x], out + threadIdx.x);
  ups::cp_async_wait<0>();
}
UPS_KERNEL_LB(32) misaligned_copy(float* out) {
  UPS_SHARED(float4, stage, [32]);
  ups::cp_async<16>(&stage[threadIdx.x], out + threadIdx.x);
  ups::cp_async_commit();
  ups::cp_async_wait<0>();
}
UPS_KERNEL_LB(32) copy_to_global(float* out) {
  ups::cp_async<4>(out + threadIdx.x, out + threadIdx.x);
  ups::cp_async_commit();
  ups::cp_async_wait<0>();
}
UPS_KERNEL_LB(32) too_much_shared(float* out) {
  UPS_SHARED(float, large, [13000]);
  large[threadIdx.x] = 1;
  out[threadIdx.x] = large[threadIdx.x];
}
UPS_KERNEL_LB(64) endless_lock(float*) {
  UPS_SHARED(int, lock);
  if (threadIdx.x == 0) lock = 1;
  __syncthreads();
  while (atomicCAS(&lock, 0, 1) != 0) {
  }
}
UPS_KERNEL_LB(64) waits_for_another_block(int* flag) {
  if (blockIdx.x == 1) atomicExch(flag, 1);
  else
    while (atomicAdd(flag, 0) == 0) {
    }
}

// In every order the launch fails, and with one of these texts.
template <class T, class... Parameters>
void expect_fault(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::vector<std::string> texts) {
  const test::Settings settings;
  config().spin_limit = 10000;
  for (const Order order : {Order::forward, Order::reverse, Order::random}) {
    config().order = order;
    T* out = nullptr;
    CHECK(cudaMalloc(&out, 64 * sizeof(T)) == cudaSuccess);
    CHECK(cudaMemset(out, 0, 64 * sizeof(T)) == cudaSuccess);
    CHECK(test::run(kernel, grid, block, 0, out) == cudaErrorLaunchFailure);
    const std::string message = ups::emu::last_message();
    bool expected = false;
    for (const std::string& text : texts) expected = expected || contains(message, text);
    if (!CHECK(expected)) fprintf(stderr, "  the message: %s\n", message.c_str());
    CHECK(contains(message, "block (0,0,0)") || contains(message, "block (1,0,0)"));
    ups::emu::clear_fault();
    CHECK(cudaFree(out) == cudaSuccess);
  }
}

UPS_TEST(divergent_barriers, once) {
  expect_fault<float>(barrier_in_branches, 1, 32, {"divergent barrier: this thread is at emulator_errors.cc:"});
  expect_fault<float>(two_barriers_on_a_line, 1, 32, {"divergent barrier: this thread is at emulator_errors.cc:"});
  expect_fault<float>(unequal_trips, 1, 32, {"reached after", "a thread returned while"});
}

UPS_TEST(early_exits, once) {
  expect_fault<float>(early_exit, 1, 32,
                      {"a thread returned while", "barrier at emulator_errors.cc:", "of 32 threads returned"});
  const test::Settings settings;
  config().strict_exit = false;  // as the hardware does
  const test::DeviceArray<float> out(32);
  CHECK(test::run(early_exit, 1, 32, 0, out.data()) == cudaSuccess);
  CHECK(out.values()[4] == 1);
}

UPS_TEST(divergent_warps, once) {
  expect_fault<float>(half_warp_shuffle, 1, 32, {"which has returned", "deadlock"});
  expect_fault<float>(waiting_half, 1, 32, {"deadlock: no thread can go on; thread 0 (warp 0 lane 0) waits in"});
  expect_fault<float>(shuffles_in_branches, 1, 32, {"divergent warp operation: this lane is in __shfl_xor_sync"});
  expect_fault<float>(sums_in_branches, 1, 32, {"in __shfl_xor_sync(ffffffff) at emulator_errors.cc:"});
  expect_fault<float>(source_outside_mask, 1, 32, {"reads a lane outside mask 0000ffff"});
  expect_fault<float>(mask_without_caller, 1, 32,
                      {"mask fffffffe does not name the calling lane 0", "names lane 0, which has", "deadlock"});
  expect_fault<float>(odd_width, 1, 32, {"the width 12 is no power of two"});
  expect_fault<float>(whole_warps, 1, 40, {"names lanes that do not exist"});
}

UPS_TEST(bad_copies, once) {
  expect_fault<float>(misaligned_copy, 1, 32, {"cp.async: the source"});
  expect_fault<float>(copy_to_global, 1, 32, {"is outside every object in shared memory"});
  expect_fault<float>(copies_not_awaited, 1, 32, {"cp.async copies it did not wait for"});
  expect_fault<float>(copies_not_committed, 1, 32, {"cp.async copies it did not wait for"});
}

UPS_TEST(too_much_shared_memory, once) {
  expect_fault<float>(too_much_shared, 1, 32, {"static shared memory exceeds 49152 bytes with large"});
}

UPS_TEST(livelocks, once) {
  expect_fault<float>(endless_lock, 1, 64, {"livelock"});
  const test::Settings settings;
  config().spin_limit = 10000;
  const test::DeviceArray<int> flag(std::vector<int>(1, 0));
  CHECK(test::run(waits_for_another_block, 2, 64, 0, flag.data()) == cudaErrorLaunchFailure);
  CHECK(contains(ups::emu::last_message(), "a wait for another block?"));
}

UPS_TEST(faults_stay, once) {
  const test::Settings settings;
  const test::DeviceArray<float> out(64);
  CHECK(test::run(early_exit, 1, 32, 0, out.data()) == cudaErrorLaunchFailure);
  const std::string first = ups::emu::last_message();
  CHECK(cudaGetLastError() == cudaErrorLaunchFailure && cudaGetLastError() == cudaErrorLaunchFailure);
  CHECK(ups::launch(whole_warps, 1, 64, 0, nullptr, out.data()) == cudaErrorLaunchFailure);
  CHECK(ups::launch(whole_warps, 1, 2000, 0, nullptr, out.data()) != cudaSuccess);
  CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
  void* memory = nullptr;
  CHECK(cudaMalloc(&memory, 64) == cudaErrorLaunchFailure);
  CHECK(ups::emu::last_message() == first);
  ups::emu::clear_fault();
  CHECK(cudaGetLastError() == cudaSuccess && ups::emu::last_message().empty());
  CHECK(test::run(whole_warps, 1, 64, 0, out.data()) == cudaSuccess);
}

UPS_TEST(handles_that_are_not_known, once) {
  const test::Settings settings;
  const test::DeviceArray<float> out(64);
  int not_a_handle = 0;
  auto* const stream = reinterpret_cast<cudaStream_t>(&not_a_handle);
  auto* const event = reinterpret_cast<cudaEvent_t>(&not_a_handle);
  CHECK(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle);
  CHECK(cudaEventRecord(event, nullptr) == cudaErrorInvalidResourceHandle);
  CHECK(ups::launch(whole_warps, 1, 64, 0, stream, out.data()) == cudaErrorInvalidResourceHandle);
  CHECK(cudaFree(&not_a_handle) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(out.data(), &not_a_handle, 4, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(out.data() + 60, &not_a_handle, 64, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemset(&not_a_handle, 0, 4) == cudaErrorInvalidValue);
}

}  // namespace
