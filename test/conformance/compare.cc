#include "compare.h"

#include <cmath>

namespace upsilon::conformance {

Errors errors(const HostTensor& found, const HostTensor& oracle) {
  Errors result;
  double difference2 = 0, oracle2 = 0, largest = 0, deviation = 0;
  const bool narrow = found.dtype.bits == 32;
  for (int64_t i = 0; i < found.count(); ++i) {
    const double f = found.value(i);
    double o = oracle.value(i);
    if (narrow && std::isinf(static_cast<float>(o))) o = static_cast<float>(o);  // beyond float32's range
    if (!std::isfinite(o) || !std::isfinite(f)) {
      const bool same = std::isnan(o) ? std::isnan(f) : o == f;
      if (!same && result.different_kind < 0) result.different_kind = i;
      continue;
    }
    const double d = std::fabs(f - o);
    difference2 += d * d;
    oracle2 += o * o;
    largest = std::fmax(largest, std::fabs(o));
    if (d > deviation) {
      deviation = d;
      result.worst = i;
    }
  }
  result.l2 = std::sqrt(difference2 / (oracle2 > 0 ? oracle2 : 1));
  result.max = deviation / (largest > 0 ? largest : 1);
  return result;
}

int64_t first_difference(const HostTensor& a, const HostTensor& b) {
  const size_t size = a.size();
  for (int64_t i = 0; i < a.count(); ++i) {
    const size_t at = static_cast<size_t>(i) * size;
    if (std::memcmp(a.bytes.data() + at, b.bytes.data() + at, size) == 0) continue;
    if (a.is_float() && std::isnan(a.value(i)) && std::isnan(b.value(i))) continue;
    return i;
  }
  return -1;
}

}  // namespace upsilon::conformance
