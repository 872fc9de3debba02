// SIMD: lib/convolution/gather.cpu.cc. Floor: 2 N G O C KD KH KW YD YH YW FLOP against the FMA
// peak, twice that backward.
#include "conv/conv.h"

#include "lib/convolution/plan.h"
#include "conv/conv_call.h"

#define UPS_SIMD_SOURCE "conv/conv.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/call.simd.h"

UPS_SIMD_BEGIN

using Forward = ConvForward<float>;
using Backward = ConvBackward<float>;

UPS_CPU_VARIANT(forward, ConvForwardCall, convolution_forward<Forward>,
                workspace_of<Forward, ConvolutionForwardScratch<Forward>>, convolution_supports<Forward>,
                convolution_strategies, convolution_forward_fits<Forward>)
UPS_CPU_VARIANT(backward, ConvBackwardCall, convolution_backward<Backward>,
                workspace_of<Backward, ConvolutionBackwardScratch<Backward>>, convolution_supports<Backward>,
                convolution_strategies, convolution_backward_fits<Backward>)

UPS_SIMD_END
