/* conv: convolution in one, two or three dimensions, as PyTorch's conv1d, conv2d and conv3d (a
 * correlation: the kernel is not flipped).
 *
 *   y[n, g, o, j] = act(b[g, o] + sum over c, k of x[n, g, c, i] W[g, o, c, k])
 *   i = j stride - padding + k dilation
 *
 * with j and k running over three axes; one and two dimensions are three with extents of 1. Groups
 * are a dimension of their own: x [N, G C, D, H, W] and [N, G, C, D, H, W] are the same memory,
 * likewise PyTorch's weight [G O, C, ...]. `padding` is what lies before x; how much lies after it
 * follows from the extents of y, which may be any: x is 0 outside its extents. A negative padding
 * leaves out that many places at the beginning of x. An empty sum (C = 0, an empty kernel) gives
 * act(b).
 * moments: mean and (biased) variance of every channel of every sample of y, taken while the
 * results are still in cache, for the normalisation that follows (layer_norm, batch_norm_training);
 * 0 where y has no elements. Backward takes x, W, b, y and dy and gives dx, dW, db; any of the
 * three may be left out. NaN and infinities reach only results whose sum contains them, except that
 * those of dz = dy act' may reach all taps of dW. Outputs are overwritten. The same bits for any
 * number of threads. */
#ifndef UPSILON_OPS_CONV_H
#define UPSILON_OPS_CONV_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_CONV_OPTIONS                                                           \
  "stride_d: i32 = 1 from 1, stride_h: i32 = 1 from 1, stride_w: i32 = 1 from 1, " \
  "padding_d: i32 = 0, padding_h: i32 = 0, padding_w: i32 = 0, "                   \
  "dilation_d: i32 = 1 from 1, dilation_h: i32 = 1 from 1, dilation_w: i32 = 1 from 1, activation: activation"

#define UPS_CONV_FORWARD_SCHEMA                                                        \
  "x: real[N, G, C, D, H, W], weight: real[G, O, C, KD, KH, KW], bias?: real[G*O] -> " \
  "y: real[N, G, O, YD, YH, YW], moments?: f64[N, G, O, 2]; " UPS_CONV_OPTIONS
#define UPS_CONV_BACKWARD_SCHEMA                                                                                   \
  "x: real[N, G, C, D, H, W], weight: real[G, O, C, KD, KH, KW], bias?: real[G*O], y: real[N, G, O, YD, YH, YW], " \
  "dy: real[N, G, O, YD, YH, YW] -> dx?: real[N, G, C, D, H, W], dweight?: real[G, O, C, KD, KH, KW], "            \
  "dbias?: real[G*O]; " UPS_CONV_OPTIONS

typedef struct ups_conv_options {
  size_t size UPS_DEFAULT(sizeof(ups_conv_options)); /* of this struct; 0: all defaults */
  int32_t stride_d UPS_DEFAULT(1), stride_h UPS_DEFAULT(1), stride_w UPS_DEFAULT(1); /* at least 1 */
  /* before x; negative: so much of x is left out */
  int32_t padding_d UPS_DEFAULT(0), padding_h UPS_DEFAULT(0), padding_w UPS_DEFAULT(0);
  int32_t dilation_d UPS_DEFAULT(1), dilation_h UPS_DEFAULT(1), dilation_w UPS_DEFAULT(1); /* at least 1 */
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
} ups_conv_options;

UPS_API ups_status ups_conv_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                    const ups_tensor* bias, ups_tensor* y, ups_tensor* moments,
                                    const ups_conv_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_conv_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                     const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy, ups_tensor* dx,
                                     ups_tensor* dweight, ups_tensor* dbias,
                                     const ups_conv_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
