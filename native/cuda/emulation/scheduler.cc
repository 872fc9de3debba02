// Who runs next, how a device thread starts and ends, and what happens when none can go on.
#include <cstdarg>
#include <cstdio>

#include "machine.h"

namespace ups::emu {

constinit Thread* current_thread = nullptr;
constinit uint3 current_block{};
constinit dim3 current_block_dim{};
constinit dim3 current_grid_dim{};

namespace {

void lane_main();

Lane* next_lane(Machine& m) {
  const unsigned waiting = m.ready.size();
  if (waiting == 0) return nullptr;
  switch (m.settings.order) {
    case Order::reverse: return &m.lanes[m.ready.pop_back()];
    case Order::random: return &m.lanes[m.ready.pop_any(m.random.below(waiting))];
    case Order::forward: break;
  }
  return &m.lanes[m.ready.pop_front()];
}

void switch_lane(Machine& m, Fiber& from, Lane* to, bool from_ends) {
  ++m.switches;
  current_thread = to;
  switch_fiber(from, to != nullptr ? to->fiber : m.host.fiber, from_ends, m.host, m.stacks.stack_bytes());
}

[[noreturn]] void leave_block(Machine& m) {
  publish(&m.order_of_end);
  switch_lane(m, running_lane().fiber, nullptr, true);
  __builtin_unreachable();
}

// Under ThreadSanitizer a stack belongs to its identity for good, or reuse would look like a race.
bool give_stack(Machine& m, Lane& lane) {
  if (lane.fiber.stack == nullptr) lane.fiber.stack = m.stacks.take();
  if (lane.fiber.stack == nullptr) return false;
  prepare(lane.fiber, m.stacks.stack_bytes(), lane_main);
  lane.state = State::ready;
  return true;
}

void take_stack_back(Machine& m, Lane& lane) {
  if (thread_sanitized || lane.fiber.stack == nullptr) return;
  m.stacks.give(lane.fiber.stack);
  lane.fiber.stack = nullptr;
}

// A thread that was left in the middle of a kernel.
void abandon(Machine& m, Lane& lane) {
  lane.copies.clear();
  take_stack_back(m, lane);
#ifdef UPS_EMULATION_TSAN
  // In its name: what it did is over before the host goes on.
  __tsan_switch_to_fiber(lane.fiber.tsan_identity, 1);
  publish(&m.order_of_end);
  __tsan_switch_to_fiber(m.host.fiber.tsan_identity, 1);
  observe(&m.order_of_end);
  // Its identity still has the frames of the kernel on its shadow stack, and its stack their
  // accesses.
  if (lane.fiber.stack != nullptr) m.stacks.discard(lane.fiber.stack);
  __tsan_destroy_fiber(lane.fiber.tsan_identity);
  lane.fiber = Fiber{};
  lane.fiber.tsan_identity = __tsan_create_fiber(0);
#endif
}

void describe_deadlock(Machine& m) {
  m.error = "deadlock: no thread can go on;";
  unsigned waiting = 0;
  for (unsigned thread = 0; thread < m.threads; ++thread) {
    const Lane& lane = m.lanes[thread];
    if (lane.state == State::done) continue;
    if (++waiting > 4) continue;  // a few examples tell enough
    char text[256];
    snprintf(text, sizeof text, " thread %u (warp %u lane %u) waits in %s at %s:%u", thread, lane.warp, lane.lane,
             lane.operation, file_of(lane.site), line_of(lane.site));
    m.error += text;
    if (lane.state == State::at_warp) {
      snprintf(text, sizeof text, " for mask %08x", lane.mask);
      m.error += text;
    }
    m.error += ";";
  }
  char text[128];
  snprintf(text, sizeof text, " %u of %u wait, the others returned [block (%u,%u,%u)]", waiting, m.threads,
           current_block.x, current_block.y, current_block.z);
  m.error += text;
}

// Switches to the next thread that can run.
void run_next(Machine& m, Lane& me, Lane* next, bool me_ends) {
  if (next == &me) return;
  if (next == nullptr) {
    describe_deadlock(m);
    leave_block(m);
  }
  if (next->state == State::fresh && !give_stack(m, *next)) fail("no memory for the stacks of the threads");
  switch_lane(m, me.fiber, next, me_ends);
}

void end_lane(Machine& m, Lane& lane) {
  if (!lane.copies.empty()) fail("a thread returned with cp.async copies it did not wait for");
  lane.state = State::done;
  m.returned[lane.warp] |= 1u << lane.lane;
  --m.alive;
  m.fruitless_yields = 0;
  if (m.at_barrier == 0) return;
  if (m.settings.strict_exit)
    fail("a thread returned while %u threads wait in __syncthreads at %s:%u", m.at_barrier, file_of(m.barrier_site),
         line_of(m.barrier_site));
  if (m.at_barrier == m.alive) release_barrier(m);
}

// A thread that ends hands its stack to the next fresh one: a kernel without barriers needs no
// switches at all.
bool continue_on_this_stack(Lane& ended, Lane* next) {
  if (thread_sanitized || next == nullptr || next->state != State::fresh) return false;
  next->fiber.stack = ended.fiber.stack;
  ended.fiber.stack = nullptr;
  next->state = State::ready;
  current_thread = next;
  return true;
}

void lane_main() {
  Machine& m = machine();
  entered_fiber(m.host);
  for (;;) {
    observe(&m.order_of_start);
    m.body(m.launch);
    publish(&m.order_of_end);
    Lane& me = running_lane();
    end_lane(m, me);
    Lane* next = next_lane(m);
    if (continue_on_this_stack(me, next)) continue;
    if (next == nullptr && m.alive == 0) {
      take_stack_back(m, me);  // nobody takes it before this fiber is left
      leave_block(m);
    }
    if (next != nullptr && next->state != State::fresh) take_stack_back(m, me);
    run_next(m, me, next, true);
  }
}

}  // namespace

void make_ready(Lane& lane) {
  lane.state = State::ready;
  machine().ready.push_back(lane.number);
}

void wait_for_others() {
  Machine& m = machine();
  run_next(m, running_lane(), next_lane(m), false);
}

bool run_block(Machine& m) {
  m.error.clear();
  m.alive = m.threads;
  m.fruitless_yields = m.atomics_since_yield = 0;
  m.ready.clear();
  m.returned.fill(0);
  for (unsigned thread = 0; thread < m.threads; ++thread) {
    m.lanes[thread].state = State::fresh;
    m.lanes[thread].copy_group = 0;
    m.ready.push_back(thread);
  }
  publish(&m.order_of_start);
  Lane* first = next_lane(m);
  if (!give_stack(m, *first)) {
    m.error = "no memory for the stacks of the threads";
    return false;
  }
  switch_lane(m, m.host.fiber, first, false);
  if (m.error.empty()) return true;
  for (unsigned thread = 0; thread < m.threads; ++thread) abandon(m, m.lanes[thread]);
  for (auto& warp : m.meetings)
    for (Meeting& meeting : warp) meeting.arrived = 0;
  m.at_barrier = m.barrier_predicates = 0;
  return false;
}

void fail(const char* format, ...) {
  Machine& m = machine();
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  const uint3 thread = running_lane().index;
  char place[128];
  snprintf(place, sizeof place, " [block (%u,%u,%u) thread (%u,%u,%u)]", current_block.x, current_block.y,
           current_block.z, thread.x, thread.y, thread.z);
  m.error = text;
  m.error += place;
  leave_block(m);
}

void maybe_yield() {
  Machine& m = machine();
  constexpr unsigned random_yield_in = 4, ordered_yield_in = 64;
  if (m.settings.order == Order::random ? m.random.below(random_yield_in) != 0
                                        : ++m.atomics_since_yield < ordered_yield_in)
    return;
  m.atomics_since_yield = 0;
  if (++m.fruitless_yields > m.settings.spin_limit)
    fail("livelock: threads spin on atomics and none gets on (a wait for another block?)");
  Lane& me = running_lane();
  // Last in turn, whatever the order, so that a spinning thread lets the one it waits for run.
  if (m.settings.order == Order::reverse) m.ready.push_front(me.number);
  else m.ready.push_back(me.number);
  wait_for_others();
}

}  // namespace ups::emu
