// Shuffles, votes, match and reductions of a warp.
#pragma once

#include "executor.h"

namespace ups::emu {

template <class T>
T shuffle_value(uint32_t mask, T value, ShuffleKind kind, int operand, int width, const char* operation, Site site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "CUDA has no such shuffle");
  Shuffle exchange{0, 0, kind, operand, width, false};
  memcpy(&exchange.value, &value, sizeof(T));
  shuffle(mask, exchange, operation, site);
  memcpy(&value, &exchange.result, sizeof(T));
  return value;
}

}  // namespace ups::emu

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32 UPS_AND_SITE) {
  return ups::emu::shuffle_value(mask, value, ups::emu::ShuffleKind::index, source, width, "__shfl_sync", site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32 UPS_AND_SITE) {
  return ups::emu::shuffle_value(mask, value, ups::emu::ShuffleKind::up, static_cast<int>(distance), width,
                                 "__shfl_up_sync", site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32 UPS_AND_SITE) {
  return ups::emu::shuffle_value(mask, value, ups::emu::ShuffleKind::down, static_cast<int>(distance), width,
                                 "__shfl_down_sync", site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32 UPS_AND_SITE) {
  return ups::emu::shuffle_value(mask, value, ups::emu::ShuffleKind::exclusive_or, lane_mask, width, "__shfl_xor_sync",
                                 site);
}

inline unsigned __ballot_sync(unsigned mask, int predicate UPS_AND_SITE) {
  return ups::emu::ballot(mask, predicate != 0, "__ballot_sync", site);
}
inline int __any_sync(unsigned mask, int predicate UPS_AND_SITE) {
  return ups::emu::ballot(mask, predicate != 0, "__any_sync", site) != 0;
}
inline int __all_sync(unsigned mask, int predicate UPS_AND_SITE) {
  return ups::emu::ballot(mask, predicate != 0, "__all_sync", site) == mask;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value UPS_AND_SITE) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "CUDA has no such match");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  return ups::emu::match_any(mask, bits, site);
}

inline unsigned __reduce_add_sync(unsigned mask, unsigned value UPS_AND_SITE) {
  return ups::emu::reduce(mask, value, ups::emu::Reduction::add, "__reduce_add_sync", site);
}
inline int __reduce_add_sync(unsigned mask, int value UPS_AND_SITE) {
  return static_cast<int>(__reduce_add_sync(mask, static_cast<unsigned>(value), site));
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value UPS_AND_SITE) {
  return ups::emu::reduce(mask, value, ups::emu::Reduction::min_unsigned, "__reduce_min_sync", site);
}
inline int __reduce_min_sync(unsigned mask, int value UPS_AND_SITE) {
  return static_cast<int>(
      ups::emu::reduce(mask, static_cast<unsigned>(value), ups::emu::Reduction::min_signed, "__reduce_min_sync", site));
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value UPS_AND_SITE) {
  return ups::emu::reduce(mask, value, ups::emu::Reduction::max_unsigned, "__reduce_max_sync", site);
}
inline int __reduce_max_sync(unsigned mask, int value UPS_AND_SITE) {
  return static_cast<int>(
      ups::emu::reduce(mask, static_cast<unsigned>(value), ups::emu::Reduction::max_signed, "__reduce_max_sync", site));
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value UPS_AND_SITE) {
  return ups::emu::reduce(mask, value, ups::emu::Reduction::bit_and, "__reduce_and_sync", site);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value UPS_AND_SITE) {
  return ups::emu::reduce(mask, value, ups::emu::Reduction::bit_or, "__reduce_or_sync", site);
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value UPS_AND_SITE) {
  return ups::emu::reduce(mask, value, ups::emu::Reduction::bit_xor, "__reduce_xor_sync", site);
}

// The set of active lanes is whatever the hardware likes; no kernel may depend on it.
unsigned __activemask() = delete;
