// How an operation says that a call is wrong, beyond its schema: <op>.cc has a function
//
//   template <NamedCall Named>
//   void validate(const Named& call, RefusalOf<Named>& refuse) {
//     if (call.given("weights") && is_extreme(call.options().pool))
//       refuse("weights", "is given but " + named("pool") + " is " +
//                             refuse.option_text("pool") + " (expected sum or mean)");
//   }
//
// and registers it as validated_by<validate<SetPoolBackwardCall>>. The gate calls it when shapes
// and options are known, before anything is computed. What a variant alone cannot do is not said
// here but by its `supports`; the reference computes every valid call.
#pragma once
#include <string>
#include <string_view>

#include "named_call.h"
#include "text.h"

namespace upsilon {

struct Schema;

// What is wrong with a call. The first refusal counts.
class Refusal {
 public:
  Refusal(const Schema& schema, const Call& call) : schema_(schema), call_(call) {}

  bool is_set() const { return status != UPS_OK; }
  void set(std::string_view name_, std::string_view text_, ups_status status_);
  bool given(int argument) const { return call_.given(argument); }
  // An option of this call in words: "max", "true", "0.5".
  std::string option_text(std::string_view option) const;

  ups_status status = UPS_OK;
  std::string name, text;  // of the argument or option; the text does not begin with it

 private:
  const Schema& schema_;
  const Call& call_;
};

// An argument or option of a line.
template <const OperationLine& line>
struct SchemaName {
  const char* text;
  consteval SchemaName(const char* name) : text(name) {
    if (!schema_text::has_declaration(line_text<line>.data, name)) no_argument_of_this_name();
  }
};

template <class Named, const OperationLine& line = Named::operation>
class RefusalOf {
 public:
  explicit RefusalOf(Refusal& refusal) : refusal_(refusal) {}

  void operator()(SchemaName<line> name, std::string_view text, ups_status status = UPS_VALUE) {
    refusal_.set(name.text, text, status);
  }
  // Of a list: refuse.at("weight#", 1, ...) is about weight1; of a table: refuse.at("phi#_weight#",
  // 0, 1, ...).
  void at(ArgumentListName<line> list, int i, std::string_view text) { at(list, 0, i, text); }
  void at(ArgumentListName<line> list, int row, int i, std::string_view text) {
    refusal_.set(name_at(place(list, row, i)), text, UPS_VALUE);
  }

  // Refuses an argument that is given where one that it needs is not: of two arguments, of the same
  // places of two lists (`row`: of tables), and of a place of one table for a place of another.
  void given_without(ArgumentName<line> argument, ArgumentName<line> needed) { without(argument.index, needed.index); }
  void each_given_without(ArgumentListName<line> list, ArgumentListName<line> needed, int row = 0) {
    for (int i = 0; i < list.places.columns; ++i) without(place(list, row, i), place(needed, row, i));
  }
  void place_given_without(ArgumentListName<line> list, int row, int i, ArgumentListName<line> needed, int needed_row,
                           int needed_i) {
    without(place(list, row, i), place(needed, needed_row, needed_i));
  }

  bool has_refused() const { return refusal_.is_set(); }
  std::string name_of(ArgumentListName<line> list, int i) const { return name_at(place(list, 0, i)); }
  std::string option_text(SchemaName<line> option) const { return refusal_.option_text(option.text); }

 private:
  Refusal& refusal_;

  static int place(const ArgumentListName<line>& list, int row, int i) {
    return list.places.place[row * list.places.columns + i];
  }
  static std::string name_at(int index) {
    const schema_text::Name& name = names_of<line>.parameter[index];
    return std::string(line_text<line>.data + name.begin, name.length);
  }
  void without(int argument, int needed) {
    if (refusal_.given(argument) && !refusal_.given(needed))
      refusal_.set(name_at(argument), "is given but " + named(name_at(needed)) + " is not", UPS_VALUE);
  }
};

template <class Named>
void validate_as(void (*function)(const Named&, RefusalOf<Named>&), const Call& call, Refusal& refusal) {
  RefusalOf<Named> refuse(refusal);
  function(Named(call), refuse);
}
// `function` in the form in which it is registered.
template <auto function>
void validated_by(const Call& call, Refusal& refusal) {
  validate_as(function, call, refusal);
}

}  // namespace upsilon
