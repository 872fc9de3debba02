// SIMD: common/convolution.cpu.cc. Floor: 2 N G C O KD KH KW D H W FLOP against the FMA peak, twice that backward.
#include "conv_transpose/conv_transpose.h"

#include "common/convolution_plan.h"
#include "conv_transpose/conv_transpose_call.h"

#define UPS_SIMD_SOURCE "conv_transpose/conv_transpose.cpu.cc"
#include "common/each_isa.h"
#include "common/convolution.simd.h"

UPS_SIMD_BEGIN

size_t forward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  const ConvTransposeForward<float> f(call);
  (void)Gather(f.shape, Towards::fine, call.threads->count(), pieces, f.moments != nullptr);
  return pieces.bytes();
}

ups_status forward(const Call& call) {
  const ConvTransposeForward<float> f(call);
  Pieces pieces(call.workspace);
  Gather(f.shape, Towards::fine, call.threads->count(), pieces, f.moments != nullptr)
      .run(*call.threads, f.x, f.weight, f.bias, f.activation, f.y, f.moments);
  return UPS_OK;
}

// dz = dy act', then dx from dz by the convolution, and the sums over samples and places.
struct Backward {
  float* dz;
  double* parts;
  Gather z, dx;
  WeightGradient dweight;
  Backward(const ConvTransposeBackward<float>& f, int32_t workers, Pieces& pieces)
      : dz(pieces.take<float>(f.activation == UPS_ACTIVATION_NONE ? 0 : f.shape.fine_count())),
        parts(pieces.take<double>(f.shape.samples * f.shape.groups * f.shape.fine_channels)),
        z(f.shape, Towards::fine, workers, pieces), dx(f.shape, Towards::coarse, workers, pieces),
        dweight(f.shape, workers, pieces) {}
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)Backward(ConvTransposeBackward<float>(call), call.threads->count(), pieces);
  return pieces.bytes();
}

ups_status backward(const Call& call) {
  const ConvTransposeBackward<float> f(call);
  Threads& threads = *call.threads;
  Pieces pieces(call.workspace);
  const Backward scratch(f, threads.count(), pieces);
  const float* dz = f.dy;
  if (f.activation != UPS_ACTIVATION_NONE) {
    if (f.activation == UPS_ACTIVATION_GELU)
      scratch.z.run(threads, f.x, f.weight, f.bias, UPS_ACTIVATION_NONE, scratch.dz);
    slopes(threads, f.y, f.dy, scratch.dz, f.shape.fine_count(), f.activation);
    dz = scratch.dz;
  }
  if (f.dx) scratch.dx.run(threads, dz, f.weight, nullptr, UPS_ACTIVATION_NONE, f.dx);
  if (f.dweight) scratch.dweight.run(threads, dz, f.x, f.dweight);
  if (f.dbias)
    channel_sums(threads, dz, f.shape.samples, f.shape.groups * f.shape.fine_channels, f.shape.fine_places(),
                 scratch.parts, f.dbias);
  return UPS_OK;
}

bool supports(const Call& call) { return fits_plan(conv_transpose_shape(call)); }

UPS_CPU_VARIANT(forward, "conv_transpose_forward", forward, forward_workspace, supports)
UPS_CPU_VARIANT(backward, "conv_transpose_backward", backward, backward_workspace, supports)

UPS_SIMD_END
