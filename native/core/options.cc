#include "options.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "context.h"
#include "text.h"

namespace upsilon {
namespace {

// Larger than any future struct: so many bytes must not be read when `size` holds something else,
// such as the value of a field.
constexpr size_t max_size = 4096;

bool is_zero(const char* bytes, size_t count) {
  return std::all_of(bytes, bytes + count, [](char byte) { return byte == 0; });
}

bool ends_between_fields(const Schema& schema, size_t size) {
  if (size < schema.options.front().offset + schema.options.front().size()) return false;
  return std::none_of(schema.options.begin(), schema.options.end(),
                      [size](const Option& o) { return size > o.offset && size < o.offset + o.size(); });
}

}  // namespace

bool is_zero_beyond(const void* options, size_t known, size_t size) {
  if (size > max_size) return false;
  return size <= known || is_zero(static_cast<const char*>(options) + known, size - known);
}

std::string size_text(size_t size, size_t known, const char* or_else) {
  if (size > known && size <= max_size)
    return format("options.size is %zu, and there are values beyond the %zu bytes of this version (expected zeros)",
                  size, known);
  return format("options.size is %zu (expected %zu, the size in this version%s)", size, known, or_else);
}

const void* resolve_options(const Schema& schema, const void* given, std::vector<char>* filled, std::string* problem) {
  static constexpr char none[1] = {0};
  if (schema.options.empty()) return none;
  const void* const defaults = schema.default_options.data();
  if (!given) return defaults;
  const char* bytes = static_cast<const char*>(given);
  size_t size = 0;
  std::memcpy(&size, bytes, sizeof size);
  const size_t known = schema.options_size;
  if (size == known) return given;
  if (size == 0) {
    const auto set = std::find_if(schema.options.begin(), schema.options.end(),
                                  [bytes](const Option& o) { return !is_zero(bytes + o.offset, o.size()); });
    if (set == schema.options.end()) return defaults;
    *problem = "options.size is 0, which stands for all defaults, but " + set->name +
               format(" is set (expected options.size = %zu)", known);
    return nullptr;
  }
  if (size > known && is_zero_beyond(given, known, size)) return given;
  if (size < known && ends_between_fields(schema, size)) {
    *filled = schema.default_options;
    std::memcpy(filled->data() + sizeof size, bytes + sizeof size, size - sizeof size);
    return filled->data();
  }
  *problem = size_text(size, known, ", or 0 for all defaults");
  return nullptr;
}

namespace {

template <class T>
T read(const Option& option, const void* options) {
  T value;
  std::memcpy(&value, static_cast<const char*>(options) + option.offset, sizeof value);
  return value;
}

}  // namespace

double option_value(const Option& option, const void* options) {
  switch (option.type) {
    case OptionType::f32: return read<float>(option, options);
    case OptionType::f64: return read<double>(option, options);
    case OptionType::i64: return static_cast<double>(read<int64_t>(option, options));
    case OptionType::u64: return static_cast<double>(read<uint64_t>(option, options));
    default: return read<int32_t>(option, options);
  }
}

std::string option_text(const Option& option, const void* options) {
  switch (option.type) {
    case OptionType::choice: return option.choices[static_cast<size_t>(read<int32_t>(option, options))];
    case OptionType::boolean: return read<int32_t>(option, options) ? "true" : "false";
    case OptionType::i32: return std::to_string(read<int32_t>(option, options));
    case OptionType::i64: return std::to_string(read<int64_t>(option, options));
    case OptionType::u64: return std::to_string(read<uint64_t>(option, options));
    case OptionType::f32: return number_text(read<float>(option, options));
    case OptionType::f64: return number_text(read<double>(option, options));
  }
  return "";
}

std::string range_text(const OptionRange& range) {
  const std::string min = number_text(range.min), max = number_text(range.max);
  const std::string from = (range.without_min ? "above " : "at least ") + min;
  const std::string up_to = (range.without_max ? "below " : "at most ") + max;
  if (!std::isfinite(range.max)) return from;
  if (!std::isfinite(range.min)) return up_to;
  return range.without_min || range.without_max ? from + ", " + up_to : min + " to " + max;
}

}  // namespace upsilon
