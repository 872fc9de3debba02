// A checked call by the names of its schema line. <op>_call.h says once what an operation is called
// and what it takes,
//
//   inline constexpr OperationLine scale_rows_forward_line{
//       "scale_rows_forward", UPS_SCALE_ROWS_FORWARD_SCHEMA};
//   using ScaleRowsForwardCall = CallOf<scale_rows_forward_line, ups_scale_rows_options>;
//
// and from `const ScaleRowsForwardCall& call`, which a Call turns into by itself, reads
//
//   x(call["x"]), rows(call.dim("N")), call.given("bias"), call.options().pool
//
// Names are looked up by the compiler: one that the line does not have does not compile, and
// nothing but the index is left of it. Reading an argument as another element type than the line's
// traps at the first call.
#pragma once
#include "operation.h"
#include "schema_text.h"

namespace upsilon {

template <const OperationLine& line>
inline constexpr auto line_text = [] {
  schema_text::Text<schema_text::length_of(line.schema) + 1> text;
  (void)schema_text::write_out(line.schema, 0, nullptr, text);
  return text;
}();
template <const OperationLine& line>
inline constexpr auto names_of =
    schema_text::find_names<schema_text::name_bound(line_text<line>.data)>(line_text<line>.data);

// Not constant expressions: the compiler names them where a line has no such name.
void no_argument_of_this_name();
void no_dimension_of_this_name();

consteval size_t text_length(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

// Where an argument is among those of `line`.
template <const OperationLine& line>
struct ArgumentName {
  int index = 0;
  char type = 0;

  consteval ArgumentName(const char* name) {
    const size_t length = text_length(name);
    const auto& names = names_of<line>;
    for (int i = 0; i < names.parameters; ++i)
      if (schema_text::same(name, length, line_text<line>.data + names.parameter[i].begin, names.parameter[i].length)) {
        index = i;
        type = names.parameter[i].type;
        return;
      }
    no_argument_of_this_name();
  }
};

template <const OperationLine& line>
struct DimensionName {
  int index = 0;

  consteval DimensionName(const char* name) {
    const size_t length = text_length(name);
    const auto& names = names_of<line>;
    for (int i = 0; i < names.dims; ++i)
      if (schema_text::same(name, length, line_text<line>.data + names.dim[i].begin, names.dim[i].length)) {
        index = i;
        return;
      }
    no_dimension_of_this_name();
  }
};

// The places of names that differ in numbers of one digit, each a # in the pattern: weight# is
// weight0, weight1 ...; phi#_weight# is a table, a row for each first number.
struct ListPlaces {
  static constexpr int max_places = 32;
  int16_t place[max_places] = {};
  int rows = 0, columns = 0;
  char type = 0;

  // The numbers of `name` by `pattern`; how many, or -1.
  static consteval int numbers_of(const char* name, size_t length, const char* pattern, int (&numbers)[2]) {
    int count = 0;
    size_t at = 0;
    for (; at < length && pattern[at] != '\0'; ++at) {
      if (pattern[at] == '#' && schema_text::is_digit(name[at])) numbers[count++] = name[at] - '0';
      else if (pattern[at] != name[at]) return -1;
    }
    return at == length && pattern[at] == '\0' ? count : -1;
  }
  consteval bool find(const char* text, const schema_text::Name* names, int count, const char* pattern) {
    int found = 0;
    for (bool measures = true;; measures = false) {
      for (int i = 0; i < count; ++i) {
        int numbers[2] = {0, 0};
        const int marks = numbers_of(text + names[i].begin, names[i].length, pattern, numbers);
        if (marks <= 0) continue;
        const int row = marks == 2 ? numbers[0] : 0, column = marks == 2 ? numbers[1] : numbers[0];
        if (measures) {
          rows = row < rows ? rows : row + 1;
          columns = column < columns ? columns : column + 1;
          continue;
        }
        ++found;
        place[row * columns + column] = static_cast<int16_t>(i);
        if (type != 0 && type != names[i].type) return false;
        type = names[i].type;
      }
      if (!measures) break;
    }
    return found > 0 && found == rows * columns;
  }
};
template <const OperationLine& line>
struct ArgumentListName {
  ListPlaces places;
  consteval ArgumentListName(const char* pattern) {
    if (!places.find(line_text<line>.data, names_of<line>.parameter, names_of<line>.parameters, pattern))
      no_argument_of_this_name();
  }
};
template <const OperationLine& line>
struct DimensionListName {
  ListPlaces places;
  consteval DimensionListName(const char* pattern) {
    if (!places.find(line_text<line>.data, names_of<line>.dim, names_of<line>.dims, pattern))
      no_dimension_of_this_name();
  }
};

template <class T>
inline constexpr char element_letter = 0;
template <>
inline constexpr char element_letter<float> = 'f';
template <>
inline constexpr char element_letter<double> = 'd';
template <>
inline constexpr char element_letter<int32_t> = 'i';
template <>
inline constexpr char element_letter<int64_t> = 'l';
template <>
inline constexpr char element_letter<uint8_t> = 'u';
template <class T>
inline constexpr char element_letter<const T> = element_letter<T>;

// One argument: a pointer to its elements, null where it was left out. `real` is float or double,
// as the kernel is.
class Argument {
 public:
  constexpr Argument(const ups_tensor* tensor, char type) : tensor_(tensor), type_(type) {}

  template <class T>
  operator T*() const {
    constexpr char letter = element_letter<T>;
    if (type_ != letter && !(type_ == 'r' && (letter == 'f' || letter == 'd'))) __builtin_trap();
    return tensor_ ? reinterpret_cast<T*>(static_cast<char*>(tensor_->data) + tensor_->byte_offset) : nullptr;
  }

 private:
  const ups_tensor* tensor_;
  char type_;
};

// Arguments by number: call.list("weight#")[0] is weight0.
class ArgumentList {
 public:
  ArgumentList(const Call& call, const ListPlaces& places, int first = 0)
      : call_(&call), places_(places), first_(first) {}

  int size() const { return places_.columns; }
  Argument operator[](int i) const { return {call_->tensors[places_.place[first_ + i]], places_.type}; }
  bool given(int i) const { return call_->given(places_.place[first_ + i]); }
  // Of a table: row 1 of phi#_weight# is phi1_weight0, phi1_weight1 ...
  ArgumentList row(int r) const { return {*call_, places_, r * places_.columns}; }

 private:
  const Call* call_;
  ListPlaces places_;
  int first_;
};

class DimensionList {
 public:
  DimensionList(const Call& call, const ListPlaces& places, int first = 0)
      : call_(&call), places_(places), first_(first) {}

  int64_t operator[](int i) const { return call_->dims[places_.place[first_ + i]]; }
  DimensionList row(int r) const { return {*call_, places_, r * places_.columns}; }

 private:
  const Call* call_;
  ListPlaces places_;
  int first_;
};

// The arguments of a call that a C function passes on, by name; null where it has none.
template <const OperationLine& line>
struct ArgumentsOf {
  const ups_tensor* tensors[names_of<line>.parameters] = {};

  const ups_tensor*& operator[](ArgumentName<line> name) { return tensors[name.index]; }
  // weight0, weight1 ... from `list`, which may be missing altogether; `row`: of a table.
  void put(ArgumentListName<line> pattern, const ups_tensor* const* list, int row = 0) {
    const ListPlaces& places = pattern.places;
    for (int i = 0; list && i < places.columns; ++i) tensors[places.place[row * places.columns + i]] = list[i];
  }
  void put(ArgumentListName<line> pattern, int i, const ups_tensor* tensor) {
    tensors[pattern.places.place[i]] = tensor;
  }
};

template <const OperationLine& line, class OptionStruct = NoOptions>
class CallOf {
 public:
  using Options = OptionStruct;
  using Arguments = ArgumentsOf<line>;
  static constexpr const OperationLine& operation = line;
  static constexpr schema_text::FoundNames names() {
    constexpr const auto& found = names_of<line>;
    return {line_text<line>.data, found.parameter, found.dim, found.parameters, found.dims};
  }

  CallOf(const Call& call) : call_(call) {}

  Argument operator[](ArgumentName<line> name) const { return {call_.tensors[name.index], name.type}; }
  bool given(ArgumentName<line> name) const { return call_.given(name.index); }
  int64_t dim(DimensionName<line> name) const { return call_.dims[name.index]; }
  ArgumentList list(ArgumentListName<line> pattern) const { return {call_, pattern.places}; }
  DimensionList dims(DimensionListName<line> pattern) const { return {call_, pattern.places}; }
  const Options& options() const { return call_.option<Options>(); }

 private:
  const Call& call_;
};

// What both directions of an operation have is made from either call: template <NamedCall Named>
// explicit Base(const Named&). Not from a class that derives from Base, which is its copy.
template <class Named>
concept NamedCall = requires { Named::operation.schema; };

// Registers an operation with its references, and what refuses wrong calls where the schema does
// not say all (validity.h):
//   const OperationOf<ScaleRowsForwardCall> forward{
//       {forward_reference<float>}, {forward_reference<double>}};
template <class Named>
struct OperationOf : OperationEntry {
  OperationOf(Reference f32, Reference f64, Validate validate_ = nullptr, Without without_ = {})
      : OperationEntry(Named::operation, options_size_of<typename Named::Options>, f32, f64, validate_, without_,
                       Named::names()) {}
};

}  // namespace upsilon
