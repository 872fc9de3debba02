#include "cases.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "host_tensor.h"

namespace upsilon::conformance {
namespace {

void only(const Json& object, std::initializer_list<const char*> known) {
  if (!object.is(Json::Kind::object)) throw std::runtime_error("an object is expected");
  for (const auto& [key, value] : object.members)
    if (std::none_of(known.begin(), known.end(), [&](const char* k) { return key == k; }))
      throw std::runtime_error("unknown key \"" + key + "\"");
}

Hint read_hint(const Json& json) {
  only(json, {"values", "scale", "rows", "selfLoops", "duplicates", "equalTo", "fraction", "blocks", "below"});
  Hint hint;
  const auto text = [&](const char* key, std::string& into) {
    if (const Json* j = json.find(key)) into = j->string();
  };
  const auto number = [&](const char* key, double& into) {
    if (const Json* j = json.find(key)) into = j->number();
  };
  text("values", hint.values);
  text("rows", hint.rows);
  text("equalTo", hint.equal_to);
  number("scale", hint.scale);
  number("selfLoops", hint.self_loops);
  number("duplicates", hint.duplicates);
  number("fraction", hint.fraction);
  if (const Json* j = json.find("blocks")) hint.blocks = j->integer();
  if (const Json* j = json.find("below")) hint.below = j->integer();
  return hint;
}

std::string short_text(const Json& value) {
  switch (value.kind) {
    case Json::Kind::boolean: return value.truth ? "true" : "false";
    case Json::Kind::array: {
      std::string text;
      for (const Json& item : value.items) text += (text.empty() ? "" : "x") + short_text(item);
      return "[" + text + "]";
    }
    default: return value.text;
  }
}

// Turns one entry of a file into its cases.
class Expander {
 public:
  // `derive`: of the file, unless the entry has its own.
  Expander(const Json& entry, std::string folder, std::vector<std::string> derive, std::vector<Case>& into,
           std::set<std::string>& ids)
      : entry_(entry), folder_(std::move(folder)), derive_(std::move(derive)), into_(into), ids_(ids) {
    const Json* own = entry.find("derive");
    if (!own) return;
    derive_.clear();
    for (const Json& operation : own->array()) derive_.push_back(operation.string());
  }

  void run() {
    check_names();
    only(entry_, {"name", "operations", "derive", "dims", "options", "omit", "data", "exact", "floor", "gradient",
                  "large", "cpu_only", "random"});
    const Json* operations = entry_.find("operations");
    if (!operations || operations->array().empty()) throw std::runtime_error("\"operations\" is missing");
    for (const Json& operation : operations->array()) {
      Case start;
      start.folder = folder_;
      start.operation = operation.string();
      start.derive = derive_;
      start.name = name();
      if (const Json* j = entry_.find("exact")) start.exact = j->boolean();
      if (const Json* j = entry_.find("large")) start.large = j->boolean();
      if (const Json* j = entry_.find("cpu_only"))
        for (const Json& name : j->array()) start.cpu_only |= name.string() == start.operation;
      if (const Json* j = entry_.find("floor")) start.floor = j->number();
      if (const Json* j = entry_.find("gradient")) start.gradient = j->boolean();
      if (const Json* data = entry_.find("data"))
        for (const auto& [argument, hint] : data->members) start.data[argument] = read_hint(hint);
      schema_ = find_operation(start.operation.c_str());
      first_ = into_.size();
      if (const Json* j = entry_.find("random")) draw_cases(start, j->integer());
      else dims(std::move(start), 0);
    }
  }
  std::string name() const {
    const Json* j = entry_.find("name");
    return j ? j->string() : throw std::runtime_error("a case has no name");
  }

 private:
  const Json& entry_;
  std::string folder_;
  std::vector<std::string> derive_;
  std::vector<Case>& into_;
  std::set<std::string>& ids_;  // of the cases of all files
  const ups_operation* schema_ = nullptr;
  size_t first_ = 0;
  std::optional<Random> draw_;  // where combinations are drawn

  // The same for every operation.
  void draw_cases(const Case& start, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      Case next = start;
      next.name += " " + std::to_string(i);
      draw_.emplace(hash(folder_ + "/" + next.name));
      dims(std::move(next), 0);
    }
    draw_.reset();
  }
  std::vector<Json> chosen(const std::vector<Json>& items) {
    if (!draw_ || items.empty()) return items;
    return {items[static_cast<size_t>(draw_->below(static_cast<int64_t>(items.size())))]};
  }

  // A misspelt option or argument would silently leave a case without it.
  void check_names() const {
    std::set<std::string> known_dims, known_options, known_arguments;
    std::vector<std::string> names = derive_;
    if (const Json* operations = entry_.find("operations"))
      for (const Json& operation : operations->array()) names.push_back(operation.string());
    for (const std::string& name : names) {
      const ups_operation* operation = find_operation(name.c_str());
      if (!operation) throw std::runtime_error("there is no operation " + name);
      known_dims.insert(operation->schema.dim_names.begin(), operation->schema.dim_names.end());
      for (const Option& o : operation->schema.options) known_options.insert(o.name);
      for (const Parameter& p : operation->schema.parameters) known_arguments.insert(p.name);
    }
    const auto check = [&](const char* key, const std::set<std::string>& known) {
      if (const Json* object = entry_.find(key))
        for (const auto& [name, value] : object->members)
          if (!known.count(name)) throw std::runtime_error(std::string(key) + " has no " + name);
    };
    check("dims", known_dims);
    check("options", known_options);
    check("data", known_arguments);
    if (const Json* omit = entry_.find("omit"))
      for (const Json& item : omit->array())
        for (const Json& name : item.is(Json::Kind::array) ? item.items : std::vector<Json>{item})
          if (!known_arguments.count(name.string())) throw std::runtime_error("there is no argument " + name.text);
  }
  static std::vector<int64_t> shape(const Json& json) {
    std::vector<int64_t> extents;
    if (json.is(Json::Kind::array))
      for (const Json& item : json.items) extents.push_back(item.integer());
    else extents.push_back(json.integer());
    return extents;
  }
  static void set_dim(Case& c, const std::string& name, const Json& value) {
    if (name == "...") {
      c.leading = shape(value);
      c.has_leading = true;
    } else {
      c.dims[name] = value.integer();
    }
  }
  void dims(Case c, size_t at) {
    const Json* all = entry_.find("dims");
    if (!all || at == all->members.size()) return options(std::move(c), 0);
    const auto& [name, value] = all->members[at];
    const bool leading = name == "...";
    const bool many =
        value.is(Json::Kind::array) && (!leading || (!value.items.empty() && value.items[0].is(Json::Kind::array)));
    if (!many) {
      set_dim(c, name, value);
      return dims(std::move(c), at + 1);
    }
    for (const Json& one : chosen(value.items)) {
      Case next = c;
      set_dim(next, name, one);
      next.name += (leading ? " " : " " + name + "=") + short_text(one);
      dims(std::move(next), at + 1);
    }
  }
  void options(Case c, size_t at) {
    const Json* all = entry_.find("options");
    if (!all || at == all->members.size()) return omit(std::move(c));
    const auto& [name, value] = all->members[at];
    if (!value.is(Json::Kind::array)) {
      c.options[name] = value;
      return options(std::move(c), at + 1);
    }
    for (const Json& one : chosen(value.items)) {
      Case next = c;
      next.options[name] = one;
      next.name += " " + name + "=" + short_text(one);
      options(std::move(next), at + 1);
    }
  }
  void omit(Case c) {
    const Json* all = entry_.find("omit");
    if (!all || all->array().empty()) return finish(std::move(c), false);
    const bool many = all->items[0].is(Json::Kind::array);
    for (const Json& set : many ? chosen(all->items) : std::vector<Json>{*all}) {
      Case next = c;
      for (const Json& argument : set.array()) next.omit.insert(argument.string());
      finish(std::move(next), many);
    }
  }
  // Only what this operation has counts, so that a forward pass is not run again for every gradient
  // left out.
  void finish(Case c, bool named) {
    std::string left_out;
    if (schema_) {
      for (const Parameter& p : schema_->schema.parameters)
        if (p.optional && c.omit.count(p.name)) left_out += (left_out.empty() ? "" : ",") + p.name;
    }
    if (named && !left_out.empty()) c.name += " without " + left_out;
    for (size_t i = first_; i < into_.size(); ++i)
      if (into_[i].name == c.name) return;
    if (!ids_.insert(c.id()).second) throw std::runtime_error("two cases have the name \"" + c.name + "\"");
    c.seed = hash(c.folder + "/" + c.name);
    into_.push_back(std::move(c));
  }
};

int32_t choice_index(const Option& option, const Json& value) {
  const auto found = std::find(option.choices.begin(), option.choices.end(), value.string());
  if (found == option.choices.end()) throw std::runtime_error(option.name + " cannot be " + value.text);
  return static_cast<int32_t>(found - option.choices.begin());
}

}  // namespace

std::vector<char> Case::option_bytes(const Schema& schema) const {
  std::vector<char> bytes = schema.default_options;
  for (const Option& option : schema.options) {
    const auto found = options.find(option.name);
    if (found == options.end()) continue;
    const Json& value = found->second;
    const auto put = [&](auto typed) { std::memcpy(bytes.data() + option.offset, &typed, sizeof typed); };
    switch (option.type) {
      case OptionType::choice: put(choice_index(option, value)); break;
      case OptionType::boolean: put(static_cast<int32_t>(value.boolean())); break;
      case OptionType::i32: put(static_cast<int32_t>(value.integer())); break;
      case OptionType::i64: put(value.integer()); break;
      case OptionType::u64: put(value.unsigned_integer()); break;
      case OptionType::f32: put(static_cast<float>(value.number())); break;
      case OptionType::f64: put(value.number()); break;
    }
  }
  return bytes;
}

std::vector<Case> load_cases(const std::string& kernels, bool benches, std::vector<std::string>* problems) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(kernels))
    if (std::filesystem::exists(entry.path() / "cases.json")) files.push_back(entry.path() / "cases.json");
  std::sort(files.begin(), files.end());
  std::vector<Case> cases;
  std::set<std::string> ids;
  for (const auto& path : files) {
    const auto attempt = [&](const std::string& where, auto&& read) {
      try {
        read();
      } catch (const std::exception& e) {
        problems->push_back(where + ": " + e.what());
      }
    };
    attempt(path.string(), [&] {
      std::ifstream stream(path, std::ios::binary);
      std::stringstream text;
      text << stream.rdbuf();
      const Json file = read_json(text.str());
      only(file, {"derive", "cases", "bench"});
      std::vector<std::string> derive;
      if (const Json* list = file.find("derive"))
        for (const Json& operation : list->array()) derive.push_back(operation.string());
      const Json* list = file.find(benches ? "bench" : "cases");
      if (!list) return;
      for (const Json& entry : list->array()) {
        Expander expander(entry, path.parent_path().filename().string(), derive, cases, ids);
        attempt(path.string() + ", case \"" + expander.name() + "\"", [&] { expander.run(); });
      }
    });
  }
  return cases;
}

}  // namespace upsilon::conformance
