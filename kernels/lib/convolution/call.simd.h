// How conv and conv_transpose run a call.
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
struct ConvolutionForwardScratch {
  Gather gather;
  ConvolutionForwardScratch(const Forward& f, const Call& call, WorkspaceLayout& workspace)
      : gather(f.shape, Forward::y_grid, call.threads->count(), workspace, call.strategy, f.moments != nullptr) {}
};

template <class Forward>
ups_status convolution_forward(const Call& call) {
  const Forward f(call);
  const auto scratch = scratch_of<ConvolutionForwardScratch<Forward>>(call, f);
  scratch.gather.run(*call.threads, {f.x, f.weight, f.bias, f.activation, f.y, f.moments});
  call.computed_by(scratch.gather.strategy());
  return UPS_OK;
}

template <class Forward>
bool convolution_forward_fits(const Call& call, int32_t strategy) {
  return Gather::fits(Forward(call).shape, Forward::y_grid, strategy);
}

// dz = dy act', then dx from dz in the other direction, and the sums over samples and places.
// Convolutions gather, here z again where the slope needs it, and dx where it is given; a forced
// strategy applies to both.
template <class Backward>
struct ConvolutionBackwardScratch {
  bool gathers_z, gathers_dx;
  float* dz;
  double* parts;
  Gather z, dx;
  WeightGradient dweight;
  ConvolutionBackwardScratch(const Backward& f, const Call& call, WorkspaceLayout& workspace)
      : gathers_z(f.activation == UPS_ACTIVATION_GELU), gathers_dx(f.dx != nullptr),
        dz(workspace.reserve<float>(f.activation == UPS_ACTIVATION_NONE ? 0 : f.shape.count(Backward::y_grid))),
        parts(workspace.reserve<double>(f.shape.samples * f.shape.all_channels(Backward::y_grid))),
        z(f.shape, Backward::y_grid, call.threads->count(), workspace, gathers_z ? call.strategy : -1),
        dx(f.shape, Backward::x_grid, call.threads->count(), workspace, gathers_dx ? call.strategy : -1),
        dweight(f.shape, call.threads->count(), workspace) {}
};

template <class Backward>
ups_status convolution_backward(const Call& call) {
  const Backward f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<ConvolutionBackwardScratch<Backward>>(call, f);
  const float* dz = f.dy;
  if (f.activation != UPS_ACTIVATION_NONE) {
    if (scratch.gathers_z) {
      scratch.z.run(threads, {f.x, f.weight, f.bias, UPS_ACTIVATION_NONE, scratch.dz, nullptr});
      call.computed_by(scratch.z.strategy());
    }
    slopes(threads, f.y, f.dy, scratch.dz, f.shape.count(Backward::y_grid), f.activation);
    dz = scratch.dz;
  }
  if (scratch.gathers_dx) {
    scratch.dx.run(threads, {dz, f.weight, nullptr, UPS_ACTIVATION_NONE, f.dx, nullptr});
    call.computed_by(scratch.dx.strategy());
  }
  if (f.dweight) scratch.dweight.run(threads, f.fine(dz), f.coarse(dz), f.dweight);
  if (f.dbias)
    channel_sums(threads, dz, f.shape.samples, f.shape.all_channels(Backward::y_grid), f.shape.places(Backward::y_grid),
                 scratch.parts, f.dbias);
  return UPS_OK;
}

// A forced strategy computes all that a call gathers.
template <class Backward>
bool convolution_backward_fits(const Call& call, int32_t strategy) {
  const Backward f(call);
  const bool gathers_z = f.activation == UPS_ACTIVATION_GELU, gathers_dx = f.dx != nullptr;
  return (gathers_z || gathers_dx) && (!gathers_z || Gather::fits(f.shape, Backward::y_grid, strategy)) &&
         (!gathers_dx || Gather::fits(f.shape, Backward::x_grid, strategy));
}

template <class Call_>
bool convolution_supports(const Call& call) {
  return fits_plan(Call_(call).shape);
}

UPS_SIMD_END

#endif
