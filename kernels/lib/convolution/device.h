// Convolutions on the device, in both directions, and their gradients. Compiled in gather.cu,
// weight_gradient.cu and sums.cu.
#pragma once
#include "lib/convolution/geometry.h"
#include "lib/cuda/cuda.h"

namespace upsilon {

// Of the numbers of one channel that a block has computed.
struct TileMoments {
  float count, mean, deviation;
};
// Mean and variance of every channel of every sample, from `tiles`: tile_moments() of them.
struct ConvolutionMoments {
  double* moments;
  TileMoments* tiles;
};
int64_t tile_moments(const Convolution& shape, Towards towards);

// A grid from the other one: coarse = act(bias + fine * W), or fine = act(bias + the adjoint of
// coarse).
void gather(Launcher& launch, int32_t precision, const Convolution& shape, Towards towards, const float* source,
            const float* weight, const float* bias, int32_t activation, float* result,
            const ConvolutionMoments& moments = {});

// dW = the sum over samples and places of coarse times fine: fixed chunks of places, added up in
// order. `parts` has weight_gradient_floats() floats.
int64_t weight_gradient_floats(const Convolution& shape);
void weight_gradient(Launcher& launch, int32_t precision, const Convolution& shape, const float* fine,
                     const float* coarse, float* parts, float* dweight);

// result[c] = the sum over samples and places of values[sample, c, place]; `parts` has samples *
// channels numbers.
void channel_sums(Launcher& launch, const float* values, int64_t samples, int64_t channels, int64_t places,
                  double* parts, float* result);

// dz = dy act', from y, or for gelu from z, which may be dz itself.
void slopes(Launcher& launch, const float* y_or_z, const float* dy, float* dz, int64_t count, int32_t activation);

}  // namespace upsilon
