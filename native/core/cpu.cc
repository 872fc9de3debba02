#include "cpu.h"

#include <cstring>

namespace upsilon {
namespace {
constexpr const char* variant_names[variant_count] = {"reference", "baseline", "avx2", "lanes16", "avx512", "cuda"};
}

const char* variant_name(Variant variant) { return variant_names[static_cast<int>(variant)]; }

bool variant_from_name(const char* text, Variant* variant) {
  for (int i = 0; i < variant_count; ++i)
    if (std::strcmp(text, variant_names[i]) == 0) {
      *variant = static_cast<Variant>(i);
      return true;
    }
  return false;
}

bool cpu_can_run(Variant variant) {
  switch (variant) {
    case Variant::reference:
    case Variant::baseline: return true;
#if defined(__x86_64__) && defined(__GNUC__)
    // __builtin_cpu_supports also asks the operating system whether it keeps the wide registers.
    case Variant::avx2:
    case Variant::lanes16: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#if !defined(UPS_WITHOUT_AVX512)
    case Variant::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
#endif
    default: return false;
  }
}

const char* widest_isa() {
  if (cpu_can_run(Variant::avx512)) return variant_name(Variant::avx512);
  if (cpu_can_run(Variant::avx2)) return variant_name(Variant::avx2);
  return variant_name(Variant::baseline);
}

}  // namespace upsilon
