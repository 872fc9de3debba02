/* conv_transpose: the adjoint of conv, as PyTorch's conv_transpose1d, 2d and 3d.
 *
 *   y[n, g, o, i] = act(b[g, o] + sum over c, j, k of x[n, g, c, j] W[g, c, o, k]),
 *   over those j and k with i = j stride - padding + k dilation
 *
 * with i, j and k running over three axes; one and two dimensions are three with extents of 1.
 * Groups are a dimension of their own: x [N, G C, D, H, W] and [N, G, C, D, H, W] are the same
 * memory, likewise PyTorch's weight [G C, O, ...]. `padding` is cut off the beginning (a negative
 * one is put before it); the end follows from the extents of y, which may be any (output padding,
 * output size): places that nothing reaches are act(b).
 * moments: mean and (biased) variance of every channel of every sample of y, taken while the
 * results are still in cache, for the normalisation that follows (layer_norm, batch_norm_training);
 * 0 where y has no elements. Backward takes x, W, b, y and dy and gives dx, dW, db; any of the
 * three may be left out. NaN and infinities reach only results whose sum contains them, except that
 * those of x may reach all taps of dW. Outputs are overwritten. The same bits for any number of
 * threads. */
#ifndef UPSILON_OPS_CONV_TRANSPOSE_H
#define UPSILON_OPS_CONV_TRANSPOSE_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_CONV_TRANSPOSE_OPTIONS                                                 \
  "stride_d: i32 = 1 from 1, stride_h: i32 = 1 from 1, stride_w: i32 = 1 from 1, " \
  "padding_d: i32 = 0, padding_h: i32 = 0, padding_w: i32 = 0, "                   \
  "dilation_d: i32 = 1 from 1, dilation_h: i32 = 1 from 1, dilation_w: i32 = 1 from 1, activation: activation"

#define UPS_CONV_TRANSPOSE_FORWARD_SCHEMA                                              \
  "x: real[N, G, C, D, H, W], weight: real[G, C, O, KD, KH, KW], bias?: real[G*O] -> " \
  "y: real[N, G, O, YD, YH, YW], moments?: f64[N, G, O, 2]; " UPS_CONV_TRANSPOSE_OPTIONS
#define UPS_CONV_TRANSPOSE_BACKWARD_SCHEMA                                                                         \
  "x: real[N, G, C, D, H, W], weight: real[G, C, O, KD, KH, KW], bias?: real[G*O], y: real[N, G, O, YD, YH, YW], " \
  "dy: real[N, G, O, YD, YH, YW] -> dx?: real[N, G, C, D, H, W], dweight?: real[G, C, O, KD, KH, KW], "            \
  "dbias?: real[G*O]; " UPS_CONV_TRANSPOSE_OPTIONS

typedef struct ups_conv_transpose_options {
  size_t size UPS_DEFAULT(sizeof(ups_conv_transpose_options)); /* of this struct; 0: all defaults */
  int32_t stride_d UPS_DEFAULT(1), stride_h UPS_DEFAULT(1), stride_w UPS_DEFAULT(1); /* at least 1 */
  /* cut off the beginning; negative: put before it */
  int32_t padding_d UPS_DEFAULT(0), padding_h UPS_DEFAULT(0), padding_w UPS_DEFAULT(0);
  int32_t dilation_d UPS_DEFAULT(1), dilation_h UPS_DEFAULT(1), dilation_w UPS_DEFAULT(1); /* at least 1 */
  int32_t activation UPS_DEFAULT(0); /* ups_activation */
} ups_conv_transpose_options;

UPS_API ups_status ups_conv_transpose_forward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                              const ups_tensor* bias, ups_tensor* y, ups_tensor* moments,
                                              const ups_conv_transpose_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_conv_transpose_backward(ups_context* context, const ups_tensor* x, const ups_tensor* weight,
                                               const ups_tensor* bias, const ups_tensor* y, const ups_tensor* dy,
                                               ups_tensor* dx, ups_tensor* dweight, ups_tensor* dbias,
                                               const ups_conv_transpose_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
