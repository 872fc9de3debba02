// Independent items (events, rows) shared out among the threads in tasks of a fixed number.
#if defined(UPS_LIB_SIMD_EACH_ITEM_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SIMD_EACH_ITEM_SIMD_H
#undef UPS_LIB_SIMD_EACH_ITEM_SIMD_H
#else
#define UPS_LIB_SIMD_EACH_ITEM_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

template <class Body>
void each_item(Threads& threads, int64_t items, int64_t of_task, Body&& body) {
  threads.run(ceil_div(items, of_task), [&](int64_t task, int32_t) {
    for (int64_t item = task * of_task; item < std::min((task + 1) * of_task, items); ++item) body(item);
  });
}

UPS_SIMD_END

#endif
