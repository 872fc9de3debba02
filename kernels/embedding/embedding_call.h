// A checked call of embedding, as plain numbers and pointers.
#pragma once
#include "core/named_call.h"
#include "embedding/embedding.h"

namespace upsilon {

inline constexpr OperationLine embedding_forward_line{"embedding_forward", UPS_EMBEDDING_FORWARD_SCHEMA};
using EmbeddingForwardCall = CallOf<embedding_forward_line>;
inline constexpr OperationLine embedding_backward_line{"embedding_backward", UPS_EMBEDDING_BACKWARD_SCHEMA};
using EmbeddingBackwardCall = CallOf<embedding_backward_line>;

template <class T>
struct EmbeddingForward {
  int64_t rows, entries, width, appended;  // N, V, E, F
  const int32_t* indices;
  const T *table, *append;
  T* y;

  explicit EmbeddingForward(const EmbeddingForwardCall& call)
      : rows(call.dim("N")), entries(call.dim("V")), width(call.dim("E")), appended(call.dim("F")),
        indices(call["indices"]), table(call["table"]), append(call["append"]), y(call["y"]) {}
};

template <class T>
struct EmbeddingBackward {
  int64_t rows, entries, width, appended;
  const int32_t* indices;
  const T* dy;
  T *dtable, *dappend;

  explicit EmbeddingBackward(const EmbeddingBackwardCall& call)
      : rows(call.dim("N")), entries(call.dim("V")), width(call.dim("E")), appended(call.dim("F")),
        indices(call["indices"]), dy(call["dy"]), dtable(call["dtable"]), dappend(call["dappend"]) {}
};

}  // namespace upsilon
