// The activations on the device, as lib/math/activation.h defines them.
#pragma once
#include "cuda/ups_cuda.h"
#include "upsilon/upsilon.h"

namespace upsilon {

UPS_ON_DEVICE float activate_value(float z, int32_t activation) {
  switch (activation) {
    case UPS_ACTIVATION_RELU: return z < 0.0f ? 0.0f : z;  // NaN passes through
    case UPS_ACTIVATION_LEAKY_RELU: return z < 0.0f ? 0.01f * z : z;
    case UPS_ACTIVATION_LEAKY_RELU_02: return z < 0.0f ? 0.2f * z : z;
    case UPS_ACTIVATION_ELU: return z < 0.0f ? expm1f(z) : z;
    case UPS_ACTIVATION_GELU: return 0.5f * z * (1.0f + erff(z * 0.70710678118654752440f));
    case UPS_ACTIVATION_TANH: return tanhf(z);
    case UPS_ACTIVATION_SIGMOID: return 1.0f / (1.0f + expf(-z));
    default: return z;
  }
}

// dact/dz from z (gelu) or y = act(z) (all others).
UPS_ON_DEVICE float activation_slope_at(float z_or_y, int32_t activation) {
  const float y = z_or_y;
  switch (activation) {
    case UPS_ACTIVATION_RELU: return y > 0.0f ? 1.0f : 0.0f;
    case UPS_ACTIVATION_LEAKY_RELU: return y > 0.0f ? 1.0f : 0.01f;
    case UPS_ACTIVATION_LEAKY_RELU_02: return y > 0.0f ? 1.0f : 0.2f;
    case UPS_ACTIVATION_ELU: return y > 0.0f ? 1.0f : y + 1.0f;
    case UPS_ACTIVATION_GELU: {
      const float z = z_or_y;
      return 0.5f * (1.0f + erff(z * 0.70710678118654752440f)) + z * 0.39894228040143267794f * expf(-0.5f * z * z);
    }
    case UPS_ACTIVATION_TANH: return 1.0f - y * y;
    case UPS_ACTIVATION_SIGMOID: return y * (1.0f - y);
    default: return 1.0f;
  }
}

}  // namespace upsilon
