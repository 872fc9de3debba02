"""PyTorch's pooling of one to three axes; windows that PyTorch would not give are left to us."""

from peer import Gradient
from torch.nn import functional


def shape(x, y, options):
    """The axes that are more than one place, and whether PyTorch gives the same windows there."""
    axes = [a for a, name in enumerate("dhw") if x.shape[1 + a] > 1 or y.shape[1 + a] > 1]
    first = axes[0] if axes else 2
    names = "dhw"[first:]
    settings = {key: [options[f"{key}_{name}"] for name in names] for key in ("kernel", "stride", "padding", "dilation")}
    return first, settings


def pooled(x, y, options):
    first, s = shape(x, y, options)
    rank = 3 - first
    rows = x.reshape(1, x.shape[0], *x.shape[1 + first:])
    if options["pool"] == "max":
        call = getattr(functional, f"max_pool{rank}d")
        return lambda x: call(x, s["kernel"], s["stride"], s["padding"], s["dilation"]).reshape(y.shape), rows
    if options["pool"] == "mean" and set(s["dilation"]) == {1}:
        call = getattr(functional, f"avg_pool{rank}d")
        return lambda x: call(x, s["kernel"], s["stride"], s["padding"], False,
                              bool(options["count_padding"])).reshape(y.shape), rows
    return None, rows


def collect(pool, kernel_d, kernel_h, kernel_w, stride_d, stride_h, stride_w, padding_d, padding_h, padding_w, dilation_d,
            dilation_h, dilation_w, count_padding):
    return dict(locals())


def window_pool_forward(x, y, pool, kernel_d, kernel_h, kernel_w, stride_d, stride_h, stride_w, padding_d, padding_h,
                        padding_w, dilation_d, dilation_h, dilation_w, count_padding):
    function, rows = pooled(x, y, collect(pool, kernel_d, kernel_h, kernel_w, stride_d, stride_h, stride_w, padding_d,
                                          padding_h, padding_w, dilation_d, dilation_h, dilation_w, count_padding))
    return {} if function is None else {"PyTorch": lambda: function(rows)}


def window_pool_backward(x, dy, pool, kernel_d, kernel_h, kernel_w, stride_d, stride_h, stride_w, padding_d, padding_h,
                         padding_w, dilation_d, dilation_h, dilation_w, count_padding):
    function, _ = pooled(x, dy, collect(pool, kernel_d, kernel_h, kernel_w, stride_d, stride_h, stride_w, padding_d,
                                        padding_h, padding_w, dilation_d, dilation_h, dilation_w, count_padding))
    if function is None:
        return {}
    first, _ = shape(x, dy, {f"{key}_{name}": 1 for key in ("kernel", "stride", "padding", "dilation") for name in "dhw"})
    return {"PyTorch": Gradient(lambda x: function(x.reshape(1, x.shape[0], *x.shape[1 + first:])), (x,), dy)}
