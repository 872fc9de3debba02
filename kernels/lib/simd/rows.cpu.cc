#define UPS_SIMD_SOURCE "lib/simd/rows.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/simd/rows.simd.h"

UPS_SIMD_SHARED_BEGIN

void fill_zero(Threads& threads, float* y, int64_t count) {
  constexpr int64_t task_floats = 65536;
  threads.run(ceil_div(count, task_floats), [&](int64_t task, int32_t) {
    const int64_t first = task * task_floats;
    std::fill_n(y + first, std::min(task_floats, count - first), 0.0f);
  });
}

UPS_SIMD_SHARED_END
