// A context's threads: fixed tasks handed out one by one. What a task computes never depends on how
// many threads there are, so results keep their bits.
#pragma once
#include <cstdint>
#include <type_traits>

namespace upsilon {

class Threads {
 public:
  explicit Threads(int32_t count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  // How many workers may run tasks at once (the caller is worker 0).
  int32_t count() const { return count_; }
  void resize(int32_t count);

  // Calls task(index, worker) for index in [0, tasks), each once, and returns when all are done.
  // `worker` < count() tells tasks which share of a per-worker scratch area is theirs. Tasks must
  // not throw. A task is compiled once, as a function: a loop of its own for one worker would be a
  // second copy of every kernel.
  template <class Task>
  void run(int64_t tasks, Task&& task) {
    using Body = std::remove_reference_t<Task>;
    run_erased(
        tasks, [](void* body, int64_t index, int32_t worker) { (*static_cast<Body*>(body))(index, worker); },
        const_cast<void*>(static_cast<const void*>(&task)));
  }

 private:
  struct Pool;
  using Erased = void (*)(void* body, int64_t index, int32_t worker);
  void forget_parents_pool();
  void run_erased(int64_t tasks, Erased task, void* body);

  int32_t count_;
  Pool* pool_ = nullptr;  // owned; started at the first parallel call
};

}  // namespace upsilon
