// CUDA: the gathered products of lib/convolution/gather.cu.
#include "conv/conv.h"

#include "lib/convolution/call.cuh"
#include "conv/conv_call.h"

namespace upsilon {
namespace {

using Forward = ConvForward<float>;
using Backward = ConvBackward<float>;

UPS_CUDA_VARIANT(forward, ConvForwardCall, convolution_forward<Forward>,
                 workspace_of<Forward, ConvolutionForwardScratch<Forward>>)
UPS_CUDA_VARIANT(backward, ConvBackwardCall, convolution_backward<Backward>,
                 workspace_of<Backward, ConvolutionBackwardScratch<Backward>>)

}  // namespace
}  // namespace upsilon
