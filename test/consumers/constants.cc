// Constants are inputs, never outputs. run.sh compiles this as it is, and expects each WRONG_ line
// not to compile.
#include <upsilon/ops.h>

#include <upsilon/upsilon.hpp>
#include <vector>

static_assert(noexcept(ups_context_create(nullptr, nullptr)));
static_assert(noexcept(ups_linear_forward(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr)));

int main() {
  std::vector<float> values(4);
  const std::vector<float> constants(4);
  const upsilon::context ctx;
  ctx(ups_linear_forward, upsilon::view(constants, {2, 2}), upsilon::view(constants, {2, 2}), nullptr,
      upsilon::view(values, {2, 2}));
  upsilon::const_tensor either = upsilon::view(values);
  either = upsilon::view(constants);
  upsilon::tensor result = upsilon::view(values);
#if defined(WRONG_OUTPUT)
  ctx(ups_linear_forward, result, result, nullptr, upsilon::view(constants, {2, 2}));
#elif defined(WRONG_ASSIGNMENT)
  result = upsilon::view(constants);
#elif defined(WRONG_ELEMENT)
  upsilon::view(constants).span<float>()[0] = 1;
#endif
  return upsilon::view(constants).span<float>()[0] == result.span<float>()[0] ? 0 : 1;
}
