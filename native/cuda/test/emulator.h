// For the tests of the emulator itself.
#pragma once

#include <string>

#include "device.h"

namespace test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool address_sanitized = true;
#else
inline constexpr bool address_sanitized = false;
#endif
#if defined(__SANITIZE_THREAD__)
inline constexpr bool thread_sanitized = true;
#else
inline constexpr bool thread_sanitized = false;
#endif

using ups::emu::Config;
using ups::emu::config;
using ups::emu::Order;
using ups::emu::Streams;

// Default settings for a test, and those from before afterwards; no fault is left behind.
class Settings {
 public:
  Settings() : before_(config()) { config() = Config{}; }
  ~Settings() {
    config() = before_;
    ups::emu::clear_fault();
  }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

 private:
  Config before_;
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// How many of the seeds make a run of a sample kernel wrong.
template <class Error>
int wrong_seeds(int seeds, double tolerance, Error error) {
  int wrong = 0;
  config().order = Order::random;
  for (int seed = 1; seed <= seeds; ++seed) {
    config().seed = static_cast<uint64_t>(seed);
    if (!(error() <= tolerance)) ++wrong;
    ups::emu::clear_fault();
  }
  return wrong;
}

}  // namespace test
