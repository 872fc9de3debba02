#include "validity.h"

#include <algorithm>

#include "options.h"
#include "schema.h"

namespace upsilon {

std::string Refusal::option_text(std::string_view name_) const {
  const auto found =
      std::find_if(schema_.options.begin(), schema_.options.end(), [&](const Option& o) { return o.name == name_; });
  return upsilon::option_text(*found, call_.options);
}

void Refusal::set(std::string_view name_, std::string_view text_, ups_status status_) {
  if (is_set()) return;
  name = name_;
  text = text_;
  status = status_;
}

}  // namespace upsilon
