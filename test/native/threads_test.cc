// Threads of a context: every task once, the same bits for any number of threads, and life after a
// fork.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "core/cores.h"
#include "core/operation.h"
#include "core/threads.h"
#include "support/check.h"
#include "upsilon/upsilon.h"

using namespace upsilon;

namespace {

constexpr int64_t chunk = 64;

// Sums of fixed chunks, added in order: what kernels do.
ups_status sum_of_sines(const Call& call) {
  const float* x = call.data<const float>(0);
  float* y = call.data<float>(1);
  call.threads->run(call.dims[0] / chunk, [&](int64_t task, int32_t worker) {
    if (worker >= call.threads->count()) std::abort();
    float sum = 0;
    for (int64_t i = 0; i < chunk; ++i) sum += std::sin(x[task * chunk + i]);
    y[task] = sum;
  });
  return UPS_OK;
}
const OperationEntry probe_entry{{"probe", "x: real[N] -> y: real[M]"}, 0, {sum_of_sines}, {}};

struct Probe {
  std::vector<float> x = std::vector<float>(200 * chunk), y = std::vector<float>(200);
  Probe() {
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) * 0.37f;
  }
  bool run(ups_context* context) {
    int64_t x_shape = static_cast<int64_t>(x.size()), y_shape = static_cast<int64_t>(y.size());
    std::fill(y.begin(), y.end(), NAN);
    ups_tensor in{x.data(), {UPS_CPU, 0}, 1, {UPS_FLOAT, 32, 1}, &x_shape, nullptr, 0};
    ups_tensor out{y.data(), {UPS_CPU, 0}, 1, {UPS_FLOAT, 32, 1}, &y_shape, nullptr, 0};
    const ups_tensor* tensors[] = {&in, &out};
    return ups_call(context, ups_operation_find("probe"), tensors, 2, nullptr) == UPS_OK;
  }
};

ups_context* make_context(int32_t threads) {
  ups_context_options options{};
  options.size = sizeof options;
  options.threads = threads;
  options.variant = "reference";
  ups_context* context = nullptr;
  CHECK(ups_context_create(&options, &context) == UPS_OK);
  return context;
}

void every_task_once() {
  for (const int32_t count : {1, 2, 3, 8}) {
    Threads threads(count);
    CHECK(threads.count() == count);
    for (const int64_t tasks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(tasks));
      std::atomic<bool> worker_in_range{true};
      threads.run(tasks, [&](int64_t task, int32_t worker) {
        ++seen[static_cast<size_t>(task)];
        if (worker < 0 || worker >= count) worker_in_range = false;
      });
      bool once = true;
      for (const auto& times : seen) once = once && times == 1;
      CHECK(once && worker_in_range);
    }
  }
}

// Jobs that follow each other at once, and jobs after the workers have gone to sleep.
void many_jobs() {
  Threads threads(4);
  int64_t total = 0;
  for (int job = 0; job < 3000; ++job) {
    std::atomic<int64_t> sum{0};
    threads.run(5, [&](int64_t task, int32_t) { sum += task; });
    total += sum;
    if (job % 1000 == 0) usleep(2000);
  }
  CHECK(total == 3000 * 10);
}

void the_same_bits() {
  Probe one;
  ups_context* context = make_context(1);
  CHECK(one.run(context));
  for (const int32_t count : {2, 5, 3, 1, 2}) {  // the pool is replaced each time
    Probe other;
    CHECK(ups_set_threads(context, count) == UPS_OK);
    CHECK(other.run(context));
    CHECK(other.run(context));
    CHECK(other.y == one.y);
  }
  ups_context_destroy(context);
}

// Runs in a child and returns whether it ended well in time.
template <class Child>
bool in_child(Child&& child) {
  const pid_t id = fork();
  if (id == 0) {
    alarm(20);  // a child that hangs is killed
    _exit(child() ? 0 : 1);
  }
  int status = 0;
  return waitpid(id, &status, 0) == id && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

[[maybe_unused]] void after_a_fork() {
  Probe parent;
  ups_context* context = make_context(3);
  CHECK(parent.run(context));  // starts the pool
  CHECK(in_child([&] {
    Probe child;
    const bool ran = child.run(context) && child.run(context);
    ups_context_destroy(context);
    return ran && child.y == parent.y;
  }));
  CHECK(in_child([&] {  // unused
    ups_context_destroy(context);
    return true;
  }));
  CHECK(in_child([&] {
    Probe child;
    return ups_set_threads(context, 2) == UPS_OK && child.run(context) && child.y == parent.y;
  }));
  CHECK(in_child([&] {  // a grandchild
    Probe child;
    const bool ran_in_child = child.run(context);
#if defined(__SANITIZE_ADDRESS__)
    usleep(200000);  // a fork while a thread starts copies AddressSanitizer's lock in its locked state
#endif
    return ran_in_child && in_child([&] {
             Probe grandchild;
             const bool ran = grandchild.run(context);
             ups_context_destroy(context);
             return ran && grandchild.y == parent.y;
           });
  }));
  CHECK(in_child([&] {  // a context of its own
    Probe child;
    ups_context* own = make_context(2);
    const bool ran = child.run(own);
    ups_context_destroy(own);
    return ran && child.y == parent.y;
  }));
  Probe again;
  CHECK(again.run(context) && again.y == parent.y);
  ups_context_destroy(context);
}

}  // namespace

int main() {
  unsetenv("UPSILON_FORCE");
  every_task_once();
  many_jobs();
  the_same_bits();
#if !defined(__SANITIZE_THREAD__)  // which takes a child's threads for its parent's
  after_a_fork();
#endif
  CHECK(available_cores() >= 1);
  return finish_checks();
}
