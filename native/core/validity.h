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
  RefusalOf(const Named& call, Refusal& refusal) : call_(call), refusal_(refusal) {}

  void operator()(SchemaName<line> name, std::string_view text, ups_status status = UPS_VALUE) {
    refusal_.set(name.text, text, status);
  }
  // Of a list: refuse.at("weight#", 1, ...) is about weight1; of a table: refuse.at("phi#_weight#",
  // 0, 1, ...).
  void at(ArgumentListName<line> list, int i, std::string_view text) { at(list, 0, i, text); }
  void at(ArgumentListName<line> list, int row, int i, std::string_view text) {
    refusal_.set(name_of(list, row, i), text, UPS_VALUE);
  }

  // Refuses an argument that is given where one that it needs is not.
  void given_without(ArgumentName<line> argument, ArgumentName<line> needed) {
    if (call_.given(argument) && !call_.given(needed))
      refusal_.set(name_at(argument.index), without_text(name_at(needed.index)), UPS_VALUE);
  }
  // Of each place of two lists, or of one row of tables.
  void each_given_without(ArgumentListName<line> list, ArgumentListName<line> needed, int row = 0) {
    const ArgumentList arguments = call_.list(list).row(row), others = call_.list(needed).row(row);
    for (int i = 0; i < arguments.size(); ++i)
      if (arguments.given(i) && !others.given(i)) at(list, row, i, without_text(name_of(needed, row, i)));
  }

  bool has_refused() const { return refusal_.is_set(); }
  std::string name_of(ArgumentListName<line> list, int i) const { return name_of(list, 0, i); }
  std::string name_of(ArgumentListName<line> list, int row, int i) const {
    return name_at(list.places.place[row * list.places.columns + i]);
  }
  std::string option_text(SchemaName<line> option) const { return refusal_.option_text(option.text); }

 private:
  const Named& call_;
  Refusal& refusal_;

  static std::string name_at(int index) {
    const schema_text::Name& name = names_of<line>.parameter[index];
    return std::string(line_text<line>.data + name.begin, name.length);
  }
  static std::string without_text(const std::string& needed) { return "is given but " + named(needed) + " is not"; }
};

template <class Named>
void validate_as(void (*function)(const Named&, RefusalOf<Named>&), const Call& call, Refusal& refusal) {
  const Named by_name(call);
  RefusalOf<Named> refuse(by_name, refusal);
  function(by_name, refuse);
}
// `function` in the form in which it is registered.
template <auto function>
void validated_by(const Call& call, Refusal& refusal) {
  validate_as(function, call, refusal);
}

}  // namespace upsilon
