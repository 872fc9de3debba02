#include "schema.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

#include "schema_text.h"

namespace upsilon {
namespace {

constexpr std::string_view activation_choices = "none|relu|leakyRelu|elu|gelu|tanh|sigmoid|leakyRelu0.2";

class Parser {
 public:
  explicit Parser(std::string line) : text_(std::move(line)), line_(text_) {}

  Schema run() {
    parameters(false);
    schema_.inputs = static_cast<int>(schema_.parameters.size());
    expect("->");
    parameters(true);
    if (accept(";")) options();
    skip_spaces();
    if (at_ != line_.size()) fault("unexpected text");
    for (const Reference& r : references_) {
      const auto found = std::find_if(schema_.parameters.begin(), schema_.parameters.end(),
                                      [&](const Parameter& p) { return p.name == r.name; });
      if (found - schema_.parameters.begin() >= r.parameter) fault("a rule must name earlier parameters");
      schema_.parameters[static_cast<size_t>(r.parameter)].*r.into =
          static_cast<int>(found - schema_.parameters.begin());
    }
    find_factor_options();
    lay_out_options();
    return std::move(schema_);
  }

 private:
  std::string text_;
  std::string_view line_;
  size_t at_ = 0;
  Schema schema_;
  // A rule's reference to another parameter, resolved when all parameters are known.
  struct Reference {
    int parameter;
    int Parameter::* into;
    std::string name;
  };
  std::vector<Reference> references_;

  [[noreturn]] void fault(const char* what) const {
    throw std::invalid_argument(std::string("schema: ") + what + " at \"" + std::string(line_.substr(at_, 24)) +
                                "\" of \"" + std::string(line_) + '"');
  }
  void skip_spaces() {
    while (at_ < line_.size() && std::isspace(static_cast<unsigned char>(line_[at_]))) ++at_;
  }
  bool accept(std::string_view token) {
    skip_spaces();
    if (line_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  bool accept_word(std::string_view token) {
    skip_spaces();
    const size_t end = at_ + token.size();
    if (end < line_.size() && (std::isalnum(static_cast<unsigned char>(line_[end])) || line_[end] == '_')) return false;
    return accept(token);
  }
  void expect(std::string_view token) {
    if (!accept(token)) fault("something else expected");
  }
  std::string word() {
    skip_spaces();
    const size_t start = at_;
    while (at_ < line_.size() && (std::isalnum(static_cast<unsigned char>(line_[at_])) || line_[at_] == '_')) ++at_;
    if (at_ == start) fault("a name expected");
    return std::string(line_.substr(start, at_ - start));
  }
  double number() {
    skip_spaces();
    const std::string rest(line_.substr(at_, 40));
    char* end = nullptr;
    const double value = std::strtod(rest.c_str(), &end);
    if (end == rest.c_str()) fault("a number expected");
    at_ += static_cast<size_t>(end - rest.c_str());
    return value;
  }
  int dim_index(const std::string& name) {
    const auto found = std::find(schema_.dim_names.begin(), schema_.dim_names.end(), name);
    if (found != schema_.dim_names.end()) return static_cast<int>(found - schema_.dim_names.begin());
    schema_.dim_names.push_back(name);
    return static_cast<int>(schema_.dim_names.size()) - 1;
  }

  Dimension dimension() {
    Dimension result;
    do {
      skip_spaces();
      if (at_ < line_.size() && std::isdigit(static_cast<unsigned char>(line_[at_])))
        result.constant += static_cast<int64_t>(number());
      else result.names.push_back(dim_index(word()));
    } while (accept("+"));
    if (line_.substr(at_, 1) == "*" || line_.substr(at_, 1) == "^") {
      if (result.names.size() != 1 || result.constant != 0) fault("a product has names only");
      int name = result.names[0];
      result.names.clear();
      for (;;) {
        result.factors.push_back({name, accept("^") ? word() : "", -1});
        if (!accept("*")) break;
        name = dim_index(word());
      }
    }
    if (accept("|")) {
      result.alternatives = std::move(result.names);
      result.names.clear();
      do result.alternatives.push_back(dim_index(word()));
      while (accept("|"));
    }
    return result;
  }

  ElementType element_type() {
    const std::string name = word();
    if (name == "real") return ElementType::real;
    if (name == "f32") return ElementType::f32;
    if (name == "f64") return ElementType::f64;
    if (name == "i32") return ElementType::i32;
    if (name == "i64") return ElementType::i64;
    if (name == "u8") return ElementType::u8;
    fault("unknown element type");
  }

  void parameters(bool output) {
    skip_spaces();
    if (!output && line_.substr(at_, 2) == "->") return;
    do {
      Parameter p;
      p.output = output;
      p.name = word();
      p.optional = accept("?");
      p.in_place = output && accept("&");
      expect(":");
      p.type = element_type();
      expect("[");
      skip_spaces();
      const size_t shape_start = at_;
      if (accept("...")) {
        p.leading = true;
        Dimension all;
        all.names.push_back(dim_index("..."));
        p.dims.push_back(all);
        if (accept(",")) dims_until_bracket(p);
      } else if (line_[at_] != ']') {
        dims_until_bracket(p);
      }
      p.shape_text = shape_text(line_.substr(shape_start, at_ - shape_start));
      expect("]");
      rule(p);
      schema_.parameters.push_back(std::move(p));
    } while (accept(","));
  }
  static std::string shape_text(std::string_view dims) {
    std::string text(1, '[');
    for (const char c : dims) {
      if (c == ' ') continue;
      text += c;
      if (c == ',') text += ' ';
    }
    text += ']';
    return text;
  }
  void dims_until_bracket(Parameter& p) {
    do p.dims.push_back(dimension());
    while (accept(","));
  }
  void refer(int Parameter::* into) {
    references_.push_back({static_cast<int>(schema_.parameters.size()), into, word()});
  }
  void rule(Parameter& p) {
    for (int r = 1; r < static_cast<int>(Rule::count) && p.rule == Rule::none; ++r)
      if (accept_word(data_rules[r].name)) p.rule = static_cast<Rule>(r);
    const DataRule& rule = row_of(p.rule);
    if (rule.type == RuledType::i32 && p.type != ElementType::i32) fault("this rule needs i32 elements");
    if (rule.type == RuledType::real && p.type != ElementType::real) fault("this rule needs real elements");
    std::string_view rest = rule.operands;
    while (!rest.empty()) {
      const std::string_view operand = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(operand.size() + 1, rest.size()));
      if (operand == "dim") p.rule_dim = dim_index(word());
      else if (operand == "offsets") refer(&Parameter::rule_offsets);
      else if (operand == "others") refer(&Parameter::rule_others);
      else if (operand == "keys") refer(&Parameter::rule_keys);
      else expect(operand);
    }
  }

  void options() {
    do {
      Option o;
      o.name = word();
      expect(":");
      const std::string first = word();
      if (first == "bool") {
        o.type = OptionType::boolean;
      } else if (first == "i32") {
        o.type = OptionType::i32;
      } else if (first == "i64") {
        o.type = OptionType::i64;
      } else if (first == "u64") {
        o.type = OptionType::u64;
      } else if (first == "f32") {
        o.type = OptionType::f32;
      } else if (first == "f64") {
        o.type = OptionType::f64;
      } else {
        o.type = OptionType::choice;
        if (first == "activation") {
          std::string_view rest = activation_choices;
          while (!rest.empty()) {
            const size_t bar = std::min(rest.find('|'), rest.size());
            o.choices.emplace_back(rest.substr(0, bar));
            rest.remove_prefix(std::min(bar + 1, rest.size()));
          }
        } else {
          o.choices.push_back(first);
          while (accept("|")) o.choices.push_back(word());
        }
      }
      if (accept("=")) {
        if (accept("true")) o.default_value = 1;
        else if (accept("false")) o.default_value = 0;
        else o.default_value = number();
      }
      range(o);
      schema_.options.push_back(std::move(o));
    } while (accept(","));
  }

  void range(Option& o) {
    const auto limit = [&](double* into) {
      if (o.type == OptionType::choice || o.type == OptionType::boolean || o.type == OptionType::u64)
        fault("limits need an i32, i64, f32 or f64 option");
      *into = number();
    };
    if (accept("from ")) limit(&o.range.min);
    else if ((o.range.without_min = accept("above "))) limit(&o.range.min);
    if (accept("to ")) limit(&o.range.max);
    else if ((o.range.without_max = accept("below "))) limit(&o.range.max);
    if (o.range.is_limited() && !o.range.has(o.default_value)) fault("the default is outside the limits");
  }

  void find_factor_options() {
    for (Parameter& p : schema_.parameters)
      for (Dimension& dim : p.dims)
        for (Factor& factor : dim.factors) {
          if (factor.option_name.empty()) continue;
          const auto found = std::find_if(schema_.options.begin(), schema_.options.end(), [&](const Option& o) {
            return o.name == factor.option_name && o.type == OptionType::boolean;
          });
          if (found == schema_.options.end()) fault("the exponent of a factor must name a bool option");
          factor.option = static_cast<int>(found - schema_.options.begin());
        }
  }

  void lay_out_options() {
    if (schema_.options.empty()) return;
    size_t at = sizeof(size_t), alignment = alignof(size_t);  // the struct's own size comes first
    for (Option& o : schema_.options) {
      const size_t size = o.size();
      at = (at + size - 1) / size * size;
      o.offset = at;
      at += size;
      alignment = std::max(alignment, size);
    }
    schema_.options_size = (at + alignment - 1) / alignment * alignment;
    schema_.default_options.assign(schema_.options_size, 0);
    std::memcpy(schema_.default_options.data(), &schema_.options_size, sizeof schema_.options_size);
    for (const Option& o : schema_.options) write_option(o, o.default_value, schema_.default_options.data());
  }
  static void write_option(const Option& o, double value, char* into) {
    const auto put = [&](auto typed) { std::memcpy(into + o.offset, &typed, sizeof typed); };
    switch (o.type) {
      case OptionType::f32: return put(static_cast<float>(value));
      case OptionType::f64: return put(value);
      case OptionType::i64: return put(static_cast<int64_t>(value));
      case OptionType::u64: return put(static_cast<uint64_t>(value));
      default: return put(static_cast<int32_t>(value));
    }
  }
};

}  // namespace

std::string written_out(const std::string& line) {
  try {
    struct {
      std::string text;
      void put(char c) { text += c; }
    } out;
    (void)schema_text::write_out(line.c_str(), 0, nullptr, out);
    return out.text;
  } catch (const schema_text::Fault& fault) {
    throw std::invalid_argument(std::string("schema: ") + fault.what + " at \"" + line.substr(fault.at, 24) +
                                "\" of \"" + line + '"');
  }
}

Schema parse_schema(const std::string& line) { return Parser(written_out(line)).run(); }

}  // namespace upsilon
