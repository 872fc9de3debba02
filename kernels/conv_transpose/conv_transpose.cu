// CUDA: the gathered products of lib/convolution/gather.cu.
#include "conv_transpose/conv_transpose.h"

#include "lib/convolution/call.cuh"
#include "conv_transpose/conv_transpose_call.h"

namespace upsilon {
namespace {

using Forward = ConvTransposeForward<float>;
using Backward = ConvTransposeBackward<float>;

UPS_CUDA_VARIANT(forward, "conv_transpose_forward", convolution_forward<Forward>,
                 convolution_forward_workspace<Forward>)
UPS_CUDA_VARIANT(backward, "conv_transpose_backward", convolution_backward<Backward>,
                 convolution_backward_workspace<Backward>)

}  // namespace
}  // namespace upsilon
