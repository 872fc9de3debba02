// What a test may choose about the emulated device, and what it may ask.
#pragma once

#include <source_location>
#include <string>
#include <vector>

namespace ups::emu {

using Site = std::source_location;

// Which of the threads that can run runs next.  Forward alone hides missing barriers: test with all
// three.
enum class Order : uint8_t { forward, reverse, random };

// When queued stream work runs: at once, as late as a synchronisation allows, or at random moments
// between.
enum class Streams : uint8_t { eager, lazy, random };

struct Config {
  Order order = Order::forward;
  Streams streams = Streams::eager;
  uint64_t seed = 1;            // of both random choices; the same seed gives the same schedule
  bool shuffle_blocks = true;   // Order::random also shuffles the blocks of a grid
  bool strict_exit = true;      // a thread may not return while others meet at a barrier
  bool poison = true;           // fresh shared and device memory is full of 0xff: NaN as a float, -1 as an integer
  bool late_copies = true;      // cp.async lands at the wait, and the destination is garbage until then
  bool record_sites = false;    // collects barrier_sites()
  int skip_line = 0;            // mutation: the barriers on this line (of skip_file, if given) do not happen
  std::string skip_file;        // the file's name without folders
  size_t stack_bytes = 64 * 1024;  // of a device thread; under ThreadSanitizer the first choice stays
  size_t shared_bytes = 163 * 1024;  // per block, static and dynamic: compute capability 8.0
  size_t static_shared_bytes = 48 * 1024;  // the linker's limit
  size_t device_bytes = size_t{8} << 30;    // cudaMalloc beyond this fails
  uint64_t spin_limit = uint64_t{1} << 27;  // this many fruitless yields of spinning threads are a livelock
};

// At first use it is read from the environment: UPSILON_EMULATION_ORDER (forward, reverse, random),
// UPSILON_EMULATION_SEED (a number), UPSILON_EMULATION_STREAMS (eager, lazy, random) and
// UPSILON_EMULATION_SKIP (file.cu:line).  A word it does not know makes every launch fail.  Change
// it only while no work is queued.
Config& config();

// The text of the first fault since clear_fault(), or of the last refused launch; empty if there
// was none.
std::string last_message();

// Forgets the fault of failed device work, which otherwise stays as it does in CUDA.
void clear_fault();

// Switches between device threads since the start of the process.
uint64_t switches();

// The barriers met while record_sites was on: the list of mutations worth trying.
struct BarrierSite {
  std::string file;  // without folders
  int line;
};
std::vector<BarrierSite> barrier_sites();

}  // namespace ups::emu
