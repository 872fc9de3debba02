// SIMD. Floor: memory, every number read and written once.
#include "concat/concat.h"
#include "concat/concat_call.h"

#define UPS_SIMD_SOURCE "concat/concat.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/rows.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_floats = 16384;

// Calls body(row, part) for the parts that are there.
template <class F, class Body>
ups_status each_part(Threads& threads, const F& f, Body&& body) {
  if (f.width == 0) return UPS_OK;
  const int64_t task_rows = std::max<int64_t>(1, task_floats / f.width);
  threads.run(ceil_div(f.rows, task_rows), [&](int64_t task, int32_t) {
    const int64_t end = std::min(f.rows, (task + 1) * task_rows);
    for (int64_t row = task * task_rows; row < end; ++row)
      for (int k = 0; k < max_parts; ++k)
        if (f.part[k]) body(row, k);
  });
  return UPS_OK;
}

ups_status forward(const Call& call) {
  const ConcatForward<float> f(call);
  return each_part(*call.threads, f, [&](int64_t row, int k) {
    copy_row(f.part[k] + row * f.widths[k], f.widths[k], f.y + row * f.width + f.begin[k]);
  });
}

ups_status backward(const Call& call) {
  const ConcatBackward<float> f(call);
  return each_part(*call.threads, f, [&](int64_t row, int k) {
    copy_row(f.dy + row * f.width + f.begin[k], f.widths[k], f.part[k] + row * f.widths[k]);
  });
}

UPS_CPU_VARIANT(forward, ConcatForwardCall, forward)
UPS_CPU_VARIANT(backward, ConcatBackwardCall, backward)

UPS_SIMD_END
