// What programs share that compute one event after the other through the C interface: tensors in
// the caller's memory, the file that the bench writes, and the report of the timings.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "count_allocations.h"
#include "upsilon/upsilon.h"

/** A tensor and its memory: reals of one to three dimensions, or a list of integers. */
struct OwnedTensor {
  OwnedTensor() = default;
  OwnedTensor(const OwnedTensor&) = delete;
  OwnedTensor& operator=(const OwnedTensor&) = delete;

  void reals(std::vector<int64_t> extents) {
    values.resize(prepare(std::move(extents)));
    describe(values.data(), {UPS_FLOAT, 32, 1});
  }
  void integers(int64_t count) {
    indices.resize(prepare({count}));
    describe(indices.data(), {UPS_INT, 32, 1});
  }
  ups_tensor* view() { return &tensor; }

  std::vector<float> values;
  std::vector<int32_t> indices;

 private:
  std::vector<int64_t> shape;
  ups_tensor tensor{};

  size_t prepare(std::vector<int64_t> extents) {
    shape = std::move(extents);
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    return static_cast<size_t>(count);
  }
  void describe(void* data, ups_dtype dtype) {
    tensor = {data, {UPS_CPU, 0}, static_cast<int32_t>(shape.size()), dtype, shape.data(), nullptr, 0};
  }
};

template <class T>
void read(std::FILE* file, std::vector<T>& into) {
  if (std::fread(into.data(), sizeof(T), into.size(), file) == into.size()) return;
  std::fputs("the file is too short\n", stderr);
  std::exit(2);
}

/**
 * main() of a program `<name> <file> [calls]` with a Network that is read from the file, has
 * run(context) and score().
 */
template <class Network>
int time_events(int count, char** words) {
  std::FILE* file = count > 1 ? std::fopen(words[1], "rb") : nullptr;
  if (!file) {
    std::fprintf(stderr, "%s <file> [calls]\n", words[0]);
    return 2;
  }
  Network network(file);
  std::fclose(file);
  const int calls = count > 2 ? std::max(1, std::atoi(words[2])) : 1000;
  ups_context* context = nullptr;
  if (ups_context_create(nullptr, &context) != UPS_OK || network.run(context) != UPS_OK) {
    std::fprintf(stderr, "%s: %s\n", words[0], ups_last_error(context)->text);
    return 1;
  }
  for (int warm = 0; warm < calls / 10; ++warm) network.run(context);
  std::vector<double> microseconds(static_cast<size_t>(calls));
  const int64_t before = allocations_so_far();
  for (double& elapsed : microseconds) {
    const auto start = std::chrono::steady_clock::now();
    network.run(context);
    elapsed = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  }
  const int64_t allocations = allocations_so_far() - before;
  std::printf("{\"score\": %.9g, \"allocations\": %s, \"variant\": \"%s\", \"us\": [", network.score(),
              allocations_are_counted() ? std::to_string(allocations).c_str() : "null", ups_last_variant(context));
  for (size_t i = 0; i < microseconds.size(); ++i) std::printf("%s%.3f", i ? ", " : "", microseconds[i]);
  std::puts("]}");
  ups_context_destroy(context);
  return 0;
}
