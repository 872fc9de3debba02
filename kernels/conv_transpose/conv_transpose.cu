// CUDA: the gathered products of common/convolution.cu.
#include "conv_transpose/conv_transpose.h"

#include "common/convolution_device.h"
#include "conv_transpose/conv_transpose_call.h"

namespace upsilon {
namespace {

struct ForwardScratch {
  ConvolutionMoments moments;
  ForwardScratch(const ConvTransposeForward<float>& f, Pieces& pieces)
      : moments{f.moments, pieces.take<TileMoments>(f.moments ? tile_moments(f.shape, Towards::fine) : 0)} {}
};

size_t forward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)ForwardScratch(ConvTransposeForward<float>(call), pieces);
  return pieces.bytes();
}

ups_status forward(const Call& call) {
  const ConvTransposeForward<float> f(call);
  Pieces pieces(call.workspace);
  const ForwardScratch scratch(f, pieces);
  Launcher launch(call);
  gather(launch, call.precision, f.shape, Towards::fine, f.x, f.weight, f.bias, f.activation, f.y, scratch.moments);
  return launch.status();
}

struct Scratch {
  float *dz, *parts;
  double* sums;
  Scratch(const ConvTransposeBackward<float>& f, Pieces& pieces)
      : dz(pieces.take<float>(f.activation == UPS_ACTIVATION_NONE ? 0 : f.shape.fine_count())),
        parts(pieces.take<float>(weight_gradient_floats(f.shape))),
        sums(pieces.take<double>(f.shape.samples * f.shape.groups * f.shape.fine_channels)) {}
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)Scratch(ConvTransposeBackward<float>(call), pieces);
  return pieces.bytes();
}

ups_status backward(const Call& call) {
  const ConvTransposeBackward<float> f(call);
  Pieces pieces(call.workspace);
  const Scratch scratch(f, pieces);
  Launcher launch(call);
  const float* dz = f.dy;
  if (f.activation != UPS_ACTIVATION_NONE) {
    const bool gelu = f.activation == UPS_ACTIVATION_GELU;
    if (gelu)
      gather(launch, call.precision, f.shape, Towards::fine, f.x, f.weight, f.bias, UPS_ACTIVATION_NONE, scratch.dz);
    slopes(launch, gelu ? scratch.dz : f.y, f.dy, scratch.dz, f.shape.fine_count(), f.activation);
    dz = scratch.dz;
  }
  if (f.dx) gather(launch, call.precision, f.shape, Towards::coarse, dz, f.weight, nullptr, UPS_ACTIVATION_NONE, f.dx);
  if (f.dweight) weight_gradient(launch, call.precision, f.shape, dz, f.x, scratch.parts, f.dweight);
  if (f.dbias)
    channel_sums(launch, dz, f.shape.samples, f.shape.groups * f.shape.fine_channels, f.shape.fine_places(),
                 scratch.sums, f.dbias);
  return launch.status();
}

UPS_CUDA_VARIANT(forward, "conv_transpose_forward", forward, forward_workspace)
UPS_CUDA_VARIANT(backward, "conv_transpose_backward", backward, backward_workspace)

}  // namespace
}  // namespace upsilon
