// CUDA: the gathered products of common/convolution.cu.
#include "conv/conv.h"

#include "common/convolution_device.h"
#include "conv/conv_call.h"

namespace upsilon {
namespace {

struct ForwardScratch {
  ConvolutionMoments moments;
  ForwardScratch(const ConvForward<float>& f, Pieces& pieces)
      : moments{f.moments, pieces.take<TileMoments>(f.moments ? tile_moments(f.shape, Towards::coarse) : 0)} {}
};

size_t forward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)ForwardScratch(ConvForward<float>(call), pieces);
  return pieces.bytes();
}

ups_status forward(const Call& call) {
  const ConvForward<float> f(call);
  Pieces pieces(call.workspace);
  const ForwardScratch scratch(f, pieces);
  Launcher launch(call);
  gather(launch, call.precision, f.shape, Towards::coarse, f.x, f.weight, f.bias, f.activation, f.y, scratch.moments);
  return launch.status();
}

struct Scratch {
  float *dz, *parts;
  double* sums;
  Scratch(const ConvBackward<float>& f, Pieces& pieces)
      : dz(pieces.take<float>(f.activation == UPS_ACTIVATION_NONE ? 0 : f.shape.coarse_count())),
        parts(pieces.take<float>(weight_gradient_floats(f.shape))),
        sums(pieces.take<double>(f.shape.samples * f.shape.groups * f.shape.coarse_channels)) {}
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)Scratch(ConvBackward<float>(call), pieces);
  return pieces.bytes();
}

ups_status backward(const Call& call) {
  const ConvBackward<float> f(call);
  Pieces pieces(call.workspace);
  const Scratch scratch(f, pieces);
  Launcher launch(call);
  const float* dz = f.dy;
  if (f.activation != UPS_ACTIVATION_NONE) {
    const bool gelu = f.activation == UPS_ACTIVATION_GELU;
    if (gelu)
      gather(launch, call.precision, f.shape, Towards::coarse, f.x, f.weight, f.bias, UPS_ACTIVATION_NONE, scratch.dz);
    slopes(launch, gelu ? scratch.dz : f.y, f.dy, scratch.dz, f.shape.coarse_count(), f.activation);
    dz = scratch.dz;
  }
  if (f.dx) gather(launch, call.precision, f.shape, Towards::fine, dz, f.weight, nullptr, UPS_ACTIVATION_NONE, f.dx);
  if (f.dweight) weight_gradient(launch, call.precision, f.shape, f.x, dz, scratch.parts, f.dweight);
  if (f.dbias)
    channel_sums(launch, dz, f.shape.samples, f.shape.groups * f.shape.coarse_channels, f.shape.coarse_places(),
                 scratch.sums, f.dbias);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, "conv_forward", forward, forward_workspace)
UPS_CUDA_VARIANT(backward, "conv_backward", backward, backward_workspace)

}  // namespace
}  // namespace upsilon
