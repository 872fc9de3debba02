#include "config.h"

#include <cerrno>
#include <cstdlib>

#include "device.h"

namespace ups::emu {

namespace {

struct Environment {
  Config settings;
  std::string error;
};

void not_understood(Environment& environment, const char* name, const char* text, const char* expected) {
  if (!environment.error.empty()) environment.error += "; ";
  environment.error += std::string(name) + "=" + text + ": expected " + expected;
}

bool parse_number(const char* text, uint64_t& number) {
  if (*text < '0' || *text > '9') return false;  // strtoull would take blanks and signs
  char* end = nullptr;
  errno = 0;
  number = strtoull(text, &end, 10);
  return *end == '\0' && errno == 0;
}

void read_order(Environment& environment) {
  const char* name = "UPSILON_EMULATION_ORDER";
  const char* text = getenv(name);
  if (text == nullptr) return;
  const std::string word = text;
  if (word == "forward") environment.settings.order = Order::forward;
  else if (word == "reverse") environment.settings.order = Order::reverse;
  else if (word == "random") environment.settings.order = Order::random;
  else not_understood(environment, name, text, "forward, reverse or random");
}

void read_streams(Environment& environment) {
  const char* name = "UPSILON_EMULATION_STREAMS";
  const char* text = getenv(name);
  if (text == nullptr) return;
  const std::string word = text;
  if (word == "eager") environment.settings.streams = Streams::eager;
  else if (word == "lazy") environment.settings.streams = Streams::lazy;
  else if (word == "random") environment.settings.streams = Streams::random;
  else not_understood(environment, name, text, "eager, lazy or random");
}

void read_seed(Environment& environment) {
  const char* name = "UPSILON_EMULATION_SEED";
  const char* text = getenv(name);
  if (text != nullptr && !parse_number(text, environment.settings.seed))
    not_understood(environment, name, text, "a number");
}

void read_skip(Environment& environment) {
  const char* name = "UPSILON_EMULATION_SKIP";
  const char* text = getenv(name);
  if (text == nullptr) return;
  const std::string place = text;
  const size_t colon = place.rfind(':');
  uint64_t line = 0;
  if (colon == std::string::npos || colon == 0 || !parse_number(text + colon + 1, line) || line > 1'000'000) {
    not_understood(environment, name, text, "file:line");
    return;
  }
  environment.settings.skip_file = place.substr(0, colon);
  environment.settings.skip_line = static_cast<int>(line);
}

Environment& environment() {
  static Environment* const the_environment = [] {
    auto* read = new Environment;
    read_order(*read);
    read_seed(*read);
    read_streams(*read);
    read_skip(*read);
    return read;
  }();
  return *the_environment;
}

}  // namespace

Config& config() { return environment().settings; }

std::string environment_error() { return environment().error; }

}  // namespace ups::emu
