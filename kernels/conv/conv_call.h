#pragma once
#include "core/named_call.h"
#include "lib/convolution/call.h"
#include "conv/conv.h"

namespace upsilon {

inline constexpr OperationLine conv_forward_line{"conv_forward", UPS_CONV_FORWARD_SCHEMA};
using ConvForwardCall = CallOf<conv_forward_line, ups_conv_options>;
inline constexpr OperationLine conv_backward_line{"conv_backward", UPS_CONV_BACKWARD_SCHEMA};
using ConvBackwardCall = CallOf<conv_backward_line, ups_conv_options>;

template <class T>
using ConvForward = ConvolutionForward<T, ConvForwardCall, Towards::coarse>;
template <class T>
using ConvBackward = ConvolutionBackward<T, ConvBackwardCall, Towards::coarse>;

}  // namespace upsilon
