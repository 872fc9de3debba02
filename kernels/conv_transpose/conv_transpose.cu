// CUDA: the gathered products of lib/convolution/gather.cu.
#include "conv_transpose/conv_transpose.h"

#include "lib/convolution/call.cuh"
#include "conv_transpose/conv_transpose_call.h"

namespace upsilon {
namespace {

using Forward = ConvTransposeForward<float>;
using Backward = ConvTransposeBackward<float>;

UPS_CUDA_VARIANT(forward, ConvTransposeForwardCall, convolution_forward<Forward>,
                 workspace_of<Forward, ConvolutionForwardScratch<Forward>>)
UPS_CUDA_VARIANT(backward, ConvTransposeBackwardCall, convolution_backward<Backward>,
                 workspace_of<Backward, ConvolutionBackwardScratch<Backward>>)

}  // namespace
}  // namespace upsilon
