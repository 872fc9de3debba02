#include "meeting.h"

namespace ups::emu {

void sync_warp(uint32_t mask, Site site) {
  Machine& m = machine();
  if (skipped(m, site)) return;
  meet(mask, nullptr, "__syncwarp", site, Memory::ordered, [&](Lane*, uint32_t) {
    if (m.settings.record_sites) record_site(site);
  });
}

namespace {

// The lane that a shuffle reads, by the rules of the CUDA C++ guide, "Warp Shuffle Functions".
int shuffle_source(int lane, const Shuffle& exchange) {
  const int first = lane & ~(exchange.width - 1);
  const int beyond = first + exchange.width;
  int source = lane;
  switch (exchange.kind) {
    case ShuffleKind::index: return first + (exchange.operand & (exchange.width - 1));
    case ShuffleKind::up: source = lane - exchange.operand; return source < first ? lane : source;
    case ShuffleKind::down: source = lane + exchange.operand; return source >= beyond ? lane : source;
    // A lower group may be read, a higher one may not.
    case ShuffleKind::exclusive_or: source = lane ^ exchange.operand; return source >= beyond ? lane : source;
  }
  return source;
}

}  // namespace

void shuffle(uint32_t mask, Shuffle& exchange, const char* operation, Site site) {
  const int width = exchange.width;
  if (width < 1 || width > 32 || (width & (width - 1)) != 0)
    fail("%s at %s:%u: the width %d is no power of two up to 32", operation, file_of(site), line_of(site), width);
  meet(mask, &exchange, operation, site, Memory::unordered, [](Lane* warp, uint32_t lanes) {
    for_each_lane(lanes, [&](unsigned lane) {
      auto& mine = exchange_of<Shuffle>(warp[lane]);
      const unsigned source = static_cast<unsigned>(shuffle_source(static_cast<int>(lane), mine)) & 31u;
      mine.source_missing = (lanes >> source & 1u) == 0;
      if (!mine.source_missing) mine.result = exchange_of<Shuffle>(warp[source]).value;
    });
  });
  if (exchange.source_missing)
    fail("%s at %s:%u reads a lane outside mask %08x", operation, file_of(site), line_of(site), mask);
}

namespace {

struct Vote {
  bool predicate;
  uint32_t ballot;
};

struct Match {
  uint64_t value;
  uint32_t equal;
};

struct Term {
  uint32_t value;
  Reduction reduction;
  uint32_t result;
};

uint32_t apply(Reduction reduction, uint32_t a, uint32_t b) {
  const auto signed_a = static_cast<int32_t>(a), signed_b = static_cast<int32_t>(b);
  switch (reduction) {
    case Reduction::add: return a + b;
    case Reduction::min_signed: return signed_b < signed_a ? b : a;
    case Reduction::min_unsigned: return b < a ? b : a;
    case Reduction::max_signed: return signed_a < signed_b ? b : a;
    case Reduction::max_unsigned: return a < b ? b : a;
    case Reduction::bit_and: return a & b;
    case Reduction::bit_or: return a | b;
    case Reduction::bit_xor: return a ^ b;
  }
  return a;
}

}  // namespace

uint32_t ballot(uint32_t mask, bool predicate, const char* operation, Site site) {
  Vote vote{predicate, 0};
  meet(mask, &vote, operation, site, Memory::unordered, [](Lane* warp, uint32_t lanes) {
    uint32_t votes = 0;
    for_each_lane(lanes, [&](unsigned lane) {
      if (exchange_of<Vote>(warp[lane]).predicate) votes |= 1u << lane;
    });
    for_each_lane(lanes, [&](unsigned lane) { exchange_of<Vote>(warp[lane]).ballot = votes; });
  });
  return vote.ballot;
}

uint32_t match_any(uint32_t mask, uint64_t value, Site site) {
  Match match{value, 0};
  meet(mask, &match, "__match_any_sync", site, Memory::unordered, [](Lane* warp, uint32_t lanes) {
    for_each_lane(lanes, [&](unsigned lane) {
      auto& mine = exchange_of<Match>(warp[lane]);
      for_each_lane(lanes, [&](unsigned other) {
        if (exchange_of<Match>(warp[other]).value == mine.value) mine.equal |= 1u << other;
      });
    });
  });
  return match.equal;
}

uint32_t reduce(uint32_t mask, uint32_t value, Reduction reduction, const char* operation, Site site) {
  Term term{value, reduction, 0};
  meet(mask, &term, operation, site, Memory::unordered, [](Lane* warp, uint32_t lanes) {
    const auto& first = exchange_of<Term>(warp[lowest_lane(lanes)]);
    uint32_t result = first.value;
    for_each_lane(lanes & (lanes - 1),
                  [&](unsigned lane) { result = apply(first.reduction, result, exchange_of<Term>(warp[lane]).value); });
    for_each_lane(lanes, [&](unsigned lane) { exchange_of<Term>(warp[lane]).result = result; });
  });
  return term.result;
}

}  // namespace ups::emu
