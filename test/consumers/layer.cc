// A C++20 program that uses the header-only interface: views, blocks, calls, exceptions.
#include <upsilon/ops.h>

#include <cmath>
#include <cstdio>
#include <upsilon/upsilon.hpp>
#include <utility>
#include <vector>

namespace {

int failures = 0;
void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  ++failures;
}

void layer() {
  const std::vector<float> particles{1.0f, 0.87f, 0.5f, 0.48f, 0.3f, 0.3f};  // energy and momentum {GeV}
  const std::vector<float> weights{1.0f, -1.0f, 1.0f, 1.0f};
  const upsilon::context ctx({.threads = 2});
  const auto x = upsilon::view(particles, {3, 2}), weight = upsilon::view(weights, {2, 2});
  upsilon::tensor y = ctx.empty<float>({3, 2});
  ctx(ups_linear_forward, x, weight, nullptr, y, ups_linear_options{.activation = UPS_ACTIVATION_RELU});
  expect(std::abs(y.span<float>()[0] - 0.13f) < 1e-6f, "E - p of the kaon is 0.13");
  expect(std::abs(y.span<float>()[1] - 1.87f) < 1e-6f, "E + p of the kaon is 1.87");
  expect(!ctx.last_variant().empty(), "the variant that ran has a name");

  const upsilon::tensor again = ctx.empty<float>({3, 2});
  ctx(ups_linear_forward, x, weight, nullptr, again);
  expect(again.span<float>()[1] == y.span<float>()[1], "options may be left out");
  const ups_tensor* const tensors[] = {x.get(), weight.get(), nullptr, again.get()};
  ctx("linear_forward", tensors);
  expect(again.span<float>()[1] == y.span<float>()[1], "a call by name gives the same");
}

void tensors_share_their_block() {
  const upsilon::context ctx;
  expect(ups_count().blocks == 0, "no block before");
  {
    upsilon::tensor kept = ctx.empty<int32_t>({4});
    const upsilon::tensor copy = kept;
    upsilon::tensor moved = std::move(kept);
    moved.span<int32_t>()[3] = 421;
    kept = ctx.empty<int32_t>({2, 3, 5});
    expect(copy.span<int32_t>()[3] == 421, "copies share the memory");
    expect(kept.size() == 30 && kept.shape()[2] == 5, "an assigned tensor has its own shape");
    expect(ups_count().blocks == 2, "two blocks are alive");
  }
  expect(ups_count().blocks == 0, "no block after");
}

void failures_are_thrown() {
  const upsilon::context ctx;
  const std::vector<float> values(6);
  const auto x = upsilon::view(values, {3, 2}), weight = upsilon::view(values, {2, 3});
  upsilon::tensor y = ctx.empty<float>({3, 2});
  try {
    ctx(ups_linear_forward, x, weight, nullptr, y);
    expect(false, "shapes that do not fit are refused");
  } catch (const upsilon::error& e) {
    expect(e.status() == UPS_SHAPE && e.operation() == "linear_forward" && e.argument() == "weight",
           "the error names operation and argument");
  }
  const auto refused = [](auto&& attempt) {
    try {
      attempt();
    } catch (const upsilon::error&) {
      return true;
    }
    return false;
  };
  expect(refused([&] { upsilon::view(values, {7}); }), "a view is not larger than its memory");
  expect(refused([&] { upsilon::view(values, {-6, -1}); }), "no negative dimension");
  expect(refused([&] { ctx.empty<float>({INT64_MAX, 2}); }), "no product beyond the address space");
  expect(refused([&] { y.span<double>(); }), "no other element type");
  expect(refused([&] { ctx("no_such_operation", {}); }), "no unknown operation");
  expect(refused([&] { ctx.map_file("/no/such/file"); }), "no missing file");
  expect(refused([&] { upsilon::context(upsilon::context_options{.device = {99, 0}}); }), "no unknown device");
}

}  // namespace

int main() {
  layer();
  tensors_share_their_block();
  failures_are_thrown();
  expect(upsilon::devices().front().device.type == UPS_CPU, "the processor is the first device");
  std::printf("C++20 program, libupsilon %s: %d failures\n", ups_version(), failures);
  return failures != 0;
}
