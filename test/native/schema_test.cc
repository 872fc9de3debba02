// Schema lines: what they mean, that every registered one parses, and that a wrong one is refused
// with its place.
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "core/registry.h"
#include "core/schema.h"
#include "support/check.h"

using namespace upsilon;

namespace {

void products() {
  const Schema s = parse_schema("a: real[H, F], w: real[H*F, K] -> y: real[K, H^on*F]; other: i32, on: bool");
  const auto& w = s.parameters[1].dims[0].factors;
  const auto& y = s.parameters[2].dims[1].factors;
  CHECK(w.size() == 2 && w[0].option == -1 && w[1].option == -1 && s.parameters[1].dims[0].names.empty());
  CHECK(y.size() == 2 && y[0].option == 1 && y[1].option == -1 && y[0].name == w[0].name);
  CHECK(s.parameters[1].dims[1].is_single() && !s.parameters[1].dims[0].is_single());
}

void meaning() {
  const Schema s = parse_schema(
      "offsets: i32[B+1] splits N, mother: i32[N] forest offsets, index?: i32[N] below V, x: real[..., K], "
      "big: f64[3, K], id: i64[N], byte: u8[N] -> y: real[..., M2|M1|K], w?&: f32[E+F+2]; "
      "kind: one|two|three, act: activation, on: bool = true, off: bool, rate: f64 = 1e-3, count: i32 = -4, seed: u64 "
      "= 5");
  CHECK(s.parameters.size() == 9 && s.inputs == 7);
  CHECK(s.parameters[0].rule == Rule::splits && s.dim_names[static_cast<size_t>(s.parameters[0].rule_dim)] == "N");
  CHECK(s.parameters[0].dims[0].constant == 1 && s.parameters[0].dims[0].names.size() == 1);
  CHECK(s.parameters[1].rule == Rule::forest && s.parameters[1].rule_offsets == 0);
  CHECK(s.parameters[2].rule == Rule::below && s.parameters[2].optional && !s.parameters[2].output);
  CHECK(s.parameters[3].leading && s.parameters[3].type == ElementType::real && s.parameters[3].dims.size() == 2);
  CHECK(s.parameters[4].type == ElementType::f64 && s.parameters[4].dims[0].constant == 3 &&
        s.parameters[4].dims[0].names.empty());
  CHECK(s.parameters[5].type == ElementType::i64 && s.parameters[6].type == ElementType::u8);
  CHECK(s.parameters[7].output && s.parameters[7].dims[1].alternatives.size() == 3 &&
        s.parameters[7].dims[1].names.empty());
  CHECK(s.parameters[8].output && s.parameters[8].optional && s.parameters[8].in_place);
  CHECK(s.parameters[8].dims[0].names.size() == 2 && s.parameters[8].dims[0].constant == 2);
  CHECK_TEXT(s.parameters[7].shape_text, "[..., M2|M1|K]");
  CHECK_TEXT(s.dim_names[0], "B");

  struct Layout {  // as a C compiler lays it out
    size_t size;
    int32_t kind, act, on, off;
    double rate;
    int32_t count;
    uint64_t seed;
  };
  const Schema bounded =
      parse_schema("x: real[N] -> y: real[N]; stride: i32 = 1 from 1, padding: i32, rows: i64 from 0");
  CHECK(bounded.options[0].default_value == 1 && bounded.options[0].range.has(1) && !bounded.options[0].range.has(0) &&
        !bounded.options[1].range.is_limited() && bounded.options[2].range.has(0));
  const Schema limits = parse_schema(
      "x: real[N] -> y: real[N]; p: f32 = 0.5 from 0 to 1, rate: f64 = 0 from 0 below 1, eps: f64 = 1 above 0");
  const OptionRange &p = limits.options[0].range, &rate = limits.options[1].range, &eps = limits.options[2].range;
  CHECK(p.has(0) && p.has(1) && !p.has(1.5) && !p.has(-0.5) && !p.has(std::nan("")));
  CHECK(rate.has(0) && !rate.has(1) && eps.has(1e300) && !eps.has(0));
  CHECK(s.options_size == sizeof(Layout) && s.options.size() == 7);
  CHECK(s.options[0].choices.size() == 3 && s.options[1].choices.size() == 8 && s.options[1].choices[4] == "gelu");
  Layout defaults;
  CHECK(s.default_options.size() == sizeof defaults);
  std::memcpy(&defaults, s.default_options.data(), sizeof defaults);
  CHECK(defaults.size == sizeof defaults && defaults.kind == 0 && defaults.on == 1 && defaults.off == 0 &&
        defaults.rate == 1e-3 && defaults.count == -4 && defaults.seed == 5);

  const Schema no_inputs = parse_schema("-> y: real[...]");
  CHECK(no_inputs.inputs == 0 && no_inputs.parameters.size() == 1 && no_inputs.options_size == 0);
  const Schema scalar = parse_schema("x: real[] -> y: real[]");
  CHECK(scalar.parameters[0].dims.empty() && !scalar.parameters[0].leading);
}

void refused(const char* line, const char* what) {
  try {
    (void)parse_schema(line);
    CHECK_TEXT(std::string("accepted: ") + line, what);
  } catch (const std::invalid_argument& e) {
    CHECK_TEXT(std::string(e.what()).substr(0, std::strlen("schema: ") + std::strlen(what)),
               std::string("schema: ") + what);
  }
}

void pairs() {
  const Schema s =
      parse_schema("a: i32[B+1] splits N, b: i32[B+1] splits M, x: real[N, H], z?: real[P] pairs H a b -> y: real[N]");
  const Parameter& z = s.parameters[3];
  CHECK(z.rule == Rule::pairs && s.dim_names[static_cast<size_t>(z.rule_dim)] == "H");
  CHECK(z.rule_offsets == 0 && z.rule_others == 1);
  refused("a: i32[B+1] splits N, z: real[P] pairs H a b -> y: real[N]", "a rule must name earlier parameters");
}

void lists() {
  CHECK_TEXT(written_out("{l=1..3: weight<l>?: real[M<l>, M<l-1>]} -> y: real[{l=3..0|M<l>}]"),
             "weight1?: real[M1, M0], weight2?: real[M2, M1], weight3?: real[M3, M2] -> y: real[M3|M2|M1|M0]");
  CHECK_TEXT(written_out("{k=0..2: x<k><k?>: real[F<k>]} -> y: real[{k=0..2+F<k>}]"),
             "x0: real[F0], x1?: real[F1], x2?: real[F2] -> y: real[F0+F1+F2]");
  CHECK_TEXT(written_out("{s=0..1: a<s>: f64[N], {l=2..2: b<s>_<l>: i32[N]}}"),
             "a0: f64[N], b0_2: i32[N], a1: f64[N], b1_2: i32[N]");
  const Schema s = parse_schema("{l=0..1: x<l>: real[N]} -> y: real[N]; {l=0..1: kind<l>: one|two}, last: bool");
  CHECK(s.inputs == 2 && s.parameters[1].name == "x1" && s.options.size() == 3 && s.options[1].name == "kind1");
  refused("{l=0..1: x<k>: real[N]} -> y: real[N]", "no list has this index");
  refused("{l=0..1: x<l-1>: real[N]} -> y: real[N]", "an index has one digit");
  refused("{l=0..1: x<l: real[N]} -> y: real[N]", "> expected");
  refused("{l=0.1: x<l>: real[N]} -> y: real[N]", "{i=0..9: expected");
  refused("{l", "{i=0..9: expected");
  refused("{l=0..1; x<l>: real[N]} -> y: real[N]", ": | or + expected");
  refused("{l=0..1: x<l>: real[N] -> y: real[N]", "} expected");
  refused("x: real[N]} -> y: real[N]", "unexpected }");
  refused("{l=a..1: x<l>: real[N]} -> y: real[N]", "a digit expected");
}

void wrong_lines() {
  refused("", "a name expected");
  refused("x: real[N]", "something else expected");
  refused("x real[N] -> y: real[N]", "something else expected");
  refused("x: float[N] -> y: real[N]", "unknown element type");
  refused("x: real[N -> y: real[N]", "something else expected");
  refused("x: real[N,] -> y: real[N]", "a name expected");
  refused("x: real[N] splits N -> y: real[N]", "this rule needs i32 elements");
  refused("x: i32[N] finite -> y: real[N]", "this rule needs real elements");
  refused("m: i32[N] forest offsets -> y: real[N]", "a rule must name earlier parameters");
  refused("m: i32[N] forest o, o: i32[B+1] -> y: real[N]", "a rule must name earlier parameters");
  refused("o: i32[B+1], m: i32[N] sorts x by o -> y: real[N]", "a rule must name earlier parameters");
  refused("x: real[N], m: i32[N] sorts x -> y: real[N]", "something else expected");
  refused("x: real[N] -> y: real[N]; a: i32 = much", "a number expected");
  refused("x: real[N] -> y: real[N]; a: bool from 0", "limits need an i32, i64, f32 or f64 option");
  refused("x: real[N] -> y: real[N]; a: f32 from 1", "the default is outside the limits");
  refused("h: real[H], x: real[H^on] -> y: real[N]; on: i32", "the exponent of a factor must name a bool option");
  refused("x: real[N+1*M] -> y: real[N]", "a product has names only");
  refused("x: real[N] -> y: real[N] and more", "unexpected text");
}

void registered_lines() {
  CHECK(!operations().empty());
  const char* before = "";
  for (const ups_operation& operation : operations()) {
    CHECK(std::strcmp(before, operation.name) < 0);
    before = operation.name;
    CHECK(find_operation(operation.name) == &operation);
    CHECK(operation.variants.find("reference") != std::string::npos);
    bool has_output = false;
    for (const Parameter& p : operation.schema.parameters) has_output |= p.output;
    CHECK(has_output);
    // Any beginning of a line is either a schema or refused.
    const std::string& line = operation.line;
    for (size_t length = 0; length < line.size(); ++length) {
      try {
        (void)parse_schema(line.substr(0, length));
      } catch (const std::invalid_argument&) {
      }
    }
  }
}

}  // namespace

int main() {
  pairs();
  meaning();
  products();
  lists();
  wrong_lines();
  registered_lines();
  return finish_checks();
}
