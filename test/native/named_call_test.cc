// Calls by name: names and lists lead to the tensors and dimensions that the schema line puts
// there. With UPS_WRONG_NAME this file must not compile, which tests of their own ask.
#include "core/named_call.h"

#include <utility>
#include <vector>

#include "core/schema.h"
#include "support/check.h"

using namespace upsilon;

namespace {

struct Options {
  int32_t activation[3];
  int32_t mode;
};
inline constexpr OperationLine line{
    "probe",
    "x: real[..., K], {s=0..1: set<s><s?>: i32[B+1] splits N<s>, weight<s>_0?: real[M<s>_0, K], "
    "{l=1..2: weight<s>_<l>?: real[M<s>_<l>, M<s>_<l-1>]}}, big: f64[H^on*F], id: i64[], byte: u8[E+F+2] "
    "-> y&: real[..., {l=2..0|M1_<l>}], order?: i32[P] pairs H set0 set1; {l=0..2: activation<l>: activation}, "
    "on: bool"};
using ProbeCall = CallOf<line, Options>;

#if UPS_WRONG_NAME == 1
const float* wrong(const ProbeCall& call) { return call["weights0_0"]; }
#elif UPS_WRONG_NAME == 2
int64_t wrong(const ProbeCall& call) { return call.dim("L"); }
#elif UPS_WRONG_NAME == 3
bool wrong(const ProbeCall& call) { return call.list("wait#_#").given(0); }
#elif UPS_WRONG_NAME == 4
inline constexpr OperationLine open{"open", "{l=0..2: x<l>: real[N] -> y: real[N]"};
const float* wrong(const CallOf<open>& call) { return call["x0"]; }
#endif

// A call whose every tensor lies at an address of its own, and whose dimensions are their own
// indices.
struct Probe {
  explicit Probe(const Schema& schema)
      : memory(schema.parameters.size() + 1), tensors(schema.parameters.size()), dims(schema.dim_names.size()) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      tensors[i].data = &memory[i];
      tensors[i].byte_offset = sizeof(double);
      pointers.push_back(&tensors[i]);
    }
    for (size_t i = 0; i < dims.size(); ++i) dims[i] = static_cast<int64_t>(i);
    call.tensors = pointers.data();
    call.dims = dims.data();
    call.options = &options;
  }
  const void* address(int i) const { return &memory[static_cast<size_t>(i) + 1]; }

  std::vector<double> memory;
  std::vector<ups_tensor> tensors;
  std::vector<const ups_tensor*> pointers;
  std::vector<int64_t> dims;
  Options options{{1, 2, 3}, 1};
  Call call{};
};

int index_of(const Schema& schema, const std::string& name) {
  for (size_t i = 0; i < schema.parameters.size(); ++i)
    if (schema.parameters[i].name == name) return static_cast<int>(i);
  return -1;
}
int64_t dim_of(const Schema& schema, const std::string& name) {
  for (size_t i = 0; i < schema.dim_names.size(); ++i)
    if (schema.dim_names[i] == name) return static_cast<int64_t>(i);
  return -1;
}

void names() {
  const Schema schema = parse_schema(line.schema);
  Probe probe(schema);
  const ProbeCall call(probe.call);
  const float* const x = call["x"];
  const int32_t* const set1 = call["set1"];
  const double* const big = call["big"];
  const int64_t* const id = call["id"];
  const uint8_t* const byte = call["byte"];
  double* const y = call["y"];  // real, in float64
  const int32_t* const order = call["order"];
  const std::pair<const void*, const char*> found[] = {{x, "x"},       {set1, "set1"}, {big, "big"},    {id, "id"},
                                                       {byte, "byte"}, {y, "y"},       {order, "order"}};
  for (const auto& [address, name] : found) CHECK(address == probe.address(index_of(schema, name)));
  CHECK(call.dim("...") == dim_of(schema, "...") && call.dim("K") == dim_of(schema, "K"));
  CHECK(call.dim("N1") == dim_of(schema, "N1") && call.dim("M1_2") == dim_of(schema, "M1_2"));
  CHECK(call.dim("H") == dim_of(schema, "H") && call.dim("P") == dim_of(schema, "P"));
  CHECK(call.options().activation[2] == 3 && call.options().mode == 1);
  CHECK(call.given("order"));
  probe.pointers[static_cast<size_t>(index_of(schema, "order"))] = nullptr;
  const int32_t* const left_out = call["order"];
  CHECK(!call.given("order") && left_out == nullptr);
}

void lists() {
  const Schema schema = parse_schema(line.schema);
  Probe probe(schema);
  const ProbeCall call(probe.call);
  const ArgumentList weights = call.list("weight#_#"), sets = call.list("set#");
  const DimensionList widths = call.dims("M#_#"), particles = call.dims("N#");
  CHECK(weights.size() == 3 && sets.size() == 2);
  for (int s = 0; s < 2; ++s) {
    const std::string set = std::to_string(s);
    const int32_t* const offsets = sets[s];
    CHECK(offsets == probe.address(index_of(schema, "set" + set)));
    CHECK(particles[s] == dim_of(schema, "N" + set));
    for (int l = 0; l < 3; ++l) {
      const float* const weight = weights.row(s)[l];
      CHECK(weight == probe.address(index_of(schema, "weight" + set + "_" + std::to_string(l))));
      CHECK(weights.row(s).given(l));
      CHECK(widths.row(s)[l] == dim_of(schema, "M" + set + "_" + std::to_string(l)));
    }
  }
}

void arguments() {
  const Schema schema = parse_schema(line.schema);
  const ups_tensor x{}, sets[2] = {}, weights[3] = {};
  const ups_tensor* const of_one[3] = {&weights[0], nullptr, &weights[2]};
  ProbeCall::Arguments to;
  to["x"] = &x;
  to.put("set#", 1, &sets[1]);
  to.put("weight#_#", of_one, 1);
  to.put("weight#_#", nullptr);
  CHECK(std::size(to.tensors) == schema.parameters.size());
  for (size_t i = 0; i < std::size(to.tensors); ++i) {
    const std::string& name = schema.parameters[i].name;
    CHECK(to.tensors[i] == (name == "x"           ? &x
                            : name == "set1"      ? &sets[1]
                            : name == "weight1_0" ? &weights[0]
                            : name == "weight1_2" ? &weights[2]
                                                  : nullptr));
  }
}

}  // namespace

int main() {
  names();
  lists();
  arguments();
  return finish_checks();
}
