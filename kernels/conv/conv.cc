// Reference: the definition, in plain loops.
#include "conv/conv.h"

#include "lib/convolution/reference.h"
#include "conv/conv_call.h"

namespace upsilon {
namespace {

const OperationOf<ConvForwardCall> forward{{convolution_forward_reference<ConvForward<float>>},
                                           {convolution_forward_reference<ConvForward<double>>}};
const OperationOf<ConvBackwardCall> backward{
    {convolution_backward_reference<ConvBackward<float>>, workspace_of<ConvBackward<float>, ConvolutionSlopes<float>>},
    {convolution_backward_reference<ConvBackward<double>>,
     workspace_of<ConvBackward<double>, ConvolutionSlopes<double>>}};

}  // namespace
}  // namespace upsilon

ups_status ups_conv_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight, const ups_tensor* bias,
                            ups_tensor* y, ups_tensor* moments, const ups_conv_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, weight, bias, y, moments}, options);
}

ups_status ups_conv_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                             const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy, ups_tensor* dx,
                             ups_tensor* dweight, ups_tensor* dbias, const ups_conv_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, weight, bias, y, dy, dx, dweight, dbias}, options);
}
