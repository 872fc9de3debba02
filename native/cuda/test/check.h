// The whole test framework: tests register themselves, checks count.
#pragma once

#include <cstdio>
#include <vector>

namespace test {

// Which runs a test takes part in: every schedule of the emulation (on a GPU there is one), one
// run, or none but a run of its own in a child process, because it is meant to end badly.
enum class Runs { every_schedule, once, alone };

struct Test {
  const char* name;
  void (*body)();
  Runs runs;
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*body)(), Runs runs) { tests().push_back({name, body, runs}); }
};

inline int failed_checks = 0;
inline const char* context = "";  // the test and the schedule that run now

inline bool check(bool passed, const char* what, const char* file, int line) {
  if (!passed && ++failed_checks <= 50) fprintf(stderr, "%s:%d: %s: not so: %s\n", file, line, context, what);
  return passed;
}

}  // namespace test

#define UPS_TEST(name, runs)                                                             \
  static void name();                                                                    \
  static const test::Registration registration_of_##name(#name, name, test::Runs::runs); \
  static void name()
#define CHECK(condition) test::check((condition), #condition, __FILE__, __LINE__)
