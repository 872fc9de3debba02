#pragma once
#include "core/named_call.h"
#include "lib/convolution/call.h"
#include "conv_transpose/conv_transpose.h"

namespace upsilon {

inline constexpr OperationLine conv_transpose_forward_line{"conv_transpose_forward", UPS_CONV_TRANSPOSE_FORWARD_SCHEMA};
using ConvTransposeForwardCall = CallOf<conv_transpose_forward_line, ups_conv_transpose_options>;
inline constexpr OperationLine conv_transpose_backward_line{"conv_transpose_backward",
                                                            UPS_CONV_TRANSPOSE_BACKWARD_SCHEMA};
using ConvTransposeBackwardCall = CallOf<conv_transpose_backward_line, ups_conv_transpose_options>;

template <class T>
using ConvTransposeForward = ConvolutionForward<T, ConvTransposeForwardCall, Towards::fine>;
template <class T>
using ConvTransposeBackward = ConvolutionBackward<T, ConvTransposeBackwardCall, Towards::fine>;

}  // namespace upsilon
