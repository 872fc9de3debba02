// How conv and conv_transpose run a call on the device, by the gathered products of gather.cu.
#pragma once
#include "lib/convolution/call.h"
#include "lib/convolution/device.h"

namespace upsilon {

template <class Forward>
struct ConvolutionForwardScratch {
  ConvolutionMoments moments;
  ConvolutionForwardScratch(const Forward& f, WorkspaceLayout& workspace)
      : moments{f.moments, workspace.reserve<TileMoments>(f.moments ? tile_moments(f.shape, Forward::y_grid) : 0)} {}
};

template <class Forward>
ups_status convolution_forward(const Call& call) {
  const Forward f(call);
  const auto scratch = scratch_of<ConvolutionForwardScratch<Forward>>(call, f);
  Launcher launch(call);
  gather(launch, call.precision, f.shape, Forward::y_grid, f.x, f.weight, f.bias, f.activation, f.y, scratch.moments);
  return launch.status();
}

template <class Backward>
struct ConvolutionBackwardScratch {
  float *dz, *parts;
  double* sums;
  ConvolutionBackwardScratch(const Backward& f, WorkspaceLayout& workspace)
      : dz(workspace.reserve<float>(f.activation == UPS_ACTIVATION_NONE ? 0 : f.shape.count(Backward::y_grid))),
        parts(workspace.reserve<float>(weight_gradient_floats(f.shape))),
        sums(workspace.reserve<double>(f.shape.samples * f.shape.all_channels(Backward::y_grid))) {}
};

template <class Backward>
ups_status convolution_backward(const Call& call) {
  constexpr Towards y_grid = Backward::y_grid, x_grid = Backward::x_grid;
  const Backward f(call);
  const auto scratch = scratch_of<ConvolutionBackwardScratch<Backward>>(call, f);
  Launcher launch(call);
  const float* dz = f.dy;
  if (f.activation != UPS_ACTIVATION_NONE) {
    const bool gelu = f.activation == UPS_ACTIVATION_GELU;
    if (gelu) gather(launch, call.precision, f.shape, y_grid, f.x, f.weight, f.bias, UPS_ACTIVATION_NONE, scratch.dz);
    slopes(launch, gelu ? scratch.dz : f.y, f.dy, scratch.dz, f.shape.count(y_grid), f.activation);
    dz = scratch.dz;
  }
  if (f.dx) gather(launch, call.precision, f.shape, x_grid, dz, f.weight, nullptr, UPS_ACTIVATION_NONE, f.dx);
  if (f.dweight) weight_gradient(launch, call.precision, f.shape, f.fine(dz), f.coarse(dz), scratch.parts, f.dweight);
  if (f.dbias)
    channel_sums(launch, dz, f.shape.samples, f.shape.all_channels(y_grid), f.shape.places(y_grid), scratch.sums,
                 f.dbias);
  return launch.status();
}

}  // namespace upsilon
