// The gate: every kind of wrong call gives a typed error that names operation and argument, with a
// text that says what was found and what was wanted. An operation of the test's own stands for all.
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/operation.h"
#include "core/text.h"
#include "core/validity.h"
#include "support/check.h"

using namespace upsilon;

namespace {

constexpr const char* probe_schema =
    "x: real[N, K], weight: real[M, K], bias?: real[M], offsets: i32[B+1] splits N, indices: i32[N] below M, "
    "mother: i32[N] forest offsets, extra?: f32[E], joined?: f32[E+K] "
    "-> y: real[N, M|K], dx?: real[N, K], state?&: real[M]; mode: first|second, flag: bool, rows: i64 = 1 from 1";
enum { x, weight, bias, offsets, indices, mother, extra, joined, y, dx, state, arguments };
struct ProbeOptions {
  size_t size;
  int32_t mode, flag;
  int64_t rows;
};

bool kernel_ran = false;
volatile int64_t touched = 0;
ProbeOptions seen;
ups_status probe(const Call& call) {
  kernel_ran = true;
  seen = call.option<ProbeOptions>();
  // What the gate promises to a kernel.
  CHECK(call.dims[0] == call.tensors[x]->shape[0] && call.dims[1] == call.tensors[x]->shape[1]);
  CHECK(call.dims[2] == call.tensors[weight]->shape[0] && call.dims[3] == call.tensors[offsets]->shape[0] - 1);
  for (int64_t i = 0; i < call.dims[0]; ++i) {
    const int32_t index = call.data<const int32_t>(indices)[i];
    CHECK(index >= 0 && index < call.dims[2]);
  }
  return UPS_OK;
}
const OperationEntry probe_entry{{"probe", probe_schema}, sizeof(ProbeOptions), {probe}, {probe}};

const OperationEntry leading_entry{
    {"probe_leading", "x: real[..., K] -> y: real[..., K]"}, 0, {[](const Call&) { return UPS_OK; }}, {}};
const OperationEntry walking_entry{{"probe_walks", "x: real[..., K] -> y: real[..., K], rows?: f64[1]"},
                                   0,
                                   {[](const Call& call) {
                                     for (int64_t row = 0; row < call.dims[0]; ++row) touched = row;
                                     if (call.given(2)) *call.data<double>(2) = static_cast<double>(call.dims[0]);
                                     return UPS_OK;
                                   }},
                                   {}};
const OperationEntry sorts_entry{
    {"probe_sorts", "x: real[N] numbers, offsets: i32[B+1] splits N, order: i32[N] sorts x by offsets -> y: real[N]"},
    0,
    {[](const Call&) { return UPS_OK; }},
    {[](const Call&) { return UPS_OK; }}};
const OperationEntry finite_entry{{"probe_finite", "x: real[N] finite -> y: real[N]"},
                                  0,
                                  {[](const Call&) { return UPS_OK; }},
                                  {[](const Call&) { return UPS_OK; }}};
const OperationEntry failing_entry{
    {"probe_failing", "x: real[N] -> y: real[N]"}, 0, {[](const Call&) { return UPS_INTERNAL; }}, {}};
struct LimitedOptions {
  size_t size;
  float rate;
  double eps;
  int32_t pool;
};
constexpr OperationLine valid_line{"probe_valid",
                                   "x: real[N], {l=0..1: weight<l>?: real[N], bias<l>?: real[N]} -> y: real[N], "
                                   "dbias0?: real[N]; rate: f32 = 0 from 0 "
                                   "below 1, eps: f64 = 1 above 0, pool: sum|max"};
using ValidCall = CallOf<valid_line, LimitedOptions>;
void refuse_weights_of_max(const ValidCall& call, RefusalOf<ValidCall>& refuse) {
  if (call.options().pool == 1 && call.given("weight0"))
    refuse("weight0", "is given but " + named("pool") + " is " + refuse.option_text("pool") + " (expected sum)");
  refuse.given_without("dbias0", "bias0");
  refuse.each_given_without("bias#", "weight#");
}
const OperationOf<ValidCall> valid_entry{
    {[](const Call&) { return UPS_OK; }}, {[](const Call&) { return UPS_OK; }}, validated_by<refuse_weights_of_max>};
const OperationEntry hungry_entry{{"probe_hungry", "x: real[N] -> y: real[N]"},
                                  0,
                                  {[](const Call&) { return UPS_OK; }, [](const Call&) { return size_t{1} << 60; }},
                                  {}};

// Of two strategies, one of which is for few elements only.
constexpr const char* probe_strategies[] = {"probe_any", "probe_few", nullptr};
ups_status strategic(const Call& call) {
  call.computed_by(call.strategy < 0 ? 0 : call.strategy);
  return UPS_OK;
}
bool fits_strategy(const Call& call, int32_t strategy) { return strategy == 0 || call.dims[0] <= 4; }
const OperationEntry strategic_entry{{"probe_strategic", "x: real[N] -> y: real[N]"},
                                     0,
                                     {strategic, nullptr, nullptr, probe_strategies, fits_strategy},
                                     {}};

struct Tensor {
  std::vector<double> memory;
  std::vector<int64_t> shape, strides;
  ups_tensor view{};

  void set(ups_dtype dtype, std::vector<int64_t> shape_) {
    shape = std::move(shape_);
    memory.assign(64, 0);
    view = {memory.data(), {UPS_CPU, 0}, static_cast<int32_t>(shape.size()), dtype, shape.data(), nullptr, 0};
  }
  int32_t* ints() { return reinterpret_cast<int32_t*>(memory.data()); }
};

constexpr ups_dtype f32{UPS_FLOAT, 32, 1}, f64{UPS_FLOAT, 64, 1}, i32{UPS_INT, 32, 1};

// A good call, to be spoilt: N = 4, K = 5, M = 3, B = 2, E = 3.
struct Good {
  Tensor tensors[arguments];
  const ups_tensor* pointers[arguments];
  ProbeOptions options{sizeof(ProbeOptions), 1, 1, 1};

  Good() {
    tensors[x].set(f32, {4, 5});
    tensors[weight].set(f32, {3, 5});
    tensors[bias].set(f32, {3});
    tensors[offsets].set(i32, {3});
    tensors[indices].set(i32, {4});
    tensors[mother].set(i32, {4});
    tensors[extra].set(f32, {3});
    tensors[joined].set(f32, {8});
    tensors[y].set(f32, {4, 3});
    tensors[dx].set(f32, {4, 5});
    tensors[state].set(f32, {3});
    const int32_t good_offsets[] = {0, 4, 4}, good_mothers[] = {-1, 0, 1, 0};
    std::memcpy(tensors[offsets].ints(), good_offsets, sizeof good_offsets);
    std::memcpy(tensors[mother].ints(), good_mothers, sizeof good_mothers);
    for (int i = 0; i < arguments; ++i) pointers[i] = &tensors[i].view;
  }
  ups_status call(ups_context* context) {
    kernel_ran = false;
    return ups_call(context, ups_operation_find("probe"), pointers, arguments, &options);
  }
};

ups_context* make_context() {
  ups_context* context = nullptr;
  CHECK(ups_context_create(nullptr, &context) == UPS_OK);
  return context;
}

// The names in the text, by their places.
std::vector<std::string> mentions(const ups_context* context) {
  const Error& error = context->error;
  std::vector<std::string> names;
  for (int32_t i = 0; i < error.mention_count; ++i)
    names.push_back(std::string(error.text).substr(error.mentions[i].begin, error.mentions[i].length));
  return names;
}
bool mentions_argument(const ups_context* context) {
  const std::vector<std::string> names = mentions(context);
  return std::find(names.begin(), names.end(), context->error.argument) != names.end();
}

void expect(ups_context* context, Good& bad, ups_status status, const char* argument, const char* text) {
  CHECK(bad.call(context) == status);
  CHECK(!kernel_ran);
  const ups_error* error = ups_last_error(context);
  CHECK(error->status == status);
  CHECK_TEXT(error->operation, "probe");
  CHECK_TEXT(error->argument, argument);
  CHECK_TEXT(error->text, text);
  CHECK(!*argument || mentions_argument(context));
}

void names_in_texts(ups_context* context) {
  using Names = std::vector<std::string>;
  {
    Good g;
    g.tensors[weight].set(f32, {3, 4});
    expect(context, g, UPS_SHAPE, "weight", "weight is [3, 4] but x is [4, 5], where K is 5 (expected weight [M, K])");
    CHECK(mentions(context) == Names{"weight", "x", "K", "weight"});
  }
  {
    Good g;
    g.tensors[offsets].ints()[2] = 9;
    expect(context, g, UPS_VALUE, "offsets", "offsets ends with 9 (expected at most N = 4)");
    CHECK(mentions(context) == Names{"offsets", "N"});
  }
  {
    Good g;
    g.tensors[y].view.data = g.tensors[x].view.data;
    expect(context, g, UPS_VALUE, "y", "y shares memory with x (expected memory of its own)");
    CHECK(mentions(context) == Names{"y", "x"});
  }
  // Marks are taken from texts about operations only; a file's name may hold anything.
  Error& error = context->error;
  error.set(UPS_VALUE, "", "path", "\x01 path\x02 is there");
  CHECK_TEXT(ups_last_error(context)->text, "\x01 path\x02 is there");
  CHECK(mentions(context).empty());
  std::string many, plain;
  for (int i = 0; i < 12; ++i) {
    many += named("n" + std::to_string(i)) + ", ";
    plain += "n" + std::to_string(i) + ", ";
  }
  error.set(UPS_VALUE, "probe", "", many);
  CHECK_TEXT(ups_last_error(context)->text, plain);
  CHECK(mentions(context) == Names{"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"});
}

void presence_and_layout(ups_context* context) {
  {
    Good g;
    CHECK(g.call(context) == UPS_OK && kernel_ran);
  }
  {
    Good g;
    for (int i : {bias, extra, joined, dx, state}) g.pointers[i] = nullptr;
    CHECK(g.call(context) == UPS_OK);
  }
  {
    Good g;
    g.pointers[x] = nullptr;
    expect(context, g, UPS_VALUE, "x", "x is missing (expected [N, K])");
  }
  {
    Good g;
    g.pointers[y] = nullptr;
    expect(context, g, UPS_VALUE, "y", "y is missing (expected [N, M|K])");
  }
  {
    Good g;
    g.tensors[x].view.data = nullptr;
    expect(context, g, UPS_VALUE, "x", "x has no memory (its data is null)");
  }
  {
    Good g;
    g.tensors[weight].view.byte_offset = 2;
    expect(context, g, UPS_VALUE, "weight", "weight is not aligned to its element size");
  }
  {
    Good g;
    g.tensors[x].strides = {1, 4};
    g.tensors[x].view.strides = g.tensors[x].strides.data();
    expect(context, g, UPS_SHAPE, "x", "x is strided (expected dense row-major memory)");
    g.tensors[x].strides = {5, 1};
    CHECK(g.call(context) == UPS_OK);
  }
  {
    Good g;
    g.tensors[x].view.device = {UPS_CUDA, 1};
    expect(context, g, UPS_DEVICE, "x", "x is on cuda:1 (expected cpu)");
    g.tensors[x].view.device = {UPS_EMULATED, 0};
    expect(context, g, UPS_DEVICE, "x", "x is on emulated:0 (expected cpu)");
    g.tensors[x].view.device = {99, 0};
    expect(context, g, UPS_DEVICE, "x", "x is on device type 99 (expected cpu)");
    g.tensors[x].view.device = {UPS_CUDA_HOST, 0};
    CHECK(g.call(context) == UPS_OK);
  }
}

void dtypes(ups_context* context) {
  {
    Good g;
    g.tensors[weight].view.dtype = f64;
    expect(context, g, UPS_DTYPE, "weight", "weight is float64 (expected float32, as x)");
  }
  {
    Good g;
    g.tensors[y].view.dtype = f64;
    expect(context, g, UPS_DTYPE, "y", "y is float64 (expected float32, as x)");
  }
  {
    Good g;
    g.tensors[x].view.dtype = i32;
    expect(context, g, UPS_DTYPE, "x", "x is int32 (expected float32 or float64)");
  }
  {
    Good g;
    g.tensors[x].view.dtype = {UPS_FLOAT, 16, 1};
    expect(context, g, UPS_DTYPE, "x", "x is an unknown dtype (expected float32)");
  }
  {
    Good g;
    g.tensors[x].view.dtype = {UPS_FLOAT, 32, 4};
    expect(context, g, UPS_DTYPE, "x", "x is an unknown dtype (expected float32)");
  }
  {
    Good g;
    g.tensors[offsets].view.dtype = f32;
    expect(context, g, UPS_DTYPE, "offsets", "offsets is float32 (expected int32)");
  }
  {
    Good g;
    g.tensors[indices].view.dtype = {UPS_INT, 64, 1};
    expect(context, g, UPS_DTYPE, "indices", "indices is int64 (expected int32)");
  }
  {
    Good g;
    g.tensors[extra].view.dtype = f64;
    expect(context, g, UPS_DTYPE, "extra", "extra is float64 (expected float32)");
  }
  Good g;
  for (int i : {x, weight, bias, y, dx, state}) g.tensors[i].view.dtype = f64;
  CHECK(g.call(context) == UPS_OK);
  CHECK_TEXT(ups_last_variant(context), "reference");
}

void shapes(ups_context* context) {
  {
    Good g;
    g.tensors[x].set(f32, {20});
    expect(context, g, UPS_SHAPE, "x", "x is [20] (expected x [N, K])");
  }
  {
    Good g;
    g.tensors[x].set(f32, {});
    expect(context, g, UPS_SHAPE, "x", "x is [] (expected x [N, K])");
  }
  {
    Good g;
    g.tensors[weight].set(f32, {3, 6});
    expect(context, g, UPS_SHAPE, "weight", "weight is [3, 6] but x is [4, 5], where K is 5 (expected weight [M, K])");
  }
  {
    Good g;
    g.tensors[indices].set(i32, {5});
    expect(context, g, UPS_SHAPE, "indices", "indices is [5] but x is [4, 5], where N is 4 (expected indices [N])");
  }
  {
    Good g;
    g.tensors[offsets].set(i32, {0});
    expect(context, g, UPS_SHAPE, "offsets", "offsets is [0] (expected offsets [B+1])");
  }
  {
    Good g;
    g.tensors[y].set(f32, {4, 4});
    expect(context, g, UPS_SHAPE, "y", "y is [4, 4] but 3 are wanted in dimension 1 (expected y [N, M|K])");
  }
  {
    Good g;
    g.tensors[joined].set(f32, {7});
    expect(context, g, UPS_SHAPE, "joined", "joined is [7] but 8 are wanted in dimension 0 (expected joined [E+K])");
  }
  {
    Good g;  // a name that only an argument left out has counts as 0
    g.pointers[extra] = nullptr;
    g.tensors[joined].set(f32, {5});
    CHECK(g.call(context) == UPS_OK);
  }
  {
    Good g;
    g.tensors[x].set(f32, {-1, 5});
    expect(context, g, UPS_SHAPE, "x", "x has the impossible shape [-1, 5]");
  }
  {
    Good g;
    g.tensors[x].set(f32, {INT64_MAX, 5});
    expect(context, g, UPS_SHAPE, "x", "x has the impossible shape [9223372036854775807, 5]");
  }
  {
    Good g;
    g.tensors[x].view.ndim = 9;
    expect(context, g, UPS_SHAPE, "x", "x has 9 dimensions (at most 8)");
  }
  {
    Good g;
    g.tensors[x].view.ndim = -1;
    expect(context, g, UPS_SHAPE, "x", "x has -1 dimensions (at most 8)");
  }
  {
    Good g;
    g.tensors[x].view.shape = nullptr;
    CHECK(g.call(context) == UPS_SHAPE);
  }
  Good g;  // no rows: nothing needs memory
  for (int i : {x, y, dx}) g.tensors[i].shape[0] = 0;
  for (int i : {indices, mother}) g.tensors[i].shape[0] = 0;
  for (int i : {x, y, dx, indices, mother}) g.tensors[i].view.data = nullptr;
  std::memset(g.tensors[offsets].ints(), 0, 12);
  CHECK(g.call(context) == UPS_OK);
}

void contents(ups_context* context) {
  const auto with = [&](int which, std::vector<int32_t> values, const char* text) {
    Good g;
    std::memcpy(g.tensors[which].ints(), values.data(), values.size() * sizeof(int32_t));
    expect(context, g, UPS_VALUE, which == offsets ? "offsets" : which == indices ? "indices" : "mother", text);
  };
  with(offsets, {0, 3, 1}, "offsets decreases from 3 to 1 at position 2");
  with(offsets, {0, 4, 9}, "offsets ends with 9 (expected at most N = 4)");
  with(offsets, {-1, 2, 4}, "offsets begins with -1 (expected at least 0)");
  with(offsets, {INT_MIN, 0, INT_MAX}, "offsets begins with -2147483648 (expected at least 0)");
  with(indices, {0, 3, 0, 0}, "indices has 3 at position 1 (expected 0 <= index < M = 3)");
  with(indices, {0, 0, 0, -1}, "indices has -1 at position 3 (expected 0 <= index < M = 3)");
  with(indices, {INT_MIN, 0, 0, 0}, "indices has -2147483648 at position 0 (expected 0 <= index < M = 3)");
  with(mother, {-1, 7, 0, 0}, "mother has 7 at position 1 (expected -1 or an index below 4, the size of event 0)");
  with(mother, {-1, -2, 0, 0}, "mother has -2 at position 1 (expected -1 or an index below 4, the size of event 0)");
  with(mother, {-1, 1, 0, 0}, "mother makes a cycle through node 1 of event 0");
  with(mother, {3, -1, 0, 2}, "mother makes a cycle through node 0 of event 0");
}

void numbers_that_are_not_finite(ups_context* context) {
  const ups_operation* operation = ups_operation_find("probe_finite");
  const auto expect_text = [&](auto numbers, ups_dtype dtype, const char* text) {
    using Number = typename decltype(numbers)::value_type;
    Tensor in, out;
    in.set(dtype, {static_cast<int64_t>(numbers.size())});
    out.set(dtype, {static_cast<int64_t>(numbers.size())});
    std::memcpy(in.memory.data(), numbers.data(), numbers.size() * sizeof(Number));
    const ups_tensor* pointers[] = {&in.view, &out.view};
    const ups_status status = ups_call(context, operation, pointers, 2, nullptr);
    CHECK(status == (*text ? UPS_VALUE : UPS_OK));
    if (*text) CHECK_TEXT(ups_last_error(context)->text, text);
  };
  const float huge = std::numeric_limits<float>::max(), infinite = std::numeric_limits<float>::infinity();
  expect_text(std::vector<float>{-huge, 0, huge}, f32, "");
  expect_text(std::vector<float>{0, -infinite}, f32, "x has -Infinity at position 1 (expected finite numbers)");
  expect_text(std::vector<float>{std::nanf("")}, f32, "x has NaN at position 0 (expected finite numbers)");
  expect_text(std::vector<double>{0, 1, 2, std::nan("")}, f64, "x has NaN at position 3 (expected finite numbers)");
}

void orders(ups_context* context) {
  const ups_operation* operation = ups_operation_find("probe_sorts");
  const auto expect_text = [&](std::vector<float> keys, std::vector<int32_t> order, const char* text) {
    Tensor sorted, sets, given, out;
    const std::vector<int32_t> cuts{0, 3, 3, 5};
    const auto count = static_cast<int64_t>(keys.size());
    sorted.set(f32, {count});
    sets.set(i32, {4});
    given.set(i32, {count});
    out.set(f32, {count});
    std::memcpy(sorted.memory.data(), keys.data(), keys.size() * sizeof(float));
    std::memcpy(sets.memory.data(), cuts.data(), cuts.size() * sizeof(int32_t));
    std::memcpy(given.memory.data(), order.data(), order.size() * sizeof(int32_t));
    const ups_tensor* pointers[] = {&sorted.view, &sets.view, &given.view, &out.view};
    CHECK(ups_call(context, operation, pointers, 4, nullptr) == (*text ? UPS_VALUE : UPS_OK));
    if (*text) CHECK_TEXT(ups_last_error(context)->text, text);
  };
  const std::vector<float> keys{2, 1, 2, INFINITY, -INFINITY, 9};
  expect_text(keys, {1, 0, 2, 4, 3, -7}, "");
  expect_text(keys, {1, 2, 0, 4, 3, 0}, "order has 2 before 0 at position 2 (expected the stable order of x)");
  expect_text(keys, {1, 1, 2, 4, 3, 0}, "order has 1 before 1 at position 1 (expected the stable order of x)");
  expect_text(keys, {1, 0, 4, 4, 3, 0}, "order has 4 at position 2 (expected an index of set 0, 0 to 2)");
  expect_text(keys, {1, 0, 2, -1, 3, 0}, "order has -1 at position 3 (expected an index of set 2, 3 to 4)");
  expect_text(keys, {1, 0, 2, 3, 4, 0}, "order has 3 before 4 at position 4 (expected the stable order of x)");
  expect_text({2, std::nanf(""), 2, 3, 4, 9}, {1, 0, 2, 3, 4, 0}, "x has NaN at position 1 (expected numbers)");
}

void options_and_overlap(ups_context* context) {
  {
    Good g;
    g.options.mode = 2;
    expect(context, g, UPS_VALUE, "mode", "mode is 2 (expected 0 to 1)");
  }
  {
    Good g;
    g.options.mode = -1;
    expect(context, g, UPS_VALUE, "mode", "mode is -1 (expected 0 to 1)");
  }
  {
    Good g;
    g.options.rows = 0;
    expect(context, g, UPS_VALUE, "rows", "rows is 0 (expected at least 1)");
    g.options.rows = INT64_MIN;
    expect(context, g, UPS_VALUE, "rows", "rows is -9223372036854775808 (expected at least 1)");
    g.options.rows = INT64_MAX;
    CHECK(g.call(context) == UPS_OK);
  }
  {
    Good g;
    g.options.flag = 2;
    expect(context, g, UPS_VALUE, "flag", "flag is 2 (expected 0 to 1)");
  }
  {
    Good g;
    g.tensors[y].view.data = g.tensors[x].memory.data();
    expect(context, g, UPS_VALUE, "y", "y shares memory with x (expected memory of its own)");
    g.tensors[y].view.byte_offset = 19 * sizeof(float);  // the last number of x
    expect(context, g, UPS_VALUE, "y", "y shares memory with x (expected memory of its own)");
    g.tensors[y].view.byte_offset = 20 * sizeof(float);  // right behind it
    CHECK(g.call(context) == UPS_OK);
  }
  {
    Good g;
    g.tensors[dx].view.data = g.tensors[y].memory.data();
    expect(context, g, UPS_VALUE, "y", "y shares memory with dx (expected memory of its own)");
  }
  {
    Good g;  // inputs may share
    g.tensors[weight].view.data = g.tensors[x].memory.data();
    CHECK(g.call(context) == UPS_OK);
    CHECK(ups_call(context, ups_operation_find("probe"), g.pointers, arguments, nullptr) == UPS_OK);
  }
}

// Structs of callers that were compiled against other versions of the library, or are no such
// struct.
void sizes_of_options(ups_context* context) {
  constexpr size_t known = sizeof(ProbeOptions);
  struct Longer {
    ProbeOptions now;
    int64_t later[2];
  } options{};
  Good g;
  const auto with = [&](ProbeOptions now, int64_t later = 0) {
    kernel_ran = false;
    options = {now, {0, later}};
    return ups_call(context, ups_operation_find("probe"), g.pointers, arguments, &options);
  };
  const auto sees = [&](ProbeOptions now, int32_t mode, int32_t flag, int64_t rows, int64_t later = 0) {
    return with(now, later) == UPS_OK && seen.mode == mode && seen.flag == flag && seen.rows == rows;
  };
  const auto refused = [&](ProbeOptions now, const std::string& text, int64_t later = 0) {
    CHECK(with(now, later) == UPS_VALUE && !kernel_ran);
    CHECK_TEXT(ups_last_error(context)->argument, "options");
    CHECK_TEXT(ups_last_error(context)->text, text);
  };
  CHECK(sees({known, 1, 1, 7}, 1, 1, 7));
  CHECK(sees({known, 1, 1, 7}, 1, 1, 7, 99));  // what lies behind the struct is not the library's
  CHECK(sees({0, 0, 0, 0}, 0, 0, 1));          // all defaults, not zero rows
  CHECK(ups_call(context, ups_operation_find("probe"), g.pointers, arguments, nullptr) == UPS_OK && seen.rows == 1);
  for (const ProbeOptions& set : {ProbeOptions{0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 5}})
    refused(set, std::string("options.size is 0, which stands for all defaults, but ") +
                     (set.mode   ? "mode"
                      : set.flag ? "flag"
                                 : "rows") +
                     " is set (expected options.size = 24)");
  // Older structs: the fields that they have, and defaults.
  CHECK(sees({offsetof(ProbeOptions, flag), 1, 9, 9}, 1, 0, 1));
  CHECK(sees({offsetof(ProbeOptions, rows), 1, 1, 9}, 1, 1, 1));
  CHECK(sees({offsetof(ProbeOptions, rows), 0, 1, 0}, 0, 1, 1));
  for (const size_t size : {size_t{1}, size_t{7}, size_t{8}, size_t{11}, size_t{13}, size_t{15}, size_t{17}, size_t{23},
                            SIZE_MAX, size_t{4097}})
    refused({size, 1, 1, 7}, "options.size is " + std::to_string(size) +
                                 " (expected 24, the size in this version, or 0 for all defaults)");
  // Newer structs: what this version does not know must be unset.
  CHECK(sees({sizeof options, 1, 0, 3}, 1, 0, 3));
  refused({sizeof options, 1, 0, 3},
          "options.size is 40, and there are values beyond the 24 bytes of this version (expected zeros)", 1);
  // What a field holds is checked in every one of them.
  CHECK(with({offsetof(ProbeOptions, flag), 2, 0, 0}) == UPS_VALUE);
  CHECK_TEXT(ups_last_error(context)->argument, "mode");
}

// Dimensions of what has no elements can be of any size: no kernel walks them.
void nothing_to_write(ups_context* context) {
  Tensor in, out;
  in.set(f32, {int64_t{1} << 57, 0});
  out.set(f32, {int64_t{1} << 57, 0});
  const ups_operation* walks = ups_operation_find("probe_walks");
  const ups_tensor* tensors[] = {&in.view, &out.view, nullptr};
  CHECK(ups_call(context, walks, tensors, 3, nullptr) == UPS_OK);
  CHECK_TEXT(ups_last_variant(context), "reference");
  Tensor rows;  // a result that depends on the rows, of which there is nothing
  rows.set(f64, {1});
  tensors[2] = &rows.view;
  const auto walked = [&] { return ups_call(context, walks, tensors, 3, nullptr) == UPS_OK ? rows.memory[0] : -1; };
  CHECK(walked() == 0);
  for (Tensor* t : {&in, &out}) t->set(f32, {1000, 0});
  CHECK(walked() == 1000);
  for (Tensor* t : {&in, &out}) t->set(f32, {10, 3});
  CHECK(walked() == 10);
}

// The same with operations of the library: what they compute, at once.
void rows_of_nothing(ups_context* context) {
  const auto call = [&](const char* name, const std::vector<std::vector<int64_t>>& shapes,
                        std::vector<Tensor>& tensors) {
    std::vector<const ups_tensor*> pointers;
    tensors = std::vector<Tensor>(shapes.size());
    for (size_t i = 0; i < shapes.size(); ++i) {
      const bool given = shapes[i] != std::vector<int64_t>{-1};
      if (given) tensors[i].set(f32, shapes[i]);
      std::fill(tensors[i].memory.begin(), tensors[i].memory.end(), 421.0);
      pointers.push_back(given ? &tensors[i].view : nullptr);
    }
    return ups_call(context, ups_operation_find(name), pointers.data(), static_cast<int32_t>(shapes.size()), nullptr);
  };
  const int64_t many = int64_t{1} << 57;
  const std::vector<int64_t> none{-1};
  std::vector<Tensor> tensors;
  CHECK(call("linear_forward", {{many, 0}, {0, 0}, none, {many, 0}}, tensors) == UPS_OK);
  CHECK(call("mlp_forward", {{many, 0}, {4, 0}, none, {0, 4}, none, none, none, none, none, {many, 0}}, tensors) ==
        UPS_OK);
  CHECK(call("mlp_backward",
             {{many, 0},
              {4, 0},
              {4},
              {0, 4},
              none,
              none,
              none,
              none,
              none,
              {many, 0},
              none,
              {4, 0},
              {4},
              none,
              none,
              none,
              none,
              none,
              none},
             tensors) == UPS_OK);
  for (int i = 0; i < 4; ++i) CHECK(reinterpret_cast<float*>(tensors[12].memory.data())[i] == 0);
}

void long_texts() {
  Error error;
  const std::string name(80, 'n'), text = std::string(1019, 't') + "\u00fc" + std::string(9, 't');
  CHECK(error.set(UPS_SHAPE, name, "", text) == UPS_SHAPE);
  CHECK_TEXT(error.operation, name.substr(0, 60) + "\u2026");
  CHECK_TEXT(error.text, std::string(1019, 't') + "\u2026");  // no half of a character
  const std::string fits(1023, 't');
  error.set(UPS_OK, "", "", fits);
  CHECK_TEXT(error.text, fits);
}

// What is wrong beyond shapes: said once, in the operation's words.
void validity(ups_context* context) {
  Tensor t[7];  // x, weight0, bias0, weight1, bias1, y, dbias0
  for (Tensor& one : t) one.set(f32, {3});
  const auto call = [&](std::initializer_list<int> given, LimitedOptions options, const char* argument,
                        const std::string& text) {
    const ups_tensor* all[7] = {};
    for (const int i : given) all[i] = &t[i].view;
    options.size = sizeof options;
    const ups_status status = ups_call(context, ups_operation_find("probe_valid"), all, 7, &options);
    CHECK(status == (text.empty() ? UPS_OK : UPS_VALUE));
    if (text.empty()) return;
    CHECK_TEXT(ups_last_error(context)->argument, argument);
    CHECK_TEXT(ups_last_error(context)->text, text);
  };
  const LimitedOptions good{0, 0.5f, 1, 0};
  call({0, 5}, good, "", "");
  call({0, 1, 2, 5, 6}, good, "", "");
  call({0, 1, 5}, {0, 0, 1, 1}, "weight0", "weight0 is given but pool is max (expected sum)");
  call({0, 1, 5, 6}, good, "dbias0", "dbias0 is given but bias0 is not");
  call({0, 4, 5}, good, "bias1", "bias1 is given but weight1 is not");
  call({0, 5}, {0, 1, 1, 0}, "rate", "rate is 1 (expected at least 0, below 1)");
  call({0, 5}, {0, -0.1f, 1, 0}, "rate", "rate is -0.1 (expected at least 0, below 1)");
  call({0, 5}, {0, std::nanf(""), 1, 0}, "rate", "rate is NaN (expected at least 0, below 1)");
  call({0, 5}, {0, 0, 0, 0}, "eps", "eps is 0 (expected above 0)");
  call({0, 5}, {0, 0, 1, 2}, "pool", "pool is 2 (expected 0 to 1)");
}

void whole_calls(ups_context* context) {
  Good g;
  const ups_operation* operation = ups_operation_find("probe");
  CHECK(ups_call(context, operation, g.pointers, 3, nullptr) == UPS_VALUE);
  CHECK_TEXT(ups_last_error(context)->text, "3 tensors were given (expected 11: " + std::string(probe_schema) + ")");
  CHECK(ups_call(context, operation, nullptr, arguments, nullptr) == UPS_VALUE);
  CHECK(ups_call(context, nullptr, g.pointers, arguments, nullptr) == UPS_VALUE);
  CHECK_TEXT(ups_last_error(context)->text, "the operation is null");
  CHECK(ups_call(nullptr, operation, g.pointers, arguments, nullptr) == UPS_VALUE);
  CHECK(ups_operation_find("prob") == nullptr && ups_operation_find(nullptr) == nullptr);

  Tensor in, out;
  const ups_tensor* both[] = {&in.view, &out.view};
  in.set(f32, {2, 3, 4});
  out.set(f32, {2, 3, 4});
  const ups_operation* leading = ups_operation_find("probe_leading");
  CHECK(ups_call(context, leading, both, 2, nullptr) == UPS_OK);
  out.set(f32, {5, 4});
  CHECK(ups_call(context, leading, both, 2, nullptr) == UPS_SHAPE);
  CHECK_TEXT(ups_last_error(context)->text,
             "y is [5, 4] but x is [2, 3, 4], which has other leading dimensions (expected y [..., K])");
  in.set(f64, {4});
  out.set(f64, {4});
  CHECK(ups_call(context, leading, both, 2, nullptr) == UPS_UNSUPPORTED);
  CHECK_TEXT(ups_last_error(context)->text, "there is no reference variant of this operation in float64");

  in.set(f32, {4});
  out.set(f32, {4});
  CHECK(ups_call(context, ups_operation_find("probe_failing"), both, 2, nullptr) == UPS_INTERNAL);
  CHECK_TEXT(ups_last_error(context)->text, "a defect of the library");
  CHECK_TEXT(ups_last_error(context)->operation, "probe_failing");
#if !defined(__SANITIZE_ADDRESS__)  // which takes a refused allocation for a fault
  CHECK(ups_call(context, ups_operation_find("probe_hungry"), both, 2, nullptr) == UPS_OUT_OF_MEMORY);
  CHECK_TEXT(ups_last_error(context)->text, "out of memory: 1.15 EB of workspace could not be allocated");
#endif
}

void contexts() {
  const auto refused = [](ups_context_options options, ups_status status, const std::string& text) {
    options.size = sizeof options;
    ups_context* context = nullptr;
    CHECK(ups_context_create(&options, &context) == status && !context);
    CHECK_TEXT(ups_last_error(nullptr)->text, text);
  };
  refused({0, {}, 5000, 0, nullptr}, UPS_VALUE, "threads is 5000 (expected -1 to 4096)");
  refused({0, {}, 1, 3, nullptr}, UPS_VALUE, "precision is 3 (expected 0, 1 or 2)");
  refused({0, {}, 1, 0, "mmx"}, UPS_VALUE,
          "unknown variant mmx (expected reference, baseline, avx2, lanes16, avx512 or cuda)");
  refused({0, {}, 1, 0, "cuda"}, UPS_DEVICE, "cuda is asked for, but the context is on the CPU");
  refused({0, {77, 0}, 1, 0, nullptr}, UPS_DEVICE, "there is no such kind of device");
  CHECK(ups_context_create(nullptr, nullptr) == UPS_VALUE);

  // Of any version. The thread count is wrong, which shows whether it was read.
  const auto with_size = [](size_t size, const std::string& text) {
    struct {
      ups_context_options now;
      int64_t later;
    } options{{size, {}, -7, 0, nullptr}, size > 100 ? 1 : 0};
    ups_context* context = nullptr;
    CHECK(ups_context_create(&options.now, &context) == (text.empty() ? UPS_OK : UPS_VALUE));
    if (!text.empty()) CHECK_TEXT(ups_last_error(nullptr)->text, text);
    ups_context_destroy(context);
  };
  const std::string read = "threads is -7 (expected -1 to 4096)";
  for (const size_t size : {size_t{0}, size_t{20}, size_t{24}, size_t{32}, size_t{40}}) with_size(size, read);
  for (const size_t size : {size_t{8}, size_t{16}}) with_size(size, "");
  for (const size_t size : {size_t{1}, size_t{12}, size_t{18}, size_t{31}, SIZE_MAX})
    with_size(size, "options.size is " + std::to_string(size) + " (expected 32, the size in this version)");

  setenv("UPSILON_FORCE", "baseline", 1);
  ups_context_options options{sizeof options, {}, 1, 0, "reference"};
  ups_context* context = nullptr;
  CHECK(ups_context_create(&options, &context) == UPS_OK);
  unsetenv("UPSILON_FORCE");
  Good g;
  expect(context, g, UPS_UNSUPPORTED, "", "there is no baseline variant of this operation");
  CHECK_TEXT(ups_last_variant(context), "baseline");
  refused({0, {}, -7, 0, nullptr}, UPS_VALUE, "threads is -7 (expected -1 to 4096)");
  CHECK(ups_set_threads(context, 5000) == UPS_VALUE && ups_set_threads(context, -2) == UPS_VALUE);
  CHECK(ups_set_threads(context, -1) == UPS_OK && ups_set_threads(nullptr, 1) == UPS_VALUE);
  ups_context_destroy(context);
  ups_context_destroy(nullptr);
}

void strategies() {
  const auto create = [](const char* name) {
    setenv("UPSILON_STRATEGY", name, 1);
    ups_context* context = nullptr;
    (void)ups_context_create(nullptr, &context);
    unsetenv("UPSILON_STRATEGY");
    return context;
  };
  const auto call = [](ups_context* context, const char* operation, int64_t elements) {
    Tensor of_x, of_y;
    of_x.set(f32, {elements});
    of_y.set(f32, {elements});
    const ups_tensor* both[] = {&of_x.view, &of_y.view};
    return ups_call(context, ups_operation_find(operation), both, 2, nullptr);
  };
  CHECK(!create("probe_none"));
  const ups_error* error = ups_last_error(nullptr);
  CHECK(error->status == UPS_VALUE && std::strcmp(error->argument, "UPSILON_STRATEGY") == 0);
  CHECK(std::strstr(error->text, "unknown strategy probe_none") && std::strstr(error->text, "probe_any, probe_few"));

  ups_context* const free = make_context();
  CHECK(call(free, "probe_strategic", 9) == UPS_OK);
  CHECK_TEXT(free->last_strategy, "probe_any");
  ups_context_destroy(free);

  ups_context* const forced = create("probe_few");
  CHECK(call(forced, "probe_strategic", 4) == UPS_OK);
  CHECK_TEXT(forced->last_strategy, "probe_few");
  CHECK(call(forced, "probe_strategic", 9) == UPS_UNSUPPORTED);
  CHECK_TEXT(ups_last_error(forced)->operation, "probe_strategic");
  CHECK_TEXT(ups_last_error(forced)->text, "the strategy probe_few does not support these sizes and options");
  CHECK(call(forced, "probe_finite", 9) == UPS_OK);  // has no strategies
  CHECK_TEXT(forced->last_strategy, "");
  ups_context_destroy(forced);
}

// Calls spoilt at random: a status and a named argument each time, never more. Run under
// AddressSanitizer too.
void spoilt_at_random(ups_context* context) {
  uint64_t bits = 1;
  const auto below = [&](uint64_t bound) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>((bits >> 33) % bound);
  };
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    Good g;
    for (int64_t spoils = below(3); spoils >= 0; --spoils) {
      const int which = static_cast<int>(below(arguments));
      Tensor& t = g.tensors[which];
      switch (below(8)) {
        case 0: g.pointers[which] = nullptr; break;
        case 1: t.view.data = nullptr; break;
        case 2:
          if (!t.shape.empty()) t.shape[static_cast<size_t>(below(t.shape.size()))] = below(7) - 1;
          break;
        case 3: t.view.dtype = below(2) ? f64 : i32; break;
        case 4: t.view.ndim = static_cast<int32_t>(below(3)); break;
        case 5: t.ints()[below(4)] = static_cast<int32_t>(below(9)) - 3; break;
        case 6: t.view.device.type = static_cast<int32_t>(below(13)); break;
        default: t.view.byte_offset = static_cast<uint64_t>(below(9)); break;
      }
      t.view.ndim = std::min<int32_t>(t.view.ndim, static_cast<int32_t>(t.shape.size()));
    }
    const ups_status status = g.call(context);
    if (status == UPS_OK) continue;
    ++refused;
    const ups_error* error = ups_last_error(context);
    const bool named = error->status == status && std::strcmp(error->operation, "probe") == 0 && *error->argument &&
                       *error->text && mentions_argument(context);
    if (!named || kernel_ran) CHECK(named && !kernel_ran);
  }
  CHECK(refused > 10000);
}

void copies(ups_context* context) {
  const float source[6] = {1, 2, 3, 4, 5, 6};
  float destination[6] = {};
  int64_t rows[2] = {2, 3}, columns[2] = {3, 2};
  const ups_tensor from{const_cast<float*>(source), {UPS_CPU, 0}, 2, {UPS_FLOAT, 32, 1}, rows, nullptr, 0};
  ups_tensor to = from;
  to.data = destination;
  CHECK(ups_copy(context, &from, &to) == UPS_OK && std::equal(source, source + 6, destination));
  to.shape = columns;
  CHECK(ups_copy(context, &from, &to) == UPS_SHAPE);
  CHECK_TEXT(ups_last_error(context)->text, "destination is [3, 2] (expected [2, 3])");
  to.ndim = 1;
  CHECK(ups_copy(context, &from, &to) == UPS_SHAPE);
  to = from;
  to.dtype.bits = 64;
  CHECK(ups_copy(context, &from, &to) == UPS_DTYPE);
  CHECK(ups_copy(context, &from, nullptr) == UPS_VALUE && ups_copy(context, nullptr, &to) == UPS_VALUE);
}

}  // namespace

int main() {
  unsetenv("UPSILON_FORCE");
  unsetenv("UPSILON_STRATEGY");
  ups_context* context = make_context();
  presence_and_layout(context);
  names_in_texts(context);
  dtypes(context);
  shapes(context);
  contents(context);
  numbers_that_are_not_finite(context);
  orders(context);
  options_and_overlap(context);
  sizes_of_options(context);
  nothing_to_write(context);
  rows_of_nothing(context);
  long_texts();
  validity(context);
  whole_calls(context);
  contexts();
  strategies();
  copies(context);
  spoilt_at_random(context);
  ups_context_destroy(context);
  return finish_checks();
}
