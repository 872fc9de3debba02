// Warp operations: the lanes of a mask meet, and the last to arrive computes for all of them.
#pragma once

#include "machine.h"

namespace ups::emu {

// Shuffles and votes move registers and order no memory; only __syncwarp does.
enum class Memory : uint8_t { unordered, ordered };

template <class Exchange>
Exchange& exchange_of(const Lane& lane) {
  return *static_cast<Exchange*>(lane.exchange);
}

inline void check_mask(const Machine& m, const Lane& me, const Meeting& meeting, uint32_t mask, const char* operation,
                       const Site& site) {
  const unsigned in_warp = m.threads - me.warp * warp_lanes;
  const uint32_t existing = in_warp >= warp_lanes ? ~0u : (1u << in_warp) - 1;
  if ((mask & ~existing) != 0)
    fail("%s at %s:%u: mask %08x names lanes that do not exist", operation, file_of(site), line_of(site), mask);
  if (meeting.arrived != 0 && (meeting.mask != mask || !same_place(meeting.site, site)))
    fail("divergent warp operation: this lane is in %s(%08x) at %s:%u, lanes %08x are in %s(%08x) at %s:%u", operation,
         mask, file_of(site), line_of(site), meeting.arrived, meeting.operation, meeting.mask, file_of(meeting.site),
         line_of(meeting.site));
  const uint32_t returned = mask & m.returned[me.warp];
  if (returned != 0)
    fail("%s at %s:%u: mask %08x names lane %u, which has returned", operation, file_of(site), line_of(site), mask,
         lowest_lane(returned));
}

// combine(lanes of the warp, mask) works on the exchanges that the lanes brought.
template <class Combine>
void meet(uint32_t mask, void* exchange, const char* operation, const Site& site, Memory memory, Combine combine) {
  Machine& m = machine();
  Lane& me = running_lane();
  if ((mask >> me.lane & 1u) == 0)
    fail("%s at %s:%u: mask %08x does not name the calling lane %u", operation, file_of(site), line_of(site), mask,
         me.lane);
  const unsigned lowest = lowest_lane(mask);
  Meeting& meeting = m.meetings[me.warp][lowest];
  check_mask(m, me, meeting, mask, operation, site);
  if (meeting.arrived == 0) {
    meeting.mask = mask;
    meeting.operation = operation;
    meeting.site = site;
  }
  meeting.arrived |= 1u << me.lane;
  me.exchange = exchange;
  me.state = State::at_warp;
  me.site = site;
  me.operation = operation;
  me.mask = mask;
  char* order = meeting_order(m, me, lowest, meeting.phase);
  if (memory == Memory::ordered) publish(order);
  if (meeting.arrived == mask) {
    Lane* warp = m.lanes + me.warp * warp_lanes;
    combine(warp, mask);
    meeting.arrived = 0;
    ++meeting.phase;
    m.fruitless_yields = 0;
    for_each_lane(mask, [&](unsigned lane) { make_ready(warp[lane]); });
  }
  wait_for_others();
  if (memory == Memory::ordered) observe(order);
}

}  // namespace ups::emu
