// A strict JSON reader (RFC 8259) for the case files of tests and benches. Numbers keep their text,
// so that 64-bit integers lose nothing; a key that appears twice is an error.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace upsilon {

struct Json {
  enum class Kind { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  bool truth = false;
  std::string text;  // a string's content, a number as written
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  bool is(Kind wanted) const { return kind == wanted; }
  const Json* find(std::string_view key) const {
    for (const auto& [name, value] : members)
      if (name == key) return &value;
    return nullptr;
  }
  double number() const { return wanted(Kind::number, "a number"), std::strtod(text.c_str(), nullptr); }
  int64_t integer() const {
    wanted(Kind::number, "an integer");
    if (text.find_first_of(".eE") != std::string::npos) throw std::runtime_error(text + " is no integer");
    return std::strtoll(text.c_str(), nullptr, 10);
  }
  uint64_t unsigned_integer() const { return (void)integer(), std::strtoull(text.c_str(), nullptr, 10); }
  bool boolean() const { return wanted(Kind::boolean, "true or false"), truth; }
  const std::string& string() const { return wanted(Kind::string, "a string"), text; }
  const std::vector<Json>& array() const { return wanted(Kind::array, "an array"), items; }

 private:
  void wanted(Kind expected, const char* what) const {
    if (kind != expected)
      throw std::runtime_error(std::string(what) + " is expected" + (text.empty() ? "" : ", not " + text));
  }
};

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}
  Json read() {
    Json value = any(0);
    spaces();
    if (at_ != text_.size()) fault("text behind the end");
    return value;
  }

 private:
  std::string_view text_;
  size_t at_ = 0;

  [[noreturn]] void fault(const char* what) const {
    size_t line = 1;
    for (size_t i = 0; i < at_ && i < text_.size(); ++i) line += text_[i] == '\n';
    throw std::runtime_error("line " + std::to_string(line) + ": " + what);
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void spaces() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
  }
  bool accept(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  Json any(int depth) {
    if (depth > 64) fault("nested too deeply");
    spaces();
    Json value;
    if (accept("{")) {
      value.kind = Json::Kind::object;
      list('}', [&] {
        spaces();
        if (peek() != '"') fault("a key is expected");
        std::string key = string();
        if (value.find(key)) fault("a key appears twice");
        spaces();
        if (!accept(":")) fault("a colon is expected");
        value.members.emplace_back(std::move(key), any(depth + 1));
      });
    } else if (accept("[")) {
      value.kind = Json::Kind::array;
      list(']', [&] { value.items.push_back(any(depth + 1)); });
    } else if (peek() == '"') {
      value.kind = Json::Kind::string;
      value.text = string();
    } else if (accept("true")) {
      value.kind = Json::Kind::boolean;
      value.truth = true;
    } else if (accept("false")) {
      value.kind = Json::Kind::boolean;
    } else if (!accept("null")) {
      value.kind = Json::Kind::number;
      value.text = number();
    }
    return value;
  }
  template <class Item>
  void list(char end, Item&& item) {
    spaces();
    if (peek() == end) return void(++at_);
    do {
      item();
      spaces();
    } while (accept(","));
    if (peek() != end) fault("a comma or the end of a list is expected");
    ++at_;
  }
  bool digit() const { return peek() >= '0' && peek() <= '9'; }
  void digits() {
    if (!digit()) fault("a value is expected");
    while (digit()) ++at_;
  }
  std::string number() {
    const size_t start = at_;
    accept("-");
    if (!accept("0")) digits();
    if (accept(".")) digits();
    if (accept("e") || accept("E")) {
      if (!accept("+")) accept("-");
      digits();
    }
    return std::string(text_.substr(start, at_ - start));
  }
  std::string string() {
    std::string result;
    for (++at_; peek() != '"'; ++at_) {
      if (at_ >= text_.size() || static_cast<unsigned char>(peek()) < 0x20) fault("a string does not end");
      if (peek() != '\\') {
        result += peek();
        continue;
      }
      ++at_;
      static constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
      const size_t which = letters.find(peek());
      if (peek() == '\0' || which == std::string_view::npos) fault("an escape that case files do not use");
      result += meanings[which];
    }
    ++at_;
    return result;
  }
};

inline Json read_json(std::string_view text) { return JsonReader(text).read(); }

inline std::string json_quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') result += "\\n";
    else result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + '"';
}

}  // namespace upsilon
