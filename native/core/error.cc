#include "error.h"

#include <cstring>

namespace upsilon {
namespace {

template <size_t size>
void put(char (&into)[size], std::string_view text) {
  constexpr std::string_view ellipsis = "\u2026";
  size_t kept = text.size();
  if (kept >= size) {
    kept = size - 1 - ellipsis.size();
    while (kept > 0 && (text[kept] & 0xc0) == 0x80) --kept;  // inside a character of several bytes
  }
  std::memcpy(into, text.data(), kept);
  if (kept < text.size()) kept += ellipsis.copy(into + kept, ellipsis.size());
  into[kept] = 0;
}

}  // namespace

ups_status Error::set(ups_status status_, std::string_view operation_, std::string_view argument_,
                      std::string_view text_) noexcept {
  status = status_;
  put(operation, operation_);
  put(argument, argument_);
  put(text, text_);
  mention_count = 0;
  if (operation[0]) take_mentions();  // other texts quote files
  return status;
}

void Error::take_mentions() noexcept {
  size_t kept = 0, begin = 0;
  for (const char* c = text; *c; ++c) {
    if (*c == name_begins) {
      begin = kept;
    } else if (*c != name_ends) {
      text[kept++] = *c;
    } else if (mention_count < max_mentions) {
      mentions[mention_count++] = {static_cast<uint16_t>(begin), static_cast<uint16_t>(kept - begin)};
    }
  }
  text[kept] = 0;
}

}  // namespace upsilon
