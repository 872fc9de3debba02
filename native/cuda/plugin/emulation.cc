// What tests may choose about the emulated device while no work is queued. The CUDA plug-in has no
// such function.
#include "cuda/ups_cuda.h"

#if defined(UPS_EMULATION)
#include <cstring>

// order: forward, reverse or random; streams: eager, lazy or random; null leaves one as it is.
// Forgets an earlier failure. Returns 0, or 1 for a word it does not know.
extern "C" __attribute__((visibility("default"))) int upsilon_emulation_configure(const char* order, uint64_t seed,
                                                                                  const char* streams) {
  using namespace ups::emu;
  Config wanted = config();
  const auto is = [](const char* word, const char* name) { return std::strcmp(word, name) == 0; };
  if (order) {
    if (is(order, "forward")) wanted.order = Order::forward;
    else if (is(order, "reverse")) wanted.order = Order::reverse;
    else if (is(order, "random")) wanted.order = Order::random;
    else return 1;
  }
  if (streams) {
    if (is(streams, "eager")) wanted.streams = Streams::eager;
    else if (is(streams, "lazy")) wanted.streams = Streams::lazy;
    else if (is(streams, "random")) wanted.streams = Streams::random;
    else return 1;
  }
  wanted.seed = seed;
  config() = wanted;
  clear_fault();
  return 0;
}
#endif
