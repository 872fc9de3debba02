/* window_pool: sum, mean, largest or smallest number of the windows of a grid with one, two or
 * three axes, as PyTorch's AvgPool and MaxPool; one window over all of a grid is global pooling.
 *
 *   y[i, j] = pool over k of x[i, j stride - padding + k dilation], what lies inside x
 *
 * with j and k running over three axes; one and two dimensions are three with extents of 1. I
 * counts samples and channels. `padding` lies before and behind x; the extents of y may be any. A
 * mean divides by the places of the window that lie in x and, with count_padding, in the padding
 * (PyTorch's count_include_pad); a window without any gives 0. An extreme is NaN where the window
 * has one. Its gradient goes to the first of equal extremes, or to the first NaN. A window without
 * a place in x gives 0 and has no gradient. Outputs are overwritten. The same bits for any number
 * of threads. */
#ifndef UPSILON_OPS_WINDOW_POOL_H
#define UPSILON_OPS_WINDOW_POOL_H
#include "upsilon/upsilon.h"
#ifdef __cplusplus
extern "C" {
#endif

#define UPS_WINDOW_POOL_OPTIONS                                                         \
  "pool: sum|mean|max|min, kernel_d: i32 = 1 from 1, kernel_h: i32 = 1 from 1, "        \
  "kernel_w: i32 = 1 from 1, stride_d: i32 = 1 from 1, stride_h: i32 = 1 from 1, "      \
  "stride_w: i32 = 1 from 1, padding_d: i32 = 0 from 0, padding_h: i32 = 0 from 0, "    \
  "padding_w: i32 = 0 from 0, dilation_d: i32 = 1 from 1, dilation_h: i32 = 1 from 1, " \
  "dilation_w: i32 = 1 from 1, count_padding: bool = true"

#define UPS_WINDOW_POOL_FORWARD_SCHEMA "x: real[I, D, H, W] -> y: real[I, YD, YH, YW]; " UPS_WINDOW_POOL_OPTIONS
#define UPS_WINDOW_POOL_BACKWARD_SCHEMA \
  "x: real[I, D, H, W], dy: real[I, YD, YH, YW] -> dx: real[I, D, H, W]; " UPS_WINDOW_POOL_OPTIONS

typedef struct ups_window_pool_options {
  size_t size UPS_DEFAULT(sizeof(ups_window_pool_options)); /* of this struct; 0: all defaults */
  int32_t pool UPS_DEFAULT(0); /* ups_pool */
  int32_t kernel_d UPS_DEFAULT(1), kernel_h UPS_DEFAULT(1), kernel_w UPS_DEFAULT(1); /* at least 1 */
  int32_t stride_d UPS_DEFAULT(1), stride_h UPS_DEFAULT(1), stride_w UPS_DEFAULT(1); /* at least 1 */
  int32_t padding_d UPS_DEFAULT(0), padding_h UPS_DEFAULT(0), padding_w UPS_DEFAULT(0); /* at least 0 */
  int32_t dilation_d UPS_DEFAULT(1), dilation_h UPS_DEFAULT(1), dilation_w UPS_DEFAULT(1); /* at least 1 */
  int32_t count_padding UPS_DEFAULT(1); /* 0 or 1 */
} ups_window_pool_options;

UPS_API ups_status ups_window_pool_forward(ups_context* context, const ups_tensor* x, ups_tensor* y,
                                           const ups_window_pool_options* options) UPS_NOEXCEPT;
UPS_API ups_status ups_window_pool_backward(ups_context* context, const ups_tensor* x, const ups_tensor* dy,
                                            ups_tensor* dx, const ups_window_pool_options* options) UPS_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
