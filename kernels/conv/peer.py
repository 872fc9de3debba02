"""PyTorch's conv3d, with the groups of x and weight put together as PyTorch has them."""

import torch
from peer import Gradient, activate
from torch.nn import functional


def convolution(stride_d, stride_h, stride_w, padding_d, padding_h, padding_w, dilation_d, dilation_h, dilation_w,
                activation):
    """A function of x [N, G, C, ...], weight [G, O, C, ...] and bias. Unit axes are left out: PyTorch is faster so."""
    stride, padding, dilation = (stride_d, stride_h, stride_w), (padding_d, padding_h, padding_w), \
        (dilation_d, dilation_h, dilation_w)

    def forward(x, weight, bias):
        rank = 3 - next((a for a in range(2) if x.shape[3 + a] > 1 or weight.shape[3 + a] > 1), 2)
        run = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[rank]
        y = run(x.reshape(x.shape[0], -1, *x.shape[-rank:]), weight.reshape(-1, weight.shape[2], *weight.shape[-rank:]),
                bias, stride[-rank:], padding[-rank:], dilation[-rank:], x.shape[1])
        return activate(y, activation).reshape(x.shape[0], x.shape[1], weight.shape[1], *[1] * (3 - rank), *y.shape[2:])

    return forward


def conv_forward(x, weight, bias, stride_d, stride_h, stride_w, padding_d, padding_h, padding_w, dilation_d, dilation_h,
                 dilation_w, activation):
    forward = convolution(stride_d, stride_h, stride_w, padding_d, padding_h, padding_w, dilation_d, dilation_h, dilation_w,
                          activation)

    def run():
        with torch.inference_mode():
            return forward(x, weight, bias)

    return {"PyTorch": run}


def conv_backward(x, weight, bias, y, dy, stride_d, stride_h, stride_w, padding_d, padding_h, padding_w, dilation_d,
                  dilation_h, dilation_w, activation):
    forward = convolution(stride_d, stride_h, stride_w, padding_d, padding_h, padding_w, dilation_d, dilation_h, dilation_w,
                          activation)
    return {"PyTorch": Gradient(forward, (x, weight, bias), dy)}
