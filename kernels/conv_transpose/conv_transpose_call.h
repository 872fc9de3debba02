#pragma once
#include "lib/convolution/call.h"
#include "conv_transpose/conv_transpose.h"

namespace upsilon {

template <class T>
using ConvTransposeForward = ConvolutionForward<T, ups_conv_transpose_options, Towards::fine>;
template <class T>
using ConvTransposeBackward = ConvolutionBackward<T, ups_conv_transpose_options, Towards::fine>;

}  // namespace upsilon
