// What binaries rely on: names, offsets, sizes and kinds of all fields of all public structs, as
// committed in test/symbols/layout.txt, and as the schemas have the options. A new operation or
// struct is in it without being told.
//
//   test_abi            compares
//   test_abi --update   writes the list anew, where a change is meant; docs/abi.md says which
//                       changes may be
#include <cmath>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <new>
#include <sstream>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "core/registry.h"
#include "support/check.h"
#include "upsilon/ops.h"

using namespace upsilon;

namespace {

template <class T>
constexpr const char* kind_of() {
  if (std::is_pointer_v<T>) return "pointer";
  if (std::is_floating_point_v<T>) return "float";
  if (std::is_class_v<T>) return "struct";
  return std::is_enum_v<T> || std::is_signed_v<T> ? "int" : "uint";
}

struct Struct {
  const char* name;
  size_t size;
};
struct Field {
  const char *of, *name;
  size_t offset, size, element_size;  // of an array, the size of one element
  const char* kind;
};
struct Function {
  const char *name, *options;      // the name of the option struct, "" without one
  std::vector<char> (*defaults)();  // what C++ initialises it with
};

template <class T>
constexpr const char* name_of = "";
template <class T>
std::vector<char> defaults_of() {
  std::vector<char> bytes(sizeof(T));
  if constexpr (std::is_class_v<T>) new (bytes.data()) T{};
  return bytes;
}
// The struct behind the last parameter.
template <class F>
struct OptionsOf;
template <class... Parameters>
struct OptionsOf<ups_status (*)(Parameters...) noexcept> {
  using Last = std::tuple_element_t<sizeof...(Parameters) - 1, std::tuple<Parameters...>>;
  using Pointed = std::remove_const_t<std::remove_pointer_t<Last>>;
  using type = std::conditional_t<std::is_same_v<Pointed, ups_tensor>, int, Pointed>;
};

#define STRUCT(type) \
  template <>        \
  constexpr const char* name_of<type> = #type;
#define FIELD(type, field)
#define OPERATION(name)
#include "public_structs.inc"
#undef STRUCT
#undef FIELD
#undef OPERATION

const Struct structs[] = {
#define STRUCT(type) {#type, sizeof(type)},
#define FIELD(type, field)
#define OPERATION(name)
#include "public_structs.inc"
#undef STRUCT
#undef FIELD
#undef OPERATION
};

#define ELEMENT(type, field) std::remove_all_extents_t<decltype(type::field)>
const Field fields[] = {
#define STRUCT(type)
#define FIELD(type, field)       \
  {#type,                        \
   #field,                       \
   offsetof(type, field),        \
   sizeof(type::field),          \
   sizeof(ELEMENT(type, field)), \
   kind_of<ELEMENT(type, field)>()},
#define OPERATION(name)
#include "public_structs.inc"
#undef STRUCT
#undef FIELD
#undef OPERATION
};

const Function functions[] = {
#define STRUCT(type)
#define FIELD(type, field)
#define OPERATION(name) \
  {#name, name_of<OptionsOf<decltype(&ups_##name)>::type>, defaults_of<OptionsOf<decltype(&ups_##name)>::type>},
#include "public_structs.inc"
};

std::string layout() {
  std::ostringstream text;
  for (const Struct& s : structs) {
    text << s.name << ' ' << s.size << '\n';
    for (const Field& f : fields)
      if (std::strcmp(f.of, s.name) == 0)
        text << "  " << f.offset << ' ' << f.name << ' ' << f.kind << 8 * f.element_size
             << (f.size > f.element_size ? "[" + std::to_string(f.size / f.element_size) + "]" : "") << '\n';
  }
  return text.str();
}

const char* const committed = UPSILON_SOURCE_DIRECTORY "/test/symbols/layout.txt";

void as_committed() {
  std::ifstream file(committed);
  std::ostringstream text;
  text << file.rdbuf();
  CHECK_TEXT(layout(), text.str());
}

const char* kind_of(const Option& option) {
  if (option.type == OptionType::f32 || option.type == OptionType::f64) return "float";
  return option.type == OptionType::u64 ? "uint" : "int";
}

// Field by field: two options of one size that are swapped would pass every test that does not look
// at them.
void options_are_their_schemas(const Schema& schema, const Function& function) {
  const std::vector<char> defaults = function.defaults();
  CHECK(defaults.size() == schema.options_size && defaults.size() == schema.default_options.size());
  CHECK(std::memcmp(defaults.data(), &schema.options_size, sizeof schema.options_size) == 0);
  size_t option = 0, number = 0;
  for (const Field& field : fields) {
    if (std::strcmp(field.of, function.options) != 0) continue;
    if (number++ == 0) {
      CHECK_TEXT(field.name, "size");
      CHECK(field.offset == 0 && field.size == sizeof(size_t) && std::strcmp(field.kind, "uint") == 0);
      continue;
    }
    const bool array = field.size > field.element_size;
    for (size_t at = 0; at < field.size; at += field.element_size, ++option) {
      if (!CHECK(option < schema.options.size())) return;
      const Option& o = schema.options[option];
      if (array) CHECK(o.name.find(field.name) != std::string::npos);
      else CHECK_TEXT(o.name, field.name);
      CHECK(o.offset == field.offset + at && o.size() == field.element_size);
      CHECK_TEXT(kind_of(o), field.kind);
      CHECK(std::memcmp(defaults.data() + o.offset, schema.default_options.data() + o.offset, o.size()) == 0);
    }
  }
  CHECK(option == schema.options.size());
}

void every_operation() {
  for (const ups_operation& operation : operations()) {
    const Function* found = nullptr;
    for (const Function& function : functions)
      if (std::strcmp(function.name, operation.name) == 0) found = &function;
    if (!CHECK(found != nullptr)) {
      std::printf("  ups_%s is not declared\n", operation.name);
      continue;
    }
    const int failed = checks_failed;
    CHECK(operation.schema.options.empty() == (*found->options == 0));
    if (*found->options) options_are_their_schemas(operation.schema, *found);
    if (checks_failed > failed) std::printf("  of %s and %s\n", operation.name, found->options);
  }
  CHECK(operations().size() == std::size(functions));
}

// Two ways to say nothing, in C and C++, and one to say what the default is.
void attention_without_options() {
  float q[6] = {1, 2, 3, -1, 0.5f, 2}, k[6] = {2, -1, 0, 1, 1, 1}, v[2] = {1, 3}, y[4][2] = {};
  int32_t cuts[2] = {0, 2};
  int64_t wide[3] = {2, 1, 3}, narrow[3] = {2, 1, 1}, two[1] = {2};
  const auto reals = [](float* data, int64_t* shape) {
    return ups_tensor{data, {UPS_CPU, 0}, 3, {UPS_FLOAT, 32, 1}, shape, nullptr, 0};
  };
  const ups_tensor queries = reals(q, wide), keys = reals(k, wide), values = reals(v, narrow);
  const ups_tensor offsets{cuts, {UPS_CPU, 0}, 1, {UPS_INT, 32, 1}, two, nullptr, 0};
  ups_context* context = nullptr;
  CHECK(ups_context_create(nullptr, &context) == UPS_OK);
  const auto attend = [&](const ups_attention_options* options, float* into) {
    ups_tensor result = reals(into, narrow);
    return ups_attention_forward(context, &queries, &keys, &values, &offsets, &offsets, nullptr, &result, nullptr,
                                 options);
  };
  ups_attention_options zeros{};
  zeros.size = 0;
  const ups_attention_options begun, said{.scale = 1 / std::sqrt(3.0f)};
  CHECK(attend(nullptr, y[0]) == UPS_OK && attend(&zeros, y[1]) == UPS_OK);
  CHECK(attend(&begun, y[2]) == UPS_OK && attend(&said, y[3]) == UPS_OK);
  for (const auto& one : y) CHECK(std::memcmp(one, y[0], sizeof one) == 0);
  const double score = 1 / std::sqrt(3.0);  // of the first query: 0 and 6 times this
  CHECK(std::abs(y[0][0] - (1 + 3 * std::exp(6 * score)) / (1 + std::exp(6 * score))) < 1e-6);
  // Without a name a field's value lands in the size.
  const ups_linear_options nameless{UPS_ACTIVATION_RELU};
  int64_t square[2] = {1, 3};
  ups_tensor weight = keys, result = reals(y[0], narrow);
  weight.ndim = 2;
  weight.shape = square;
  CHECK(ups_linear_forward(context, &queries, &weight, nullptr, &result, nullptr) == UPS_OK);
  CHECK(ups_linear_forward(context, &queries, &weight, nullptr, &result, &nameless) == UPS_VALUE);
  CHECK_TEXT(ups_last_error(context)->argument, "options");
  ups_context_destroy(context);
}

}  // namespace

int main(int count, char** words) {
  if (count > 1 && std::strcmp(words[1], "--update") == 0) return std::ofstream(committed) << layout() ? 0 : 1;
  as_committed();
  every_operation();
  attention_without_options();
  return finish_checks();
}
