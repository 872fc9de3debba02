// Dropout: which elements are kept, and what these are multiplied with. Depends on an element's
// number, seed and stream only, so that every device and any number of threads drop the same, and
// backward draws again instead of keeping a mask.
#pragma once
#include <cstdint>

#include "lib/math/philox.h"

namespace upsilon {

template <class T>
struct Keep {
  float p;  // how likely an element is dropped
  T scale;  // of those that are kept: 1 / (1 - p)
  uint64_t seed, stream;

  Keep(float p_, uint64_t seed_, uint64_t stream_)
      : p(p_), scale(p < 1 ? static_cast<T>(1 / (1 - static_cast<double>(p))) : T(0)), seed(seed_), stream(stream_) {}

  UPS_HD bool drops() const { return p > 0; }
  // 0 or scale.
  UPS_HD T factor(int64_t element) const {
    const PhiloxWords drawn = philox(static_cast<uint64_t>(element) / 4, stream, seed);
    // Not word[element % 4]: indexed by what is not known in advance, a GPU would keep the words in
    // memory.
    const uint32_t even = element & 2 ? drawn.word[2] : drawn.word[0],
                   odd = element & 2 ? drawn.word[3] : drawn.word[1];
    return uniform_of(element & 1 ? odd : even) < p ? T(0) : scale;
  }
  // A dropped NaN gives 0.
  UPS_HD static T times(T factor, T x) { return factor == T(0) ? T(0) : factor * x; }
};

}  // namespace upsilon
