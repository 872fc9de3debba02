// A checked call of embedding, as plain numbers and pointers.
#pragma once
#include "core/operation.h"
#include "embedding/embedding.h"

namespace upsilon {

template <class T>
struct EmbeddingForward {
  int64_t rows, entries, width, appended;  // N, V, E, F
  const int32_t* indices;
  const T *table, *append;
  T* y;

  explicit EmbeddingForward(const Call& call)
      : rows(call.dims[0]), entries(call.dims[1]), width(call.dims[2]), appended(call.dims[3]),
        indices(call.data<const int32_t>(0)), table(call.data<const T>(1)), append(call.data<const T>(2)),
        y(call.data<T>(3)) {}
};

template <class T>
struct EmbeddingBackward {
  int64_t rows, entries, width, appended;
  const int32_t* indices;
  const T* dy;
  T *dtable, *dappend;

  explicit EmbeddingBackward(const Call& call)
      : rows(call.dims[0]), entries(call.dims[1]), width(call.dims[2]), appended(call.dims[3]),
        indices(call.data<const int32_t>(0)), dy(call.data<const T>(3)), dtable(call.data<T>(4)),
        dappend(call.data<T>(5)) {}
};

}  // namespace upsilon
