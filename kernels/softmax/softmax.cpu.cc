// SIMD. Floor: memory, x and y once (backward y, dy and dx); below the cache, one exponential for
// each number. A row is looked through for its largest number, then for the exponentials, then
// scaled, and stays in L1 meanwhile.
#include "softmax/softmax.h"
#include "softmax/softmax_call.h"

#define UPS_SIMD_SOURCE "softmax/softmax.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/math/softmax.simd.h"

UPS_SIMD_BEGIN

// body(row) for all rows, on all threads.
template <class Body>
void each_row(Threads& threads, int64_t rows, int64_t features, Body&& body) {
  constexpr int64_t task_floats = 16384;
  const int64_t task_rows = std::max<int64_t>(1, task_floats / std::max<int64_t>(features, 1));
  threads.run(ceil_div(rows, task_rows), [&](int64_t task, int32_t) {
    const int64_t end = std::min(rows, (task + 1) * task_rows);
    for (int64_t row = task * task_rows; row < end; ++row) body(row);
  });
}

ups_status forward(const Call& call) {
  const SoftmaxForward<float> f(call);
  if (f.features == 0) return UPS_OK;
  each_row(*call.threads, f.rows, f.features, [&](int64_t row) {
    float* const y = f.y + row * f.features;
    float largest, total;
    exponentials(f.x + row * f.features, f.features, 1, y, &largest, &total);
    const float factor = 1.0f / total;
    scale_columns(y, f.features, 1, &factor);
  });
  return UPS_OK;
}

ups_status backward(const Call& call) {
  const SoftmaxBackward<float> f(call);
  each_row(*call.threads, f.rows, f.features, [&](int64_t row) {
    const int64_t at = row * f.features;
    float mean;
    mean_gradients(f.y + at, f.dy + at, f.features, 1, &mean);
    softmax_gradients(f.y + at, f.dy + at, f.features, 1, &mean, f.dx + at);
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, SoftmaxForwardCall, forward)
UPS_CPU_VARIANT(backward, SoftmaxBackwardCall, backward)

UPS_SIMD_END
