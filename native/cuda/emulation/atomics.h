// Atomics for the types that CUDA has them for; each is also a place where another thread may run.
#pragma once

#include <atomic>
#include <concepts>

#include "executor.h"

#if defined(__SANITIZE_THREAD__)
#define UPS_EMULATION_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UPS_EMULATION_THREAD_SANITIZED 1
#endif
#endif

namespace ups::emu {

#ifdef UPS_EMULATION_THREAD_SANITIZED
// ThreadSanitizer knows no fences, so the atomics carry the order (and a missing fence is not
// found).
inline constexpr std::memory_order atomic_order = std::memory_order_acq_rel;
#else
inline constexpr std::memory_order atomic_order = std::memory_order_relaxed;
#endif

template <class T, class... Allowed>
concept any_of = (std::same_as<T, Allowed> || ...);
template <class T>
concept atomic_integer = any_of<T, int, unsigned, unsigned long long>;
template <class T>
concept atomic_ordered = any_of<T, int, unsigned, unsigned long long, long long>;
template <class T>
concept atomic_number = any_of<T, int, unsigned, unsigned long long, float, double>;
template <class T>
concept atomic_word = any_of<T, int, unsigned, unsigned long long, float>;

// Replaces *target by change(*target) and returns the value before.
template <class T, class Change>
T atomic_update(T* target, Change change) {
  std::atomic_ref<T> reference(*target);
  T before = reference.load(std::memory_order_relaxed);
  while (!reference.compare_exchange_weak(before, change(before), atomic_order, std::memory_order_relaxed)) {
  }
  maybe_yield();
  return before;
}

}  // namespace ups::emu

#ifdef UPS_EMULATION_THREAD_SANITIZED
inline void __threadfence() {}
inline void __threadfence_block() {}
#else
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_block() { std::atomic_thread_fence(std::memory_order_acq_rel); }
#endif

template <ups::emu::atomic_number T>
T atomicAdd(T* target, std::type_identity_t<T> value) {
  const T before = std::atomic_ref<T>(*target).fetch_add(value, ups::emu::atomic_order);
  ups::emu::maybe_yield();
  return before;
}
template <ups::emu::any_of<int, unsigned> T>
T atomicSub(T* target, std::type_identity_t<T> value) {
  const T before = std::atomic_ref<T>(*target).fetch_sub(value, ups::emu::atomic_order);
  ups::emu::maybe_yield();
  return before;
}
template <ups::emu::atomic_ordered T>
T atomicMax(T* target, std::type_identity_t<T> value) {
  return ups::emu::atomic_update(target, [value](T before) { return before < value ? value : before; });
}
template <ups::emu::atomic_ordered T>
T atomicMin(T* target, std::type_identity_t<T> value) {
  return ups::emu::atomic_update(target, [value](T before) { return value < before ? value : before; });
}
template <ups::emu::atomic_integer T>
T atomicAnd(T* target, std::type_identity_t<T> value) {
  return ups::emu::atomic_update(target, [value](T before) { return before & value; });
}
template <ups::emu::atomic_integer T>
T atomicOr(T* target, std::type_identity_t<T> value) {
  return ups::emu::atomic_update(target, [value](T before) { return before | value; });
}
template <ups::emu::atomic_integer T>
T atomicXor(T* target, std::type_identity_t<T> value) {
  return ups::emu::atomic_update(target, [value](T before) { return before ^ value; });
}
template <ups::emu::atomic_word T>
T atomicExch(T* target, std::type_identity_t<T> value) {
  const T before = std::atomic_ref<T>(*target).exchange(value, ups::emu::atomic_order);
  ups::emu::maybe_yield();
  return before;
}
template <ups::emu::atomic_integer T>
T atomicCAS(T* target, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  std::atomic_ref<T>(*target).compare_exchange_strong(expected, value, ups::emu::atomic_order,
                                                      std::memory_order_relaxed);
  ups::emu::maybe_yield();
  return expected;
}
