// The text of a schema line: lists written out, names found. It is read when kernels are compiled
// (named_call.h) and, with the rest of the grammar, when the library is first used (schema.cc).
#pragma once
#include <cstddef>
#include <cstdint>

#include "data_rules.h"

namespace upsilon::schema_text {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
// A table, as the compiler reads these lines, for which every call is expensive.
struct WordCharacters {
  bool has[256] = {};
  constexpr WordCharacters() {
    for (int c = '0'; c <= '9'; ++c) has[c] = true;
    for (int c = 'a'; c <= 'z'; ++c) has[c] = has[c - 'a' + 'A'] = true;
    has[static_cast<int>('_')] = true;
  }
};
inline constexpr WordCharacters word_characters;
constexpr bool is_word(char c) { return word_characters.has[static_cast<unsigned char>(c)]; }

// Not a constant expression: a fault in a constant line does not compile, and the compiler shows
// this text.
struct Fault {
  const char* what;
  size_t at;
};
[[noreturn]] inline void fault(const char* what, size_t at) { throw Fault{what, at}; }

// ---- lists --------------------------------------------------------------------------------------
// {l=1..3: weight<l>: real[M<l>, M<l-1>]} stands for its text with l = 1, 2, 3, with commas in
// between; {l=3..0|M<l>} puts bars in between, {k=0..7+F<k>} plus signs; x<s><s?> is x0, x1?, x2?
// ... Lists may stand in lists.
struct ListIndex {
  char name;
  int value;
  const ListIndex* outer;
};

// The output. An array and not a pointer: the compiler evaluates stores into an array faster.
template <size_t size>
struct Text {
  char data[size] = {};
  size_t length = 0;
  constexpr void put(char c) { data[length++] = c; }
};
struct TextLength {
  size_t length = 0;
  constexpr void put(char) { ++length; }
};

// Writes text[at...] out, up to the closing brace or the end. Returns where it stopped.
template <class Out>
constexpr size_t write_out(const char* text, size_t at, const ListIndex* index, Out& out) {
  const auto value_of = [&](size_t place) {
    for (const ListIndex* i = index; i; i = i->outer)
      if (i->name == text[place]) return i->value;
    fault("no list has this index", place);
  };
  const auto digit = [&](size_t place) {
    if (!is_digit(text[place])) fault("a digit expected", place);
    return text[place] - '0';
  };
  for (;; ++at) {
    const char c = text[at];
    if ((c > '<' && c < '{') || (c != '<' && c != '{' && c != '}' && c != '\0')) {
      out.put(c);
    } else if (c == '\0' || c == '}') {
      break;
    } else if (c == '<') {
      int value = value_of(at + 1);
      at += 2;
      if (text[at] == '?') {
        if (value > 0) out.put('?');
        ++at;
      } else {
        if (text[at] == '-') value -= digit(at + 1), at += 2;
        if (value < 0 || value > 9) fault("an index has one digit", at);
        out.put(static_cast<char>('0' + value));
      }
      if (text[at] != '>') fault("> expected", at);
    } else {
      if (text[at + 1] == '\0' || text[at + 2] != '=' || text[at + 4] != '.' || text[at + 5] != '.')
        fault("{i=0..9: expected", at);
      const int first = digit(at + 3), last = digit(at + 6);
      const char separator = text[at + 7];
      if (separator != ':' && separator != '|' && separator != '+') fault(": | or + expected", at + 7);
      size_t begin = at + 8;
      if (separator == ':' && text[begin] == ' ') ++begin;
      for (int value = first;; value += first < last ? 1 : -1) {
        const ListIndex inner{text[at + 1], value, index};
        const size_t end = write_out(text, begin, &inner, out);
        if (text[end] != '}') fault("} expected", end);
        if (value == last) {
          at = end;
          break;
        }
        if (separator == ':') out.put(','), out.put(' ');
        else out.put(separator);
      }
    }
  }
  if (!index && text[at] != '\0') fault("unexpected }", at);
  return at;
}

// ---- names --------------------------------------------------------------------------------------
struct Name {
  uint16_t begin = 0, length = 0;  // in the line
  char type = 0;  // of a parameter: the first letter of real, f32, i32, u8; f64 is d, i64 is l
};

// The names of a line whose lists are written out, in the order of the registry's Schema:
// parameters as they come, dimensions by their first appearance.
template <size_t max_names>
struct Names {
  Name parameter[max_names], dim[max_names];
  int parameters = 0, dims = 0;
};

// The same without its capacity.
struct FoundNames {
  const char* text = nullptr;
  const Name *parameter = nullptr, *dim = nullptr;
  int parameters = 0, dims = 0;
};

constexpr size_t skip_spaces(const char* text, size_t at) {
  while (text[at] == ' ') ++at;
  return at;
}
constexpr size_t word_end(const char* text, size_t at) {
  while (word_characters.has[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

constexpr bool same(const char* a, size_t length, const char* b, size_t b_length) {
  if (length != b_length) return false;
  for (size_t i = length; i-- > 0;)  // names tend to differ at their ends
    if (a[i] != b[i]) return false;
  return true;
}

constexpr bool is_rule_of_dimension(const char* text, size_t length) {
  for (const DataRule& rule : data_rules) {
    size_t name_length = 0;
    while (rule.name[name_length] != '\0') ++name_length;
    if (same(text, length, rule.name, name_length)) return rule.operands[0] == 'd';
  }
  return false;
}

template <size_t max_names>
constexpr Names<max_names> find_names(const char* text) {
  Names<max_names> found;
  const auto add_dim = [&](size_t begin, size_t end) {
    for (int i = found.dims; i-- > 0;)  // the last ones are most likely to come again
      if (same(text + begin, end - begin, text + found.dim[i].begin, found.dim[i].length)) return;
    found.dim[found.dims++] = {static_cast<uint16_t>(begin), static_cast<uint16_t>(end - begin), 0};
  };
  size_t at = skip_spaces(text, 0);
  while (text[at] != '\0' && text[at] != ';') {
    if (text[at] == '-' || text[at] == ',') {  // -> or the end of a parameter
      at = skip_spaces(text, at + (text[at] == '-' ? 2 : 1));
      continue;
    }
    const size_t begin = at;
    at = word_end(text, at);
    if (at == begin) fault("a name expected", at);
    Name& parameter = found.parameter[found.parameters++];
    parameter.begin = static_cast<uint16_t>(begin);
    parameter.length = static_cast<uint16_t>(at - begin);
    while (text[at] == '?' || text[at] == '&') ++at;
    if (text[at] != ':') fault(": expected", at);
    at = skip_spaces(text, at + 1);
    parameter.type = text[at + 1] != '6' ? text[at] : text[at] == 'f' ? 'd' : 'l';
    at = word_end(text, at);
    if (text[at] != '[') fault("[ expected", at);
    while (text[at] != ']') {
      if (text[at] == '\0') fault("] expected", at);
      if (text[at] == '.') {
        add_dim(at, at + 3);
        at += 3;
      } else if (is_word(text[at])) {
        const size_t end = word_end(text, at);
        if (!is_digit(text[at]) && text[at - 1] != '^') add_dim(at, end);
        at = end;
      } else {
        ++at;
      }
    }
    at = skip_spaces(text, at + 1);
    // A rule, whose first operand may be a dimension.
    for (bool is_first = true, names_dim = false; is_word(text[at]); is_first = false) {
      const size_t end = word_end(text, at);
      if (is_first) names_dim = is_rule_of_dimension(text + at, end - at);
      else if (names_dim) add_dim(at, end), names_dim = false;
      at = skip_spaces(text, end);
    }
  }
  return found;
}

constexpr size_t length_of(const char* text) {
  TextLength out;
  (void)write_out(text, 0, nullptr, out);
  return out.length;
}

// Whether a line declares an argument or an option of this name.
constexpr bool has_declaration(const char* text, const char* name) {
  size_t length = 0;
  while (name[length] != '\0') ++length;
  for (size_t at = 0; text[at] != '\0'; at = is_word(text[at]) ? word_end(text, at) : at + 1) {
    if (!is_word(text[at]) || !same(text + at, word_end(text, at) - at, name, length)) continue;
    size_t end = at + length;
    while (text[end] == '?' || text[end] == '&') ++end;
    if (text[end] == ':') return true;
  }
  return false;
}

// The most names that there can be of a kind: one in each dimension and one in each rule.
constexpr size_t name_bound(const char* text) {
  size_t bound = 1;
  bool in_shape = false;
  for (; *text != '\0' && *text != ';'; ++text) {
    if (*text == '[') in_shape = true, bound += 2;
    else if (*text == ']') in_shape = false;
    else if (in_shape) bound += *text == ',' || *text == '+' || *text == '*' || *text == '|';
  }
  return bound;
}

}  // namespace upsilon::schema_text
