// The sample kernels with data and reference: each function returns the largest error against
// doubles.
#pragma once

#include "device.h"
#include "sample_kernels.h"

namespace sample {

using test::ceil_div;
using test::DeviceArray;
using test::largest_error;
using test::random_floats;

inline double add_error(unsigned blocks) {
  constexpr size_t count = 3001;
  const auto a = random_floats(count, 1), b = random_floats(count, 2);
  const DeviceArray<float> da(a), db(b), sum(count);
  CHECK(test::run(add, blocks, 128, 0, da.data(), db.data(), sum.data(), static_cast<int>(count)) == cudaSuccess);
  std::vector<double> expected(count);
  for (size_t i = 0; i < count; ++i) expected[i] = static_cast<double>(a[i] + b[i]);
  return largest_error(sum.values(), expected);
}

template <int Threads, Fault fault = Fault::none>
double block_sum_error() {
  constexpr size_t count = 1999, blocks = 3;
  const auto values = random_floats(count, 1);
  const DeviceArray<float> in(values), sums(blocks);
  (void)test::run(block_sum<Threads, fault>, blocks, Threads, 0, in.data(), sums.data(), static_cast<int>(count));
  std::vector<double> expected(blocks);
  for (size_t i = 0; i < count; ++i) expected[i / Threads % blocks] += static_cast<double>(values[i]);
  return largest_error(sums.values(), expected);
}

inline double segmented_scan_error() {
  constexpr size_t count = 777;
  const auto values = random_floats(count, 1);
  std::vector<int> head(count);
  for (size_t i = 0; i < count; ++i) head[i] = i * 2654435761u % 5 == 0;
  const DeviceArray<float> in(values), sums(count);
  const DeviceArray<int> heads(head);
  CHECK(test::run(segmented_scan, ceil_div(count, 128), 128, 0, in.data(), heads.data(), sums.data(),
                  static_cast<int>(count)) == cudaSuccess);
  std::vector<double> expected(count);
  for (size_t i = 0; i < count; ++i)
    expected[i] = static_cast<double>(values[i]) + (head[i] != 0 || i % 32 == 0 ? 0.0 : expected[i - 1]);
  return largest_error(sums.values(), expected);
}

inline double row_sums_error() {
  constexpr int rows = 45, columns = 37;
  const auto values = random_floats(rows * columns, 1);
  const DeviceArray<float> in(values), sums(rows);
  CHECK(test::run(row_sums, ceil_div(rows * 8, 128), 128, 0, in.data(), sums.data(), rows, columns) == cudaSuccess);
  std::vector<double> expected(rows);
  for (size_t i = 0; i < values.size(); ++i) expected[i / columns] += static_cast<double>(values[i]);
  return largest_error(sums.values(), expected);
}

struct Shape {
  int rows, columns, inner;
};

template <class ElementB>
std::vector<double> matrix_product(const std::vector<float>& a, Shape shape, ElementB element_b) {
  std::vector<double> c;
  for (int row = 0; row < shape.rows; ++row)
    for (int column = 0; column < shape.columns; ++column) {
      double sum = 0;
      for (int k = 0; k < shape.inner; ++k)
        sum += static_cast<double>(a[static_cast<size_t>(row * shape.inner + k)]) *
               static_cast<double>(element_b(k, column));
      c.push_back(sum);
    }
  return c;
}

template <Fault fault = Fault::none>
double gemm_cp_async_error(Shape shape) {
  const auto a = random_floats(static_cast<size_t>(shape.rows * shape.inner), 1);
  const auto b = random_floats(static_cast<size_t>(shape.inner * shape.columns), 2);
  const DeviceArray<float> da(a), db(b), dc(static_cast<size_t>(shape.rows * shape.columns));
  const dim3 grid(ceil_div(static_cast<unsigned>(shape.columns), gemm_tile),
                  ceil_div(static_cast<unsigned>(shape.rows), gemm_tile));
  (void)test::run(gemm_cp_async<fault>, grid, 64, gemm_shared_bytes, da.data(), db.data(), dc.data(), shape.rows,
                  shape.columns, shape.inner);
  return largest_error(dc.values(), matrix_product(a, shape, [&](int k, int column) {
                         return b[static_cast<size_t>(k * shape.columns + column)];
                       }));
}

template <class Number>
std::vector<Number> to_numbers(std::vector<float>& values) {  // and the values become what the numbers hold
  std::vector<Number> numbers;
  for (float& value : values) {
    if constexpr (sizeof(Number) == 4) {
      value = std::round(value * 256.0f) / 256.0f;  // exact in tf32: no rounding for a layout fault to hide behind
      numbers.push_back(value);
    } else {
      numbers.push_back(ups::to_bf16(value));
      value = ups::to_f32(numbers.back());
    }
  }
  return numbers;
}

template <class Number, Fault fault = Fault::none>
double gemm_mma_error(Shape shape) {
  auto a = random_floats(static_cast<size_t>(shape.rows * shape.inner), 1);
  auto b = random_floats(static_cast<size_t>(shape.columns * shape.inner), 2);
  const DeviceArray<Number> da(to_numbers<Number>(a)), db(to_numbers<Number>(b));
  const DeviceArray<float> dc(static_cast<size_t>(shape.rows * shape.columns));
  const dim3 grid(ceil_div(static_cast<unsigned>(shape.columns), 16), ceil_div(static_cast<unsigned>(shape.rows), 32));
  (void)test::run(gemm_mma<Number, fault>, grid, 64, 0, da.data(), db.data(), dc.data(), shape.rows, shape.columns,
                  shape.inner);
  return largest_error(dc.values(), matrix_product(a, shape, [&](int k, int column) {
                         return b[static_cast<size_t>(column * shape.inner + k)];
                       }));
}

template <bool faulty_ticket = false>
double last_block_error() {
  constexpr size_t count = 1500, blocks = 9;
  const auto values = random_floats(count, 1);
  const DeviceArray<float> in(values), partial(blocks), total(1);
  const DeviceArray<unsigned> ticket(std::vector<unsigned>(1, 0u));
  CHECK(test::run(last_block_sums<faulty_ticket>, blocks, 64, 0, in.data(), partial.data(), ticket.data(), total.data(),
                  static_cast<int>(count)) == cudaSuccess);
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value);
  return largest_error(total.values(), {sum});
}

template <bool with_syncwarp = true>
double exchange_error() {
  const auto values = random_floats(32, 1);
  const DeviceArray<float> in(values), out(32);
  (void)test::run(exchange_in_warp<with_syncwarp>, 1, 32, 0, in.data(), out.data());
  std::vector<double> expected(32);
  for (size_t i = 0; i < 32; ++i) expected[i] = static_cast<double>(values[i ^ 1]);
  return largest_error(out.values(), expected);
}

constexpr double tolerance = 1e-4;

}  // namespace sample
