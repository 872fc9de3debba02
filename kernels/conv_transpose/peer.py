"""PyTorch's conv_transpose3d, with the groups of x and weight put together as PyTorch has them."""

import torch
from peer import Gradient, activate
from torch.nn import functional


def convolution(extents, stride, padding, dilation, activation):
    """A function of x [N, G, C, ...], weight [G, C, O, ...] and bias; `extents` are the result's."""

    def forward(x, weight, bias):
        kernel = weight.shape[3:]
        more = [extents[a] - ((x.shape[3 + a] - 1) * stride[a] - 2 * padding[a] + dilation[a] * (kernel[a] - 1) + 1)
                for a in range(3)]
        y = functional.conv_transpose3d(x.reshape(x.shape[0], -1, *x.shape[3:]),
                                        weight.reshape(-1, weight.shape[2], *kernel), bias, stride, padding, more,
                                        x.shape[1], dilation)
        return activate(y, activation).reshape(x.shape[0], x.shape[1], weight.shape[2], *y.shape[2:])

    return forward


def conv_transpose_forward(x, weight, bias, YD, YH, YW, stride_d, stride_h, stride_w, padding_d, padding_h, padding_w,
                           dilation_d, dilation_h, dilation_w, activation):
    forward = convolution((YD, YH, YW), (stride_d, stride_h, stride_w), (padding_d, padding_h, padding_w),
                          (dilation_d, dilation_h, dilation_w), activation)

    def run():
        with torch.inference_mode():
            return forward(x, weight, bias)

    return {"PyTorch": run}


def conv_transpose_backward(x, weight, bias, y, dy, YD, YH, YW, stride_d, stride_h, stride_w, padding_d, padding_h,
                            padding_w, dilation_d, dilation_h, dilation_w, activation):
    forward = convolution((YD, YH, YW), (stride_d, stride_h, stride_w), (padding_d, padding_h, padding_w),
                          (dilation_d, dilation_h, dilation_w), activation)
    return {"PyTorch": Gradient(forward, (x, weight, bias), dy)}
