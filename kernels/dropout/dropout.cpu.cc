// SIMD. Floor: about 25 integer operations an element for Philox, which beside memory is the limit.
#include "dropout/dropout.h"
#include "dropout/dropout_call.h"

#define UPS_SIMD_SOURCE "dropout/dropout.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/math/philox_block.simd.h"

UPS_SIMD_BEGIN

constexpr int64_t task_blocks = 128;

template <class Named>
ups_status drop(const Call& call) {
  const DropoutCall<float> f(Named{call});
  const int64_t blocks = ceil_div(f.count, block_numbers);
  call.threads->run(ceil_div(blocks, task_blocks), [&](int64_t task, int32_t) {
    PhiloxBlock block;
    alignas(64) float drawn[block_numbers];
    const Floats p = broadcast(f.keep.p), scale = broadcast(f.keep.scale);
    const int64_t end = std::min(blocks, (task + 1) * task_blocks);
    for (int64_t number = task * task_blocks; number < end; ++number) {
      draw(static_cast<uint64_t>(number * block_quads), f.keep.stream, f.keep.seed, block);
      uniform_block(block, drawn);
      const int64_t first = number * block_numbers;
      each_vector(std::min(block_numbers, f.count - first), [&](int64_t i, int64_t here) {
        const Floats scaled = load_some(f.x + first + i, here) * scale;
        store_some(f.y + first + i, load(drawn + i) < p ? zero() : scaled, here);
      });
    }
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, DropoutForwardCall, drop<DropoutForwardCall>)
UPS_CPU_VARIANT(backward, DropoutBackwardCall, drop<DropoutBackwardCall>)

UPS_SIMD_END
