// A checked call of argsort, as plain numbers and pointers.
#pragma once
#include "argsort/argsort.h"
#include "lib/kernel.h"

namespace upsilon {

template <class T>
struct Argsort {
  int64_t elements, sets;
  const T* keys;
  const int32_t* offsets;
  int32_t* order;
  bool descending;

  explicit Argsort(const Call& call)
      : elements(call.dims[0]), sets(call.dims[1]), keys(call.data<const T>(0)), offsets(call.data<const int32_t>(1)),
        order(call.data<int32_t>(2)), descending(call.option<ups_argsort_options>().descending != 0) {}
};

}  // namespace upsilon
