// The last failure of a context, and the names in its text.
#pragma once
#include <cstdint>
#include <string_view>

#include "upsilon/upsilon.h"

namespace upsilon {

// Names in texts stand between these until Error::set takes them off.
inline constexpr char name_begins = '\x01', name_ends = '\x02';

// A part of a text that is a name from the schema, of an argument, an option or a dimension.
struct Mention {
  uint16_t begin = 0, length = 0;
};

// A failure, in memory of its own, so that it can be reported when no other memory is left. Longer
// texts end with an ellipsis.
struct Error {
  static constexpr int32_t max_mentions = 8;

  ups_status status = UPS_OK;
  char operation[64] = "", argument[64] = "", text[1024] = "";
  Mention mentions[max_mentions];  // in the order of the text; names beyond these are kept as they are
  int32_t mention_count = 0;
  ups_error view{};
  ups_status set(ups_status status_, std::string_view operation_, std::string_view argument_,
                 std::string_view text_) noexcept;

 private:
  void take_mentions() noexcept;
};

}  // namespace upsilon
