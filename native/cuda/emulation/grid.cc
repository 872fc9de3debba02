// A launch: the blocks of a grid, one after the other.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "device.h"
#include "machine.h"

namespace ups::emu {

constinit Machine* the_machine = nullptr;

namespace {

std::vector<BarrierSite>& sites() {
  static auto* const all = new std::vector<BarrierSite>;
  return *all;
}

// The blocks in the configured order.  The random one is an affine permutation of the numbers: no
// table.
class BlockOrder {
 public:
  BlockOrder(const Config& settings, uint64_t blocks) : blocks_(blocks) {
    if (settings.order == Order::reverse) {
      step_ = blocks - 1;  // i -> (blocks - 1) (i + 1) = -(i + 1), modulo blocks
      first_ = blocks - 1;
    } else if (settings.order == Order::random && settings.shuffle_blocks && blocks > 1) {
      Random random{settings.seed};
      first_ = random.next() % blocks;
      do step_ = 1 + random.next() % (blocks - 1);
      while (std::gcd(step_, blocks) != 1);
    }
  }
  uint64_t operator[](uint64_t place) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(place) * step_ + first_) % blocks_);
  }

 private:
  uint64_t blocks_;
  uint64_t step_ = 1;
  uint64_t first_ = 0;
};

void prepare_lanes(Machine& m, dim3 block) {
  for (auto& lanes : m.lane_sets) {
    if (lanes == nullptr) lanes = std::make_unique<Lane[]>(max_threads);
    for (unsigned thread = 0; thread < m.threads; ++thread) {
      Lane& lane = lanes[thread];
      lane.index = {thread % block.x, thread / block.x % block.y, thread / block.x / block.y};
      lane.number = thread;
      lane.lane = thread % warp_lanes;
      lane.warp = thread / warp_lanes;
#ifdef UPS_EMULATION_TSAN
      if (lane.fiber.tsan_identity == nullptr) lane.fiber.tsan_identity = __tsan_create_fiber(0);
#endif
    }
  }
}

#ifdef UPS_EMULATION_TSAN
char* order_for_next_block() {
  constexpr size_t pages = 16384;
  static char* const pool = static_cast<char*>(
      mmap(nullptr, pages * order_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  static uint64_t block = 0;
  return pool + block++ % pages * order_bytes;
}
#else
// publish() and observe() do nothing; only the address arithmetic needs a place to point to.
char* order_for_next_block() {
  static char unused[order_bytes];
  return unused;
}
#endif

void check_red_zones(Machine& m) {
  const SharedObject* object = overrun_object(m);
  if (object == nullptr) return;
  char text[256];
  snprintf(text, sizeof text, "write outside a shared memory object: near %s (%zu bytes) [block (%u,%u,%u)]",
           object->name, object->bytes, current_block.x, current_block.y, current_block.z);
  m.error = text;
}

bool run_numbered_block(Machine& m, dim3 grid, uint64_t number, size_t shared_bytes) {
  current_block = {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                   static_cast<unsigned>(number / grid.x / grid.y)};
  m.random.state = m.settings.seed * 0x2545f4914f6cdd1dull + number;
  m.order = order_for_next_block();
  current_thread = nullptr;
  if (!begin_shared_memory(m, shared_bytes)) return false;
  const bool completed = run_block(m);
  if (completed) check_red_zones(m);
  end_shared_memory(m);
  return m.error.empty();
}

}  // namespace

cudaError_t check_launch(dim3 grid, dim3 block, size_t shared_bytes) {
  constexpr unsigned max_x = 0x7fffffffu, max_yz = 65535, max_block_z = 64;
  const std::string environment_fault = environment_error();
  if (!environment_fault.empty()) {
    set_message(environment_fault);
    return cudaErrorInvalidConfiguration;
  }
  const bool block_fits = block.x != 0 && block.y != 0 && block.z != 0 && block.x <= max_threads &&
                          block.y <= max_threads && block.z <= max_block_z &&
                          uint64_t{block.x} * block.y * block.z <= max_threads;
  const bool grid_fits =
      grid.x != 0 && grid.y != 0 && grid.z != 0 && grid.x <= max_x && grid.y <= max_yz && grid.z <= max_yz;
  if (block_fits && grid_fits && shared_bytes <= config().shared_bytes) return cudaSuccess;
  char text[256];
  snprintf(text, sizeof text, "invalid launch: grid (%u,%u,%u), block (%u,%u,%u), %zu bytes of shared memory", grid.x,
           grid.y, grid.z, block.x, block.y, block.z, shared_bytes);
  set_message(text);
  return cudaErrorInvalidConfiguration;
}

cudaError_t run_grid(dim3 grid, dim3 block, size_t shared_bytes, Body body, const void* launch) {
  if (the_machine == nullptr) the_machine = new Machine;  // never destroyed: a static destructor may launch
  Machine& m = *the_machine;
  m.settings = config();
  m.stacks.set_stack_bytes(m.settings.stack_bytes);
  m.body = body;
  m.launch = launch;
  m.threads = block.x * block.y * block.z;
  m.host = Host{};
#ifdef UPS_EMULATION_TSAN
  m.host.fiber.tsan_identity = __tsan_get_current_fiber();
#endif
  current_block_dim = block;
  current_grid_dim = grid;
  m.error.clear();
  prepare_lanes(m, block);
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  const BlockOrder order(m.settings, blocks);
  for (uint64_t place = 0; place < blocks; ++place) {
    m.lanes = m.lane_sets[place % Machine::identity_sets].get();
    if (!run_numbered_block(m, grid, order[place], shared_bytes)) break;
  }
  observe(&m.order_of_end);
  current_thread = nullptr;
  if (m.error.empty()) return cudaSuccess;
  set_message(m.error);
  return cudaErrorLaunchFailure;
}

void record_site(const Site& site) {
  const BarrierSite met{file_of(site), static_cast<int>(site.line())};
  const bool known = std::any_of(sites().begin(), sites().end(), [&](const BarrierSite& other) {
    return other.line == met.line && other.file == met.file;
  });
  if (!known) sites().push_back(met);
}

std::vector<BarrierSite> barrier_sites() {
  const DeviceLock lock;
  return sites();
}

uint64_t switches() {
  const DeviceLock lock;
  return the_machine != nullptr ? the_machine->switches : 0;
}

}  // namespace ups::emu
