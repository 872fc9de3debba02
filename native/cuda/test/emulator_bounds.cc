// Accesses outside an object.  Without a sanitizer guard bands show the writes; AddressSanitizer
// stops at the very access, ThreadSanitizer at races.  Both end the process, so a child runs those.
#include <cstdlib>
#include <filesystem>

#include "emulator.h"
#include "sample_cases.h"

namespace {

using test::address_sanitized;
using test::config;
using test::contains;
using test::thread_sanitized;

UPS_KERNEL_LB(32) write_static_shared(float* out, int beyond) {
  UPS_SHARED(float, before, [32]);
  UPS_SHARED(float, values, [32]);
  const int thread = static_cast<int>(threadIdx.x);
  before[thread] = 1;
  values[thread == 7 ? 32 + beyond : thread] = 1;
  __syncthreads();
  out[thread] = values[thread] + before[thread];
}
UPS_KERNEL_LB(32) write_dynamic_shared(float* out, int beyond) {
  UPS_SHARED_DYN(float, values);
  const int thread = static_cast<int>(threadIdx.x);
  values[thread == 7 ? 32 + beyond : thread] = 1;
  __syncthreads();
  out[thread] = values[thread];
}
UPS_KERNEL_LB(32) read_dynamic_shared(float* out, int beyond) {
  UPS_SHARED_DYN(float, values);
  const int thread = static_cast<int>(threadIdx.x);
  values[thread] = 1;
  __syncthreads();
  out[thread] = values[thread == 7 ? 32 + beyond : thread];
}
UPS_KERNEL_LB(32) write_global(float* out, int at) {
  const int thread = static_cast<int>(threadIdx.x);
  out[thread == 7 ? at : thread] = 1;
}
UPS_KERNEL_LB(32) read_global(float* out, int at) {
  const int thread = static_cast<int>(threadIdx.x);
  out[thread] += out[thread == 7 ? at : thread];
}
UPS_KERNEL_LB(32) read_local(float* out, int at) {
  float values[8];
  for (int i = 0; i < 8; ++i) values[i] = static_cast<float>(i);
  out[threadIdx.x] = values[at];
}
UPS_KERNEL_LB(32) copy_beyond(float* out, int at) {
  UPS_SHARED(float, values, [32]);
  ups::cp_async<4>(&values[threadIdx.x], out + (threadIdx.x == 7 ? at : 0));
  ups::cp_async_commit();
  ups::cp_async_wait<0>();
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}
UPS_KERNEL_LB(32) add_from_every_block(float* sum) {
  if (threadIdx.x == 0) sum[0] += 1;
}

template <class Kernel>
void run_on_32(Kernel kernel, size_t shared_bytes, int argument) {
  const test::DeviceArray<float> out(32);
  (void)test::run(kernel, 1, 32, shared_bytes, out.data(), argument);
}

// ---- in a plain build

template <class Kernel>
void expect_band(Kernel kernel, size_t shared_bytes, int argument, cudaError_t error, const char* text) {
  const test::Settings settings;
  const test::DeviceArray<float> out(32);
  CHECK(test::run(kernel, 1, 32, shared_bytes, out.data(), argument) == error);
  if (!CHECK(contains(ups::emu::last_message(), text)))
    fprintf(stderr, "  the message: %s\n", ups::emu::last_message().c_str());
  ups::emu::clear_fault();
}

UPS_TEST(guard_bands, once) {
  if (address_sanitized || thread_sanitized) return;
  const char* shared = "write outside a shared memory object: near values (128 bytes)";
  expect_band(write_static_shared, 0, 0, cudaErrorLaunchFailure, shared);
  expect_band(write_static_shared, 0, 5, cudaErrorLaunchFailure, shared);
  expect_band(write_dynamic_shared, 128, 0, cudaErrorLaunchFailure, "near dynamic shared memory (128 bytes)");
  expect_band(write_global, 0, 32, cudaErrorIllegalAddress, "write past the end of a device allocation of 128 bytes");
  expect_band(write_global, 0, -1, cudaErrorIllegalAddress, "write before a device allocation of 128 bytes");
}

// ---- under a sanitizer, each in a child process

UPS_TEST(bad_static_shared, alone) { run_on_32(write_static_shared, 0, 0); }
UPS_TEST(bad_dynamic_shared, alone) { run_on_32(read_dynamic_shared, 128, 0); }
UPS_TEST(bad_global_write, alone) { run_on_32(write_global, 0, 32); }
UPS_TEST(bad_global_read, alone) { run_on_32(read_global, 0, 32); }
UPS_TEST(bad_local, alone) { run_on_32(read_local, 0, 8); }
UPS_TEST(bad_async_copy, alone) { run_on_32(copy_beyond, 0, 32); }
UPS_TEST(bad_host_read, alone) {
  const test::DeviceArray<float> device(32);
  const volatile float* pointer = device.data();
  printf("%g\n", static_cast<double>(pointer[0]));
}

UPS_TEST(race_without_barrier, alone) { sample::block_sum_error<64, sample::Fault::barrier_after_store>(); }
UPS_TEST(race_in_loop, alone) { sample::block_sum_error<64, sample::Fault::barrier_in_loop>(); }
UPS_TEST(race_before_use, alone) { sample::gemm_cp_async_error<sample::Fault::barrier_before_use>({32, 32, 32}); }
UPS_TEST(race_at_overwrite, alone) {
  sample::gemm_cp_async_error<sample::Fault::barrier_before_overwrite>({32, 32, 64});
}
UPS_TEST(race_in_mma, alone) { sample::gemm_mma_error<float, sample::Fault::barrier_before_use>({32, 16, 32}); }
UPS_TEST(race_in_ldmatrix, alone) {
  sample::gemm_mma_error<ups::bf16, sample::Fault::barrier_before_use>({32, 16, 32});
}
UPS_TEST(race_in_warp, alone) { sample::exchange_error<false>(); }
UPS_TEST(race_for_ticket, alone) { sample::last_block_error<true>(); }
UPS_TEST(race_of_blocks, alone) {
  const test::DeviceArray<float> sum(std::vector<float>(1, 0.0f));
  (void)test::run(add_from_every_block, 4, 32, 0, sum.data());
}

std::string output_of_child(const char* name) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  FILE* child = popen(("'" + self + "' --run " + name + " 2>&1").c_str(), "r");
  if (!CHECK(child != nullptr)) return {};
  std::string output;
  char part[4096];
  while (fgets(part, sizeof part, child) != nullptr) output += part;
  CHECK(pclose(child) != 0);
  return output;
}

void expect_report(const char* name, const char* report, const char* or_this) {
  const std::string output = output_of_child(name);
  if (!CHECK(contains(output, report) || contains(output, or_this))) fprintf(stderr, "  %s was not found\n", name);
}

UPS_TEST(address_sanitizer_finds, once) {
  if (!address_sanitized) return;
  for (const char* name : {"bad_static_shared", "bad_dynamic_shared", "bad_global_write", "bad_global_read",
                           "bad_local", "bad_async_copy", "bad_host_read"})
    expect_report(name, "ERROR: AddressSanitizer", "runtime error: index");  // UndefinedBehaviorSanitizer may be first
}

UPS_TEST(thread_sanitizer_finds, once) {
  if (!thread_sanitized) return;
  for (const char* name : {"race_without_barrier", "race_in_loop", "race_before_use", "race_at_overwrite",
                           "race_in_mma", "race_in_ldmatrix", "race_in_warp", "race_for_ticket", "race_of_blocks"})
    expect_report(name, "WARNING: ThreadSanitizer: data race", "WARNING: ThreadSanitizer: data race");
}

// ---- the environment, which is read once for each process

UPS_TEST(environment_is_read, alone) {
  const auto& settings = config();
  const bool read = settings.order == test::Order::random && settings.seed == 42 &&
                    settings.streams == test::Streams::lazy && settings.skip_line == 7 && settings.skip_file == "a.cu";
  if (!read) exit(EXIT_FAILURE);
}
UPS_TEST(environment_is_refused, alone) {
  const test::DeviceArray<float> out(32);
  const cudaError_t error = test::run(write_global, 1, 32, 0, out.data(), 0);
  if (error != cudaErrorInvalidConfiguration || !contains(ups::emu::last_message(), "_ORDER=sideways: expected"))
    exit(EXIT_FAILURE);
}

int child_with(const std::string& environment, const char* name) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  return system((environment + " '" + self + "' --run " + name).c_str());
}

UPS_TEST(environment, once) {
  CHECK(child_with("UPSILON_EMULATION_ORDER=random UPSILON_EMULATION_SEED=42 UPSILON_EMULATION_STREAMS=lazy "
                   "UPSILON_EMULATION_SKIP=a.cu:7",
                   "environment_is_read") == 0);
  CHECK(child_with("UPSILON_EMULATION_ORDER=sideways", "environment_is_refused") == 0);
}

}  // namespace
