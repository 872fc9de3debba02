// What conv and conv_transpose do with a call.
#if defined(UPS_LIB_CONVOLUTION_CALL_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_CONVOLUTION_CALL_SIMD_H
#undef UPS_LIB_CONVOLUTION_CALL_SIMD_H
#else
#define UPS_LIB_CONVOLUTION_CALL_SIMD_H
#endif

#include "lib/convolution/call.h"
#include "lib/convolution/gather.simd.h"
#include "lib/convolution/sums.simd.h"
#include "lib/convolution/weight_gradient.simd.h"

UPS_SIMD_BEGIN

template <class Forward>
size_t convolution_forward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  const Forward f(call);
  (void)Gather(f.shape, Forward::y_grid, call.threads->count(), pieces, -1, f.moments != nullptr);
  return pieces.bytes();
}

template <class Forward>
ups_status convolution_forward(const Call& call) {
  const Forward f(call);
  Pieces pieces(call.workspace);
  Gather(f.shape, Forward::y_grid, call.threads->count(), pieces, -1, f.moments != nullptr)
      .run(*call.threads, {f.x, f.weight, f.bias, f.activation, f.y, f.moments});
  return UPS_OK;
}

// dz = dy act', then dx from dz in the other direction, and the sums over samples and places.
template <class Backward>
struct ConvolutionBackwardScratch {
  float* dz;
  double* parts;
  Gather z, dx;
  WeightGradient dweight;
  ConvolutionBackwardScratch(const Backward& f, int32_t workers, Pieces& pieces)
      : dz(pieces.take<float>(f.activation == UPS_ACTIVATION_NONE ? 0 : f.shape.count(Backward::y_grid))),
        parts(pieces.take<double>(f.shape.samples * f.shape.all_channels(Backward::y_grid))),
        z(f.shape, Backward::y_grid, workers, pieces), dx(f.shape, Backward::x_grid, workers, pieces),
        dweight(f.shape, workers, pieces) {}
};

template <class Backward>
size_t convolution_backward_workspace(const Call& call) {
  Pieces pieces(nullptr);
  (void)ConvolutionBackwardScratch<Backward>(Backward(call), call.threads->count(), pieces);
  return pieces.bytes();
}

template <class Backward>
ups_status convolution_backward(const Call& call) {
  const Backward f(call);
  Threads& threads = *call.threads;
  Pieces pieces(call.workspace);
  const ConvolutionBackwardScratch<Backward> scratch(f, threads.count(), pieces);
  const float* dz = f.dy;
  if (f.activation != UPS_ACTIVATION_NONE) {
    if (f.activation == UPS_ACTIVATION_GELU)
      scratch.z.run(threads, {f.x, f.weight, f.bias, UPS_ACTIVATION_NONE, scratch.dz, nullptr});
    slopes(threads, f.y, f.dy, scratch.dz, f.shape.count(Backward::y_grid), f.activation);
    dz = scratch.dz;
  }
  if (f.dx) scratch.dx.run(threads, {dz, f.weight, nullptr, UPS_ACTIVATION_NONE, f.dx, nullptr});
  if (f.dweight) scratch.dweight.run(threads, f.fine(dz), f.coarse(dz), f.dweight);
  if (f.dbias)
    channel_sums(threads, dz, f.shape.samples, f.shape.all_channels(Backward::y_grid), f.shape.places(Backward::y_grid),
                 scratch.parts, f.dbias);
  return UPS_OK;
}

template <class Call_>
bool convolution_supports(const Call& call) {
  return fits_plan(Call_(call).shape);
}

UPS_SIMD_END

#endif
