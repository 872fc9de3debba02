// SIMD: lib/convolution/gather.cpu.cc. Floor: 2 N G C O KD KH KW D H W FLOP against the FMA peak,
// twice that backward.
#include "conv_transpose/conv_transpose.h"

#include "lib/convolution/plan.h"
#include "conv_transpose/conv_transpose_call.h"

#define UPS_SIMD_SOURCE "conv_transpose/conv_transpose.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/call.simd.h"

UPS_SIMD_BEGIN

using Forward = ConvTransposeForward<float>;
using Backward = ConvTransposeBackward<float>;

UPS_CPU_VARIANT(forward, ConvTransposeForwardCall, convolution_forward<Forward>,
                workspace_of<Forward, ConvolutionForwardScratch<Forward>>, convolution_supports<Forward>,
                convolution_strategies, convolution_forward_fits<Forward>)
UPS_CPU_VARIANT(backward, ConvTransposeBackwardCall, convolution_backward<Backward>,
                workspace_of<Backward, ConvolutionBackwardScratch<Backward>>, convolution_supports<Backward>,
                convolution_strategies, convolution_backward_fits<Backward>)

UPS_SIMD_END
