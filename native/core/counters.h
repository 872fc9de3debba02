// What is alive in this process, for leak tests and monitoring (ups_count).
#pragma once
#include <atomic>
#include <cstdint>

namespace upsilon {

struct Counters {
  std::atomic<int64_t> blocks{0}, block_bytes{0}, arrow_exports{0}, arrow_imports{0}, recycled_bytes{0};
};
Counters& counters();

}  // namespace upsilon
