// Reference: the definition, in plain loops.
#include "conv/conv.h"

#include "common/activation.h"
#include "common/convolution_reference.h"
#include "common/kernel.h"
#include "conv/conv_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status forward_reference(const Call& call) {
  const ConvForward<T> f(call);
  const Convolution& s = f.shape;
  fill_with_bias(f.y, f.bias, s.samples, s.groups * s.coarse_channels, s.coarse_places());
  each_meeting(s, [&](int64_t y, int64_t x, int64_t weight) { f.y[y] += f.x[x] * f.weight[weight]; });
  for (int64_t i = 0; i < s.coarse_count(); ++i) f.y[i] = activate(f.y[i], f.activation);
  moments_of_channels(f.y, s.samples * s.groups * s.coarse_channels, s.coarse_places(), f.moments);
  return UPS_OK;
}

// dz = dy act'.
template <class T>
size_t backward_workspace(const Call& call) {
  return static_cast<size_t>(conv_shape(call).coarse_count()) * sizeof(T);
}

template <class T>
ups_status backward_reference(const Call& call) {
  const ConvBackward<T> f(call);
  const Convolution& s = f.shape;
  const int64_t channels = s.groups * s.coarse_channels;
  T* dz = static_cast<T*>(call.workspace);
  fill_with_bias(dz, f.bias, s.samples, channels, s.coarse_places());
  if (f.activation == UPS_ACTIVATION_GELU)
    each_meeting(s, [&](int64_t y, int64_t x, int64_t weight) { dz[y] += f.x[x] * f.weight[weight]; });
  for (int64_t i = 0; i < s.coarse_count(); ++i) dz[i] = f.dy[i] * activation_slope(dz[i], f.y[i], f.activation);
  clear(f.dx, s.fine_count());
  clear(f.dweight, s.weight_count());
  clear(f.dbias, channels);
  each_meeting(s, [&](int64_t y, int64_t x, int64_t weight) {
    if (f.dx) f.dx[x] += dz[y] * f.weight[weight];
    if (f.dweight) f.dweight[weight] += dz[y] * f.x[x];
  });
  for (int64_t i = 0; f.dbias && i < s.coarse_count(); ++i) f.dbias[i / s.coarse_places() % channels] += dz[i];
  return UPS_OK;
}

const OperationEntry forward{"conv_forward",
                             UPS_CONV_FORWARD_SCHEMA,
                             sizeof(ups_conv_options),
                             {forward_reference<float>},
                             {forward_reference<double>}};
const OperationEntry backward{"conv_backward",
                              UPS_CONV_BACKWARD_SCHEMA,
                              sizeof(ups_conv_options),
                              {backward_reference<float>, backward_workspace<float>},
                              {backward_reference<double>, backward_workspace<double>}};

}  // namespace
}  // namespace upsilon

ups_status ups_conv_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight, const ups_tensor* bias,
                            const ups_tensor* y, const ups_tensor* moments, const ups_conv_options* options) {
  return upsilon::call(context, upsilon::forward, {x, weight, bias, y, moments}, options);
}

ups_status ups_conv_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                             const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy, const ups_tensor* dx,
                             const ups_tensor* dweight, const ups_tensor* dbias, const ups_conv_options* options) {
  return upsilon::call(context, upsilon::backward, {x, weight, bias, y, dy, dx, dweight, dbias}, options);
}
