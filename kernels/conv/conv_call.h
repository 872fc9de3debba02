#pragma once
#include "lib/convolution/call.h"
#include "conv/conv.h"

namespace upsilon {

template <class T>
using ConvForward = ConvolutionForward<T, ups_conv_options, Towards::coarse>;
template <class T>
using ConvBackward = ConvolutionBackward<T, ups_conv_options, Towards::coarse>;

}  // namespace upsilon
