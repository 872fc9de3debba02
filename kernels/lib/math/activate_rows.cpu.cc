#include "upsilon/upsilon.h"

#define UPS_SIMD_SOURCE "lib/math/activate_rows.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/math/activate_rows.simd.h"
#include "lib/simd/elementary.simd.h"

UPS_SIMD_SHARED_BEGIN

void activate_rows(float* y, int64_t count, int32_t activation) {
  if (activation == UPS_ACTIVATION_NONE || activation == UPS_ACTIVATION_RELU) return;
  each_vector(count,
              [&](int64_t i, int64_t here) { store_some(y + i, activate(load_some(y + i, here), activation), here); });
}

void slope_rows(const float* y, const float* dy, float* dz, int64_t count, int32_t activation) {
  each_vector(count, [&](int64_t i, int64_t here) {
    const Floats z = activation == UPS_ACTIVATION_GELU ? load_some(dz + i, here) : zero();
    const Floats slope = activation_slope(z, load_some(y + i, here), activation);
    store_some(dz + i, load_some(dy + i, here) * slope, here);
  });
}

UPS_SIMD_SHARED_END
