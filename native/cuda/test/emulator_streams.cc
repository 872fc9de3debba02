// Streams: what the lazy and the random mode are for, the default stream, and calls from several
// host threads.
#include <algorithm>
#include <thread>

#include "emulator.h"
#include "sample_kernels.h"

namespace {

using test::config;
using test::Streams;

enum class HostFault { none, buffer_reused, wait_missing };

// Upload in one stream, kernel in another.  True if the result is wrong.
bool two_streams_go_wrong(HostFault fault) {
  constexpr int count = 256;
  const test::Stream upload, compute;
  cudaEvent_t uploaded = nullptr;
  CHECK(cudaEventCreateWithFlags(&uploaded, cudaEventDisableTiming) == cudaSuccess);
  float* pinned = nullptr;
  CHECK(cudaMallocHost(&pinned, count * sizeof(float)) == cudaSuccess);
  std::fill_n(pinned, count, 1.0f);
  const test::DeviceArray<float> in(count), out(count);
  CHECK(cudaMemcpyAsync(in.data(), pinned, count * sizeof(float), cudaMemcpyHostToDevice, upload) == cudaSuccess);
  CHECK(cudaEventRecord(uploaded, upload) == cudaSuccess);
  if (fault == HostFault::buffer_reused) std::fill_n(pinned, count, 7.0f);
  if (fault != HostFault::wait_missing) CHECK(cudaStreamWaitEvent(compute, uploaded, 0) == cudaSuccess);
  CHECK(ups::launch(sample::add, 1, 64, 0, compute, in.data(), in.data(), out.data(), count) == cudaSuccess);
  CHECK(cudaEventDestroy(uploaded) == cudaSuccess);  // allowed while work waits for it
  std::vector<float> result(count);
  CHECK(cudaMemcpyAsync(result.data(), out.data(), count * sizeof(float), cudaMemcpyDeviceToHost, compute) ==
        cudaSuccess);
  CHECK(cudaStreamSynchronize(compute) == cudaSuccess);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
  return std::any_of(result.begin(), result.end(), [](float value) { return value != 2.0f; });
}

int times_wrong(HostFault fault, Streams mode) {
  const test::Settings settings;
  config().streams = mode;
  int wrong = 0;
  for (int time = 0; time < 20; ++time) wrong += two_streams_go_wrong(fault);
  return wrong;
}

UPS_TEST(stream_order, once) {
  for (const Streams mode : {Streams::eager, Streams::lazy, Streams::random})
    CHECK(times_wrong(HostFault::none, mode) == 0);
  for (const HostFault fault : {HostFault::buffer_reused, HostFault::wait_missing}) {
    CHECK(times_wrong(fault, Streams::eager) == 0);  // which is why the other two exist
    CHECK(times_wrong(fault, Streams::lazy) == 20);
    CHECK(times_wrong(fault, Streams::random) > 0);
  }
}

UPS_TEST(pageable_sources_are_staged, once) {
  const test::Settings settings;
  config().streams = Streams::lazy;
  const test::Stream stream;
  std::vector<float> host(64, 1.0f);
  const test::DeviceArray<float> device(64);
  CHECK(cudaMemcpyAsync(device.data(), host.data(), 256, cudaMemcpyHostToDevice, stream) == cudaSuccess);
  std::fill(host.begin(), host.end(), 2.0f);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(device.values()[63] == 1.0f);
}

UPS_TEST(default_stream_waits_for_blocking_streams, once) {
  const test::Settings settings;
  config().streams = Streams::lazy;
  cudaStream_t blocking = nullptr;
  CHECK(cudaStreamCreate(&blocking) == cudaSuccess);
  const test::DeviceArray<int> device(4);
  int value = 0;
  CHECK(cudaMemsetAsync(device.data(), 1, 16, blocking) == cudaSuccess);
  CHECK(cudaMemcpy(&value, device.data(), 4, cudaMemcpyDeviceToHost) == cudaSuccess && value == 0x01010101);
  CHECK(cudaMemset(device.data(), 2, 16) == cudaSuccess);
  CHECK(cudaMemsetAsync(device.data(), 3, 16, blocking) == cudaSuccess);
  CHECK(cudaStreamDestroy(blocking) == cudaSuccess);  // its work is still done
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(cudaMemcpy(&value, device.data(), 4, cudaMemcpyDeviceToHost) == cudaSuccess && value == 0x03030303);
}

UPS_TEST(polling_gets_somewhere, once) {
  const test::Settings settings;
  config().streams = Streams::lazy;
  const test::Stream stream;
  const test::DeviceArray<int> device(4);
  for (int i = 0; i < 3; ++i) CHECK(cudaMemsetAsync(device.data(), i, 16, stream) == cudaSuccess);
  int polls = 0;
  while (cudaStreamQuery(stream) == cudaErrorNotReady && polls < 10) ++polls;
  CHECK(polls == 2 && cudaGetLastError() == cudaSuccess);
}

void launch_many(int* failures) {
  constexpr int count = 300;
  const test::Stream stream;
  const test::DeviceArray<float> in(std::vector<float>(count, 1.5f)), out(count);
  for (int i = 0; i < 10; ++i) {
    *failures += ups::launch(sample::add, 4, 64, 0, stream, in.data(), in.data(), out.data(), count) != cudaSuccess;
    *failures += cudaStreamSynchronize(stream) != cudaSuccess;
    const auto values = out.values();
    *failures += std::any_of(values.begin(), values.end(), [](float value) { return value != 3.0f; });
  }
}

UPS_TEST(host_threads, every_schedule) {
  constexpr size_t threads = 4;
  int failures[threads] = {};
  std::vector<std::thread> hosts;
  for (int& own : failures) hosts.emplace_back(launch_many, &own);
  for (std::thread& host : hosts) host.join();
  for (const int own : failures) CHECK(own == 0);
}

UPS_TEST(last_errors_belong_to_host_threads, once) {
  const test::Settings settings;
  CHECK(cudaSetDevice(7) == cudaErrorInvalidDevice);
  cudaError_t seen = cudaErrorUnknown;
  std::thread([&seen] { seen = cudaGetLastError(); }).join();
  CHECK(seen == cudaSuccess && cudaGetLastError() == cudaErrorInvalidDevice);
}

}  // namespace
