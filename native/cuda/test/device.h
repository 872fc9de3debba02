// Device memory and launches, as short as a test wants them.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "../ups_cuda.h"
#include "check.h"

namespace test {

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t size) : size_(size) { CHECK(cudaMalloc(&data_, size * sizeof(T)) == cudaSuccess); }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    CHECK(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  ~DeviceArray() { (void)cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> copy(size_);
    (void)cudaMemcpy(copy.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost);
    return copy;
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

class Stream {
 public:
  Stream() { CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) == cudaSuccess); }
  ~Stream() { (void)cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// Launches, waits, and returns the first error.
template <class... Parameters, class... Arguments>
cudaError_t run(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Arguments... arguments) {
  const Stream stream;
  const cudaError_t launched = ups::launch(kernel, grid, block, shared_bytes, stream, arguments...);
  const cudaError_t finished = cudaStreamSynchronize(stream);
  return launched != cudaSuccess ? launched : finished;
}

inline std::vector<float> random_floats(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(generator);
  return values;
}

// Infinite if anything is NaN.
inline double largest_error(const std::vector<float>& values, const std::vector<double>& expected) {
  double largest = values.size() == expected.size() ? 0.0 : INFINITY;
  for (size_t i = 0; i < expected.size() && i < values.size(); ++i) {
    const double error = std::fabs(static_cast<double>(values[i]) - expected[i]);
    if (!(error <= largest)) largest = std::isnan(error) ? static_cast<double>(INFINITY) : error;
  }
  return largest;
}

inline unsigned ceil_div(unsigned count, unsigned part) { return (count + part - 1) / part; }

}  // namespace test
