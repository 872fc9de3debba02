// A context that a second thread enters while a call runs: UPS_BUSY at once, and nothing of the
// first thread is touched. Run under ThreadSanitizer too.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <thread>
#include <vector>

#include "core/operation.h"
#include "support/check.h"
#include "upsilon/upsilon.h"

using namespace upsilon;

namespace {

std::atomic<bool> inside{false}, may_leave{false};

const OperationEntry waiting_entry{{"probe_waits", "x: real[N] -> y: real[N]"},
                                   0,
                                   {[](const Call&) {
                                     inside = true;
                                     while (!may_leave) std::this_thread::yield();
                                     return UPS_OK;
                                   }},
                                   {}};

struct Vectors {
  float in[64], out[64];
  int64_t shape[2] = {8, 8};
  ups_tensor x{in, {UPS_CPU, 0}, 2, {UPS_FLOAT, 32, 1}, shape, nullptr, 0};
  ups_tensor y{out, {UPS_CPU, 0}, 2, {UPS_FLOAT, 32, 1}, shape, nullptr, 0};

  explicit Vectors(float value) {
    for (float& number : in) number = value;
  }
  ups_status wait(ups_context* context, const ups_operation* operation) {
    ups_tensor one = x, other = y;
    one.ndim = other.ndim = 1;
    const ups_tensor* tensors[] = {&one, &other};
    return ups_call(context, operation, tensors, 2, nullptr);
  }
  ups_status multiply(ups_context* context, const ups_operation* linear) {
    const ups_tensor* tensors[] = {&x, &x, nullptr, &y};
    return ups_call(context, linear, tensors, 4, nullptr);
  }
};

ups_context* make_context(int32_t threads) {
  ups_context_options options;
  options.threads = threads;
  ups_context* context = nullptr;
  CHECK(ups_context_create(&options, &context) == UPS_OK);
  return context;
}

void refused_at_once() {
  ups_context* context = make_context(1);
  const ups_operation* waits = ups_operation_find("probe_waits");
  CHECK(ups_call(context, waits, nullptr, 0, nullptr) == UPS_VALUE);  // an error that is to survive
  const std::string first_error = ups_last_error(context)->text;
  std::thread first([&] {
    Vectors v(1);
    CHECK(v.wait(context, waits) == UPS_OK);
    inside = true;  // if it never was
    CHECK(ups_last_error(context)->status == UPS_VALUE && first_error == ups_last_error(context)->text);
  });
  while (!inside) std::this_thread::yield();
  Vectors v(1);
  ups_block* block = nullptr;
  CHECK(v.wait(context, waits) == UPS_BUSY);
  CHECK(ups_call(context, nullptr, nullptr, 0, nullptr) == UPS_BUSY);
  CHECK(ups_set_threads(context, -5) == UPS_BUSY && ups_set_precision(context, UPS_FP32) == UPS_BUSY);
  CHECK(ups_synchronize(context) == UPS_BUSY && ups_copy(context, &v.x, &v.y) == UPS_BUSY);
  CHECK(ups_block_create(context, {UPS_CPU, 0}, 8, &block) == UPS_BUSY && !block);
  CHECK(ups_block_map_file(context, "/", &block) == UPS_BUSY);
  CHECK(ups_tensor_from_arrow(context, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) == UPS_BUSY);
  CHECK(ups_tensor_to_arrow(context, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) == UPS_BUSY);
  const ups_error* error = ups_last_error(context);
  CHECK(error->status == UPS_BUSY);
  CHECK_TEXT(error->text, "the context is in use on another thread");
  CHECK_TEXT(error->argument, "context");
  ups_context* another = make_context(1);
  CHECK(ups_set_threads(another, -5) == UPS_VALUE && ups_last_error(another)->status == UPS_VALUE);
  ups_context_destroy(another);
  may_leave = true;
  first.join();
  CHECK(ups_last_error(context)->status == UPS_BUSY);  // until it is let in
  CHECK(ups_set_threads(context, -5) == UPS_VALUE);
  CHECK_TEXT(ups_last_error(context)->text, "threads is -5 (expected -1 to 4096)");
  ups_context_destroy(context);
  CHECK(ups_set_threads(nullptr, 1) == UPS_VALUE);
  CHECK_TEXT(ups_last_error(nullptr)->text, "context is null");
}

void hammered() {
  ups_context* context = make_context(2);
  const ups_operation* linear = ups_operation_find("linear_forward");
  std::atomic<int> done{0}, refused{0}, wrong{0};
  const auto hammer = [&](float value) {
    Vectors v(value);
    for (int call = 0; call < 20000; ++call) {
      v.out[63] = 0;
      // Every tenth call is a wrong one, so that errors are written and read as well.
      v.x.ndim = call % 10 == 0 ? 1 : 2;
      const ups_status status = v.multiply(context, linear);
      if (status == UPS_BUSY) {
        ++refused;
        wrong += ups_last_error(context)->status != UPS_BUSY || v.out[63] != 0;
      } else {
        ++done;
        wrong += v.x.ndim == 1 ? status != UPS_SHAPE : status != UPS_OK || v.out[63] != 8 * value * value;
      }
      (void)ups_last_variant(context);
    }
  };
  std::thread other(hammer, 2.0f);
  hammer(3.0f);
  other.join();
  CHECK(wrong == 0 && done > 0 && done + refused == 40000);
  std::printf("%d calls, %d of two threads were refused\n", done.load(), refused.load());
  ups_context_destroy(context);
}

}  // namespace

int main() {
  unsetenv("UPSILON_FORCE");
  refused_at_once();
  hammered();
  return finish_checks();
}
