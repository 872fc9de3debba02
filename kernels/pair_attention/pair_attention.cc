// Reference: the definition, particle by particle. Each is the only query of an attention to all of
// its event, for y and dq, and the only key of another, for dk and dv; the bias of both is the same
// row.
#include "pair_attention/pair_attention.h"

#include "lib/attention/one_head.h"
#include "lib/dense/layers_of_row.h"
#include "lib/dense/layer_validity.h"
#include "pair_attention/pair_attention_call.h"

namespace upsilon {
namespace {

template <class T>
struct Scratch {
  Kinematics* kinematics;
  LayersOfRow<T> row;
  T *bias, *dbias, *dbias_of_key;  // [H, size of the event]

  Scratch(const PairAttention<T>& f, WorkspaceLayout& workspace)
      : kinematics(workspace.reserve<Kinematics>(f.particles)), row(f, workspace),
        bias(workspace.reserve<T>(f.particles * f.heads)), dbias(workspace.reserve<T>(f.particles * f.heads)),
        dbias_of_key(workspace.reserve<T>(f.particles * f.heads)) {}

  void find_kinematics(const PairAttention<T>& f) const {
    for (int64_t i = 0; i < f.particles; ++i) kinematics[i] = kinematics_of(f.momenta + i * pair_columns_of_momenta);
  }
  void find_bias(const PairAttention<T>& f, int64_t i, int64_t first, int64_t size) const {
    for (int64_t j = 0; j < size; ++j) {
      T features[pair_feature_count];
      pair_features(kinematics[i], kinematics[first + j], f.eps, features);
      const T* of_pair = row.apply(f, features);
      for (int64_t head = 0; head < f.heads; ++head) bias[head * size + j] = of_pair[head];
    }
  }
};

constexpr int64_t begin_of_bias = 0;

template <class T>
ups_status forward_reference(const Call& call) {
  const PairAttentionForward<T> f(call);
  const auto scratch = scratch_of<Scratch<T>>(call, f);
  scratch.find_kinematics(f);
  clear(f.y, f.particles * f.heads * f.value_width);
  for (int64_t i = 0; f.softmax && i < f.particles * f.heads; ++i) {
    f.softmax[2 * i] = -std::numeric_limits<T>::infinity();
    f.softmax[2 * i + 1] = T(0);
  }
  for (int64_t event = 0; event < f.events; ++event)
    for (int32_t i = f.offsets[event]; i < f.offsets[event + 1]; ++i) {
      scratch.find_bias(f, i, f.offsets[event], f.size(event));
      const QueriesAndKeys of_query{{i, i + 1}, {f.offsets[event], f.offsets[event + 1]}};
      const AttentionForward<T> attention = f.attention(of_query, scratch.bias);
      for (int64_t head = 0; head < f.heads; ++head) ForwardHead<T>(attention, 0, head, &begin_of_bias).define({0, 1});
    }
  return UPS_OK;
}

// From the gradients of the bias of particle i's pairs, in both places, to those of the layers and
// of its momentum. Every pair comes twice, as (i, j) and as (j, i), and each time with half of its
// gradient.
template <class T>
void differentiate_bias(const PairAttentionBackward<T>& f, const Scratch<T>& scratch, int64_t i, int64_t first,
                        int64_t size) {
  Kinematics sum{};
  for (int64_t j = 0; j < size; ++j) {
    T features[pair_feature_count], dfeatures[pair_feature_count];
    pair_features(scratch.kinematics[i], scratch.kinematics[first + j], f.eps, features);
    scratch.row.apply(f, features);
    for (int64_t head = 0; head < f.heads; ++head)
      scratch.row.dh[head] = (scratch.dbias[head * size + j] + scratch.dbias_of_key[head * size + j]) / 2;
    scratch.row.add_gradients(f, f, features, dfeatures);
    double g[pair_feature_count];
    for (int64_t c = 0; c < pair_feature_count; ++c) g[c] = 2 * static_cast<double>(dfeatures[c]);
    add_pair_gradient(scratch.kinematics[i], scratch.kinematics[first + j], f.eps, g, sum);
  }
  if (f.dmomenta) momentum_gradient(scratch.kinematics[i], sum, f.dmomenta + i * pair_columns_of_momenta);
}

template <class T>
ups_status backward_reference(const Call& call) {
  const PairAttentionBackward<T> f(call);
  const auto scratch = scratch_of<Scratch<T>>(call, f);
  scratch.find_kinematics(f);
  clear_layer_gradients(f, f);
  clear(f.dmomenta, f.particles * pair_columns_of_momenta);
  clear(f.dq, f.particles * f.heads * f.width);
  clear(f.dk, f.particles * f.heads * f.width);
  clear(f.dv, f.particles * f.heads * f.value_width);
  for (int64_t event = 0; event < f.events; ++event)
    for (int32_t i = f.offsets[event]; i < f.offsets[event + 1]; ++i) {
      const int32_t first = f.offsets[event], end = f.offsets[event + 1];
      scratch.find_bias(f, i, first, f.size(event));
      const QueriesAndKeys of_query{{i, i + 1}, {first, end}}, of_key{{first, end}, {i, i + 1}};
      const AttentionBackward<T> as_query = f.attention(of_query, scratch.bias, scratch.dbias);
      AttentionBackward<T> as_key = f.attention(of_key, scratch.bias, scratch.dbias_of_key);
      as_key.dq = nullptr;
      for (int64_t head = 0; head < f.heads; ++head) {
        BackwardHead<T>(as_query, 0, head, &begin_of_bias).define_of_queries({0, 1});
        const BackwardHead<T> key(as_key, 0, head, &begin_of_bias);
        key.define_of_queries({0, key.queries});
        key.define_of_keys({0, 1});
      }
      if (f.wants_bias()) differentiate_bias(f, scratch, i, first, f.size(event));
    }
  return UPS_OK;
}

const OperationOf<PairAttentionForwardCall> forward{
    {forward_reference<float>, workspace_of<PairAttentionForward<float>, Scratch<float>>},
    {forward_reference<double>, workspace_of<PairAttentionForward<double>, Scratch<double>>},
    validated_by<validate_layers<PairAttentionForwardCall>>};
const OperationOf<PairAttentionBackwardCall> backward{
    {backward_reference<float>, workspace_of<PairAttentionBackward<float>, Scratch<float>>},
    {backward_reference<double>, workspace_of<PairAttentionBackward<double>, Scratch<double>>},
    validated_by<validate_layer_gradients<PairAttentionBackwardCall>>};

}  // namespace
}  // namespace upsilon

ups_status ups_pair_attention_forward(ups_context* context, const ups_tensor* momenta, const ups_tensor* offsets,
                                      const ups_tensor* const* weights, const ups_tensor* const* biases,
                                      const ups_tensor* q, const ups_tensor* k, const ups_tensor* v, ups_tensor* y,
                                      ups_tensor* softmax, const ups_pair_attention_options* options) noexcept {
  upsilon::PairAttentionForwardCall::Arguments to;
  to["momenta"] = momenta;
  to["offsets"] = offsets;
  to.put("weight#", weights);
  to.put("bias#", biases);
  to["q"] = q;
  to["k"] = k;
  to["v"] = v;
  to["y"] = y;
  to["softmax"] = softmax;
  return upsilon::call(context, upsilon::forward, to.tensors, options);
}

ups_status ups_pair_attention_backward(ups_context* context, const ups_tensor* momenta, const ups_tensor* offsets,
                                       const ups_tensor* const* weights, const ups_tensor* const* biases,
                                       const ups_tensor* q, const ups_tensor* k, const ups_tensor* v,
                                       const ups_tensor* y, const ups_tensor* softmax, const ups_tensor* dy,
                                       ups_tensor* dmomenta, const ups_tensor* const* dweights,
                                       const ups_tensor* const* dbiases, ups_tensor* dq, ups_tensor* dk, ups_tensor* dv,
                                       const ups_pair_attention_options* options) noexcept {
  upsilon::PairAttentionBackwardCall::Arguments to;
  to["momenta"] = momenta;
  to["offsets"] = offsets;
  to.put("weight#", weights);
  to.put("bias#", biases);
  to["q"] = q;
  to["k"] = k;
  to["v"] = v;
  to["y"] = y;
  to["softmax"] = softmax;
  to["dy"] = dy;
  to["dmomenta"] = dmomenta;
  to.put("dweight#", dweights);
  to.put("dbias#", dbiases);
  to["dq"] = dq;
  to["dk"] = dk;
  to["dv"] = dv;
  return upsilon::call(context, upsilon::backward, to.tensors, options);
}
