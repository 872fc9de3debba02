// cp.async (PTX ISA, "Data Movement and Conversion Instructions: Asynchronous copy"), sm_80 and
// later.
#pragma once

namespace ups {

UPS_ON_DEVICE uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

// Copies Bytes (4, 8 or 16) from global to shared memory behind the thread's back; without `wanted`
// it writes zeros and reads nothing.  Both addresses are aligned to Bytes.
template <int Bytes>
UPS_ON_DEVICE void cp_async(void* shared, const void* global, bool wanted = true) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  const int source_bytes = wanted ? Bytes : 0;
  if constexpr (Bytes == 16)  // .cg keeps a stream of tiles out of L1; the instruction has it for 16 bytes only
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)), "l"(global),
                 "r"(source_bytes)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(shared_address(shared)), "l"(global),
                 "n"(Bytes), "r"(source_bytes)
                 : "memory");
}

UPS_ON_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// Until at most Pending of this thread's latest groups are still under way.
template <int Pending>
UPS_ON_DEVICE void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Pending) : "memory");
}

}  // namespace ups
