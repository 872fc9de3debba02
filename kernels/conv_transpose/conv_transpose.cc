// Reference: the definition, in plain loops.
#include "conv_transpose/conv_transpose.h"

#include "lib/convolution/reference.h"
#include "conv_transpose/conv_transpose_call.h"

namespace upsilon {
namespace {

const OperationOf<ConvTransposeForwardCall> forward{{convolution_forward_reference<ConvTransposeForward<float>>},
                                                    {convolution_forward_reference<ConvTransposeForward<double>>}};
const OperationOf<ConvTransposeBackwardCall> backward{
    {convolution_backward_reference<ConvTransposeBackward<float>>,
     workspace_of<ConvTransposeBackward<float>, ConvolutionSlopes<float>>},
    {convolution_backward_reference<ConvTransposeBackward<double>>,
     workspace_of<ConvTransposeBackward<double>, ConvolutionSlopes<double>>}};

}  // namespace
}  // namespace upsilon

ups_status ups_conv_transpose_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                      const ups_tensor* bias, ups_tensor* y, ups_tensor* moments,
                                      const ups_conv_transpose_options* options) noexcept {
  return upsilon::call(context, upsilon::forward, {x, weight, bias, y, moments}, options);
}

ups_status ups_conv_transpose_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                       const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy,
                                       ups_tensor* dx, ups_tensor* dweight, ups_tensor* dbias,
                                       const ups_conv_transpose_options* options) noexcept {
  return upsilon::call(context, upsilon::backward, {x, weight, bias, y, dy, dx, dweight, dbias}, options);
}
