// Reference: the definition of one_head.h for every set and head.
#include "attention/attention.h"

#include "attention/attention_call.h"
#include "lib/attention/one_head.h"

namespace upsilon {
namespace {

// Where every set's pairs begin.
struct Pairs {
  int64_t* begins;
  template <class T>
  Pairs(const Attention<T>& f, WorkspaceLayout& workspace) : begins(workspace.reserve<int64_t>(f.sets + 1)) {}
};

// Zeroes rows outside every set.
template <class T>
void clear_outside(T* rows, int64_t count, int64_t width, const int32_t* offsets, int64_t sets) {
  if (!rows) return;
  std::fill_n(rows, offsets[0] * width, T(0));
  std::fill(rows + offsets[sets] * width, rows + count * width, T(0));
}

template <class T, class Body>
void each_head(const Attention<T>& f, Body&& body) {
  for (int64_t set = 0; set < f.sets; ++set)
    for (int64_t head = 0; head < f.heads; ++head) body(set, head);
}

template <class T>
ups_status forward_reference(const Call& call) {
  const AttentionForwardOf<T> f(call);
  int64_t* const pairs = scratch_of<Pairs>(call, f).begins;
  count_pairs(f, pairs);
  clear_outside(f.y, f.queries, f.heads * f.value_width, f.offsets, f.sets);
  for (int64_t i = 0; f.softmax && i < f.queries; ++i)
    for (int64_t head = 0; head < f.heads; ++head) {
      f.softmax[(i * f.heads + head) * 2] = -std::numeric_limits<T>::infinity();
      f.softmax[(i * f.heads + head) * 2 + 1] = T(0);
    }
  each_head(f, [&](int64_t set, int64_t head) {
    const ForwardHead<T> one(f, set, head, pairs);
    one.define({0, one.queries});
  });
  return UPS_OK;
}

template <class T>
ups_status backward_reference(const Call& call) {
  const AttentionBackwardOf<T> f(call);
  int64_t* const pairs = scratch_of<Pairs>(call, f).begins;
  count_pairs(f, pairs);
  clear_outside(f.dq, f.queries, f.heads * f.width, f.offsets, f.sets);
  clear_outside(f.dk, f.keys, f.heads * f.width, f.key_offsets, f.sets);
  clear_outside(f.dv, f.keys, f.heads * f.value_width, f.key_offsets, f.sets);
  each_head(f, [&](int64_t set, int64_t head) {
    const BackwardHead<T> one(f, set, head, pairs);
    one.define_of_queries({0, one.queries});
    one.define_of_keys({0, one.keys});
  });
  return UPS_OK;
}

const OperationOf<AttentionForwardCall> forward{
    {forward_reference<float>, workspace_of<AttentionForwardOf<float>, Pairs>},
    {forward_reference<double>, workspace_of<AttentionForwardOf<double>, Pairs>}};
const OperationOf<AttentionBackwardCall> backward{
    {backward_reference<float>, workspace_of<AttentionBackwardOf<float>, Pairs>},
    {backward_reference<double>, workspace_of<AttentionBackwardOf<double>, Pairs>}};

}  // namespace
}  // namespace upsilon

ups_status ups_attention_forward(ups_context* context, const ups_tensor* q, const ups_tensor* k, const ups_tensor* v,
                                 const ups_tensor* offsets, const ups_tensor* key_offsets, const ups_tensor* bias,
                                 ups_tensor* y, ups_tensor* softmax, const ups_attention_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {q, k, v, offsets, key_offsets, bias, y, softmax}, options);
}

ups_status ups_attention_backward(ups_context* context, const ups_tensor* q, const ups_tensor* k, const ups_tensor* v,
                                  const ups_tensor* offsets, const ups_tensor* key_offsets, const ups_tensor* bias,
                                  const ups_tensor* y, const ups_tensor* softmax, const ups_tensor* dy, ups_tensor* dq,
                                  ups_tensor* dk, ups_tensor* dv, ups_tensor* dbias,
                                  const ups_attention_options* options) noexcept {
  return upsilon::call(context, upsilon::backward,
                       {q, k, v, offsets, key_offsets, bias, y, softmax, dy, dq, dk, dv, dbias}, options);
}
