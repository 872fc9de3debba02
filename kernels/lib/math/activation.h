// Activations as the reference computes them, and their derivatives.
#pragma once
#include <cmath>

#include "upsilon/upsilon.h"

namespace upsilon {

template <class T>
T activate(T z, int32_t activation) {
  switch (activation) {
    case UPS_ACTIVATION_RELU: return z < T(0) ? T(0) : z;  // NaN passes through
    case UPS_ACTIVATION_LEAKY_RELU: return z < T(0) ? T(0.01) * z : z;
    case UPS_ACTIVATION_LEAKY_RELU_02: return z < T(0) ? T(0.2) * z : z;
    case UPS_ACTIVATION_ELU: return z < T(0) ? std::expm1(z) : z;
    case UPS_ACTIVATION_GELU: return T(0.5) * z * (T(1) + std::erf(z * T(0.70710678118654752440)));
    case UPS_ACTIVATION_TANH: return std::tanh(z);
    case UPS_ACTIVATION_SIGMOID: return T(1) / (T(1) + std::exp(-z));
    default: return z;
  }
}

// dact/dz. Every activation but gelu knows its derivative from its value y, so z need not be kept.
template <class T>
T activation_slope(T z, T y, int32_t activation) {
  switch (activation) {
    case UPS_ACTIVATION_RELU: return y > T(0) ? T(1) : T(0);
    case UPS_ACTIVATION_LEAKY_RELU: return y > T(0) ? T(1) : T(0.01);
    case UPS_ACTIVATION_LEAKY_RELU_02: return y > T(0) ? T(1) : T(0.2);
    case UPS_ACTIVATION_ELU: return y > T(0) ? T(1) : y + T(1);
    case UPS_ACTIVATION_GELU:
      return T(0.5) * (T(1) + std::erf(z * T(0.70710678118654752440))) +
             z * T(0.39894228040143267794) * std::exp(T(-0.5) * z * z);
    case UPS_ACTIVATION_TANH: return T(1) - y * y;
    case UPS_ACTIVATION_SIGMOID: return y * (T(1) - y);
    default: return T(1);
  }
}

}  // namespace upsilon
