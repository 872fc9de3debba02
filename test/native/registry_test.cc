// Registrations: every operation has all its variants or says why not, no variant is without an
// operation, and the compiler found the same names in a schema line as the parser does.
#include "core/registry.h"

#include <algorithm>

#include "core/cpu.h"
#include "core/plugin.h"
#include "support/check.h"

using namespace upsilon;

namespace {

std::string text_of(const schema_text::FoundNames& names, const schema_text::Name& name) {
  return std::string(names.text + name.begin, name.length);
}

char letter_of(ElementType type) {
  switch (type) {
    case ElementType::real: return 'r';
    case ElementType::f32: return 'f';
    case ElementType::f64: return 'd';
    case ElementType::i32: return 'i';
    case ElementType::i64: return 'l';
    case ElementType::u8: return 'u';
  }
  return 0;
}

void names_agree() {
  for (const ups_operation& operation : operations()) {
    const schema_text::FoundNames& names = operation.names;
    const Schema& schema = operation.schema;
    if (!CHECK(names.text != nullptr)) continue;
    CHECK_TEXT(names.text, operation.line);
    if (!CHECK(names.parameters == static_cast<int>(schema.parameters.size()) &&
               names.dims == static_cast<int>(schema.dim_names.size()))) {
      std::printf("  %s\n", operation.name);
      continue;
    }
    for (int i = 0; i < names.parameters; ++i) {
      const Parameter& parameter = schema.parameters[static_cast<size_t>(i)];
      CHECK_TEXT(text_of(names, names.parameter[i]), parameter.name);
      CHECK(names.parameter[i].type == letter_of(parameter.type));
    }
    for (int i = 0; i < names.dims; ++i)
      CHECK_TEXT(text_of(names, names.dim[i]), schema.dim_names[static_cast<size_t>(i)]);
  }
}

// A reason beside a variant is as wrong as neither.
bool is_settled(bool is_there, const char* reason, const ups_operation& operation, const char* variant) {
  const bool settled = is_there == (reason == nullptr);
  if (!settled) std::printf("  the %s variant of %s\n", variant, operation.name);
  return settled;
}

// A build leaves out instruction sets that its machine lacks, for every operation at once.
bool is_built(Variant variant) {
  const auto& all = operations();
  return std::any_of(all.begin(), all.end(),
                     [=](const ups_operation& o) { return o.kernels[static_cast<int>(variant)].run != nullptr; });
}

void variants_are_there() {
  CHECK(is_built(Variant::baseline));
#if defined(__x86_64__)
  constexpr Variant simd[] = {Variant::baseline, Variant::avx2, Variant::lanes16, Variant::avx512};
#else
  constexpr Variant simd[] = {Variant::baseline};
#endif
  const Plugin* const plugin = plugin_for(UPS_EMULATED);
  for (const ups_operation& operation : operations()) {
    const auto has = [&](Variant variant) { return operation.kernels[static_cast<int>(variant)].run != nullptr; };
    CHECK(has(Variant::reference) && operation.kernels_f64[static_cast<int>(Variant::reference)].run);
    for (const Variant variant : simd)
      if (is_built(variant)) CHECK(is_settled(has(variant), operation.without.simd, operation, variant_name(variant)));
    if (plugin)
      CHECK(
          is_settled(plugin_kernel(*plugin, operation.name).run != nullptr, operation.without.cuda, operation, "cuda"));
  }
}

void wrong_variants() {
  const auto& all = operations();
  CHECK_TEXT(problem_of(nullptr, all), "");
  const auto nothing = [](const Call&) { return UPS_OK; };
  static VariantEntry known{all[0].name, Variant::baseline, {nothing}};
  static VariantEntry of_doubles{all[0].name, Variant::baseline, {nothing}, true};
  known.next = nullptr;
  of_doubles.next = &known;
  CHECK_TEXT(problem_of(&of_doubles, all), "");
  static VariantEntry misspelt{"linear_foward", Variant::avx2, {nothing}};
  misspelt.next = &of_doubles;
  CHECK_TEXT(problem_of(&misspelt, all), "avx2 variant of linear_foward: there is no such operation");
  static VariantEntry again{all[0].name, Variant::baseline, {nothing}};
  again.next = &of_doubles;
  CHECK_TEXT(problem_of(&again, all), std::string("baseline variant of ") + all[0].name + ": registered twice");
}

void largest_of_all() {
  for (const ups_operation& operation : operations()) {
    CHECK(operation.schema.parameters.size() <= largest().parameters);
    CHECK(operation.schema.options.size() <= largest().options);
    CHECK(operation.schema.dim_names.size() <= largest().dim_names);
  }
}

}  // namespace

int main() {
  names_agree();
  variants_are_there();
  wrong_variants();
  largest_of_all();
  return finish_checks();
}
