// Checks for the small native tests: a failure prints where and what, the last line counts them.
#pragma once
#include <cstdio>
#include <cstring>
#include <string>

namespace upsilon {

inline int checks_passed = 0, checks_failed = 0;

inline bool check(bool holds, const char* what, const char* file, int line) {
  ++(holds ? checks_passed : checks_failed);
  if (!holds) std::printf("%s:%d: FAILED: %s\n", file, line, what);
  return holds;
}
inline bool check_text(const std::string& found, const std::string& wanted, const char* file, int line) {
  if (!check(found == wanted, "texts differ", file, line))
    std::printf("  found:  %s\n  wanted: %s\n", found.c_str(), wanted.c_str());
  return found == wanted;
}
inline int finish_checks() {
  std::printf("%d passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}

}  // namespace upsilon

#define CHECK(...) ::upsilon::check((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define CHECK_TEXT(found, wanted) ::upsilon::check_text(found, wanted, __FILE__, __LINE__)
