// Structs of options grow from version to version. Callers say how much of theirs there is; code
// behind the gate reads a complete struct of this version.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "schema.h"

namespace upsilon {

// Whether the bytes of `options` from `known` to `size`, which a later version gave a meaning, are
// all zeros. False for a size that no struct can have.
bool is_zero_beyond(const void* options, size_t known, size_t size);

// "options.size is 1 (expected 16, the size in this version)"; `or_else` follows the word
// "version".
std::string size_text(size_t size, size_t known, const char* or_else = "");

// The operation's options as this version's struct: the caller's own, or the defaults, or `filled`,
// which then holds a shorter struct of the caller with the defaults behind it. Null where `given`
// is no such struct; `problem` says why.
const void* resolve_options(const Schema& schema, const void* given, std::vector<char>* filled, std::string* problem);

// An option's value in a struct of options: as a number, and in words, "max" or "true" or "0.5".
double option_value(const Option& option, const void* options);
std::string option_text(const Option& option, const void* options);
// Which values are allowed: "at least 1", "0 to 1", "above 0, below 1".
std::string range_text(const OptionRange& range);

}  // namespace upsilon
