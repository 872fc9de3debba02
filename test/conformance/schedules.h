// Thread schedules of the CUDA emulation.
#pragma once
#include <cstdint>

namespace upsilon::conformance {

// Number 0 runs forward, 1 backward, the others at random with that seed; streams eager, lazy and
// random in turn. Returns false when the emulation is not loaded or cannot be configured.
bool choose_schedule(int64_t number);

}  // namespace upsilon::conformance
