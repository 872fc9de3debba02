// The self test.  Without arguments: all tests, in the emulation under many schedules.  With a
// number: that many random seeds.  With --run NAME: one test that is meant to end badly.
#include <cstdlib>
#include <cstring>
#include <string>

#include "device.h"

namespace {

int run_tests(const std::string& schedule, test::Runs least) {
  int count = 0;
  for (const test::Test& one : test::tests()) {
    if (one.runs == test::Runs::alone || (least == test::Runs::every_schedule && one.runs != least)) continue;
    const std::string context = std::string(one.name) + " (" + schedule + ")";
    test::context = context.c_str();
    one.body();
    ++count;
  }
  test::context = "";
  return count;
}

int run_alone(const char* name) {
  for (const test::Test& one : test::tests()) {
    if (strcmp(one.name, name) != 0) continue;
    one.body();
    return EXIT_SUCCESS;
  }
  fprintf(stderr, "no test has the name %s\n", name);
  return EXIT_FAILURE;
}

#ifdef UPS_EMULATION

using ups::emu::Config;
using ups::emu::Order;
using ups::emu::Streams;

int run_streams(std::string schedule, bool first) {
  constexpr const char* names[] = {", eager streams", ", lazy streams", ", random streams"};
  int count = 0;
  for (const Streams streams : {Streams::eager, Streams::lazy, Streams::random}) {
    ups::emu::config().streams = streams;
    count += run_tests(schedule + names[static_cast<int>(streams)],
                       first && streams == Streams::eager ? test::Runs::once : test::Runs::every_schedule);
  }
  return count;
}

int run_all(int seeds) {
  Config& config = ups::emu::config();
  config = Config{};
  int count = run_streams("forward", true);
  config.order = Order::reverse;
  count += run_streams("reverse", false);
  config.order = Order::random;
  for (int seed = 1; seed <= seeds; ++seed) {
    config.seed = static_cast<uint64_t>(seed);
    count += run_streams("random, seed " + std::to_string(seed), false);
  }
  return count;
}

#else

int run_all(int) { return run_tests("GPU", test::Runs::once); }

#endif

}  // namespace

int main(int arguments, char** argument) {
  if (arguments == 3 && strcmp(argument[1], "--run") == 0) return run_alone(argument[2]);
  const int seeds = arguments == 2 ? atoi(argument[1]) : 5;
  const int count = run_all(seeds);
  printf("%d tests run, %d checks failed\n", count, test::failed_checks);
  return test::failed_checks == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
