// The schema line of an operation, parsed: the check, the error message and the documentation in
// one place.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "data_rules.h"

namespace upsilon {

enum class ElementType : int8_t { real, f32, f64, i32, i64, u8 };

// A name in a product. "H^concat" counts only where the option of that name is set (1 otherwise).
struct Factor {
  int name = 0;
  std::string option_name;  // "" where there is no option
  int option = -1;          // index into Schema::options
};

// One bracketed dimension: a sum of names and a constant, e.g. B+1 or E+F; or alternatives, e.g.
// M1|M0; or a product of names that other dimensions bind, e.g. H*F.
struct Dimension {
  std::vector<int> names;  // added up: indices into Schema::dim_names
  std::vector<int> alternatives;  // "M1|M0": the first name that an argument given in this call has
  std::vector<Factor> factors;
  int64_t constant = 0;

  // Whether this is one name, perhaps with a constant: what gives a name its value.
  bool is_single() const { return names.size() == 1 && alternatives.empty() && factors.empty(); }
};

struct Parameter {
  std::string name;
  ElementType type = ElementType::real;
  bool optional = false;
  bool output = false;
  bool in_place = false;  // "name&": an output that is read too, e.g. the parameters an optimiser updates
  bool leading = false;  // begins with "...": any number of leading dimensions, their product is the name "..."
  std::vector<Dimension> dims;
  Rule rule = Rule::none;
  int rule_dim = -1;  // the operands of the rule, by data_rules.h: a dimension name
  int rule_offsets = -1;  // and parameters
  int rule_others = -1;
  int rule_keys = -1;
  std::string shape_text;  // "[N, Fin]", for messages
};

enum class OptionType : int8_t { choice, boolean, i32, i64, u64, f32, f64 };

// The numbers that an option may be: "from 0 below 1". With any limit it must be finite, without
// one it may be NaN.
struct OptionRange {
  double min = -std::numeric_limits<double>::infinity();  // "from", or "above", which leaves it out
  double max = std::numeric_limits<double>::infinity();  // "to", or "below", which leaves it out
  bool without_min = false, without_max = false;

  bool is_limited() const { return std::isfinite(min) || std::isfinite(max); }
  bool has(double value) const {
    return std::isfinite(value) && (without_min ? value > min : value >= min) &&
           (without_max ? value < max : value <= max);
  }
};

struct Option {
  std::string name;
  OptionType type = OptionType::i32;
  size_t offset = 0;  // in the C struct
  size_t size() const { return type == OptionType::i64 || type == OptionType::u64 || type == OptionType::f64 ? 8 : 4; }
  std::vector<std::string> choices;
  double default_value = 0;
  OptionRange range;
};

struct Schema {
  std::vector<Parameter> parameters;
  std::vector<Option> options;
  std::vector<std::string> dim_names;  // order of first appearance
  size_t options_size = 0;  // of the C struct, which begins with it; 0 where there are no options
  int inputs = 0;
  std::vector<char> default_options;  // an option struct with its size and the defaults
};

// Both throw std::invalid_argument with the place of the fault: only a mistake in the library's own
// source leads there, and a test parses every schema.
std::string written_out(const std::string& line);  // with its lists written out
Schema parse_schema(const std::string& line);

}  // namespace upsilon
