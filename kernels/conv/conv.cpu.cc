// SIMD: common/convolution.cpu.cc. Floor: 2 N G O C KD KH KW YD YH YW FLOP against the FMA peak, twice that backward.
#include "conv/conv.h"

#include "common/convolution_plan.h"
#include "conv/conv_call.h"

#define UPS_SIMD_SOURCE "conv/conv.cpu.cc"
#include "common/each_isa.h"
#include "common/convolution.simd.h"

UPS_SIMD_BEGIN

size_t forward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  const ConvForward<float> f(call);
  (void)Gather(f.shape, Towards::coarse, call.threads->count(), pieces, f.moments != nullptr);
  return pieces.bytes();
}

ups_status forward(const Call& call) {
  const ConvForward<float> f(call);
  Pieces pieces(call.workspace);
  Gather(f.shape, Towards::coarse, call.threads->count(), pieces, f.moments != nullptr)
      .run(*call.threads, f.x, f.weight, f.bias, f.activation, f.y, f.moments);
  return UPS_OK;
}

// dz = dy act', then dx from dz with the adjoint, and the sums over samples and places.
struct Backward {
  float* dz;
  double* parts;
  Gather z, dx;
  WeightGradient dweight;
  Backward(const ConvBackward<float>& f, int32_t workers, Pieces& pieces)
      : dz(pieces.take<float>(f.activation == UPS_ACTIVATION_NONE ? 0 : f.shape.coarse_count())),
        parts(pieces.take<double>(f.shape.samples * f.shape.groups * f.shape.coarse_channels)),
        z(f.shape, Towards::coarse, workers, pieces), dx(f.shape, Towards::fine, workers, pieces),
        dweight(f.shape, workers, pieces) {}
};

size_t backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)Backward(ConvBackward<float>(call), call.threads->count(), pieces);
  return pieces.bytes();
}

ups_status backward(const Call& call) {
  const ConvBackward<float> f(call);
  Threads& threads = *call.threads;
  Pieces pieces(call.workspace);
  const Backward scratch(f, threads.count(), pieces);
  const float* dz = f.dy;
  if (f.activation != UPS_ACTIVATION_NONE) {
    if (f.activation == UPS_ACTIVATION_GELU)
      scratch.z.run(threads, f.x, f.weight, f.bias, UPS_ACTIVATION_NONE, scratch.dz);
    slopes(threads, f.y, f.dy, scratch.dz, f.shape.coarse_count(), f.activation);
    dz = scratch.dz;
  }
  if (f.dx) scratch.dx.run(threads, dz, f.weight, nullptr, UPS_ACTIVATION_NONE, f.dx);
  if (f.dweight) scratch.dweight.run(threads, f.x, dz, f.dweight);
  if (f.dbias)
    channel_sums(threads, dz, f.shape.samples, f.shape.groups * f.shape.coarse_channels, f.shape.coarse_places(),
                 scratch.parts, f.dbias);
  return UPS_OK;
}

bool supports(const Call& call) { return fits_plan(conv_shape(call)); }

UPS_CPU_VARIANT(forward, "conv_forward", forward, forward_workspace, supports)
UPS_CPU_VARIANT(backward, "conv_backward", backward, backward_workspace, supports)

UPS_SIMD_END
