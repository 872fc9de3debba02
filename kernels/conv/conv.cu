// CUDA: the gathered products of lib/convolution/gather.cu.
#include "conv/conv.h"

#include "lib/convolution/call.cuh"
#include "conv/conv_call.h"

namespace upsilon {
namespace {

using Forward = ConvForward<float>;
using Backward = ConvBackward<float>;

UPS_CUDA_VARIANT(forward, "conv_forward", convolution_forward<Forward>, convolution_forward_workspace<Forward>)
UPS_CUDA_VARIANT(backward, "conv_backward", convolution_backward<Backward>, convolution_backward_workspace<Backward>)

}  // namespace
}  // namespace upsilon
