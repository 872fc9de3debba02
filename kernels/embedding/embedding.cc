// Reference: the definition, in plain loops.
#include "embedding/embedding.h"

#include "lib/kernel.h"
#include "embedding/embedding_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const EmbeddingForward<T> f(call);
  for (int64_t row = 0; row < f.rows; ++row) {
    T* y = f.y + row * (f.width + f.appended);
    for (int64_t c = 0; c < f.width; ++c) y[c] = f.table[f.indices[row] * f.width + c];
    for (int64_t c = 0; c < f.appended; ++c) y[f.width + c] = f.append[row * f.appended + c];
  }
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const EmbeddingBackward<T> f(call);
  if (f.dtable) std::fill_n(f.dtable, f.entries * f.width, T(0));
  for (int64_t row = 0; row < f.rows; ++row) {
    const T* dy = f.dy + row * (f.width + f.appended);
    if (f.dtable)
      for (int64_t c = 0; c < f.width; ++c) f.dtable[f.indices[row] * f.width + c] += dy[c];
    if (f.dappend)
      for (int64_t c = 0; c < f.appended; ++c) f.dappend[row * f.appended + c] = dy[f.width + c];
  }
  return UPS_OK;
}

const OperationOf<EmbeddingForwardCall> forward{{forward_reference<float>}, {forward_reference<double>}};
const OperationOf<EmbeddingBackwardCall> backward{{backward_reference<float>}, {backward_reference<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_embedding_forward(ups_context* context, const ups_tensor* indices, const ups_tensor* table,
                                 const ups_tensor* append, ups_tensor* y) noexcept {
  return upsilon::call(context, upsilon::forward, {indices, table, append, y}, nullptr);
}

ups_status ups_embedding_backward(ups_context* context, const ups_tensor* indices, const ups_tensor* table,
                                  const ups_tensor* append, const ups_tensor* dy, ups_tensor* dtable,
                                  ups_tensor* dappend) noexcept {
  return upsilon::call(context, upsilon::backward, {indices, table, append, dy, dtable, dappend}, nullptr);
}
