#include "threads.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(_WIN32)
#include <process.h>
#define ups_getpid _getpid
#else
#include <unistd.h>
#define ups_getpid getpid
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace upsilon {
namespace {

void pause_briefly() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#endif
}

// How long a worker looks for new work before it sleeps. Kernels of one network follow each other
// within some microseconds, and waking a sleeping thread costs 5 to 50: about 20 us of looking
// bridges the gap.
constexpr int spins_before_sleep = 2000;

}  // namespace

struct Threads::Pool {
  const decltype(ups_getpid()) owner = ups_getpid();
  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<bool> stop{false};
  std::atomic<int32_t> sleepers{0};

  // One word says everything about the present job: its number, whether workers may still join it,
  // and how many have. A worker that wakes too late does not join, so the caller never waits for a
  // sleeper.
  static constexpr uint64_t open = uint64_t{1} << 31, joined = open - 1;
  std::atomic<uint64_t> job{0};
  static uint64_t number(uint64_t word) { return word >> 32; }

  // Written by the caller before the job opens.
  Erased task = nullptr;
  void* body = nullptr;
  int64_t tasks = 0;
  std::atomic<int64_t> next{0};

  void work_off(int32_t worker) {
    for (int64_t index = next.fetch_add(1); index < tasks; index = next.fetch_add(1)) task(body, index, worker);
  }

  void worker_main(int32_t worker) {
    uint64_t seen = 0;
    while (!stop) {
      for (int spins = 0; number(job.load(std::memory_order_acquire)) == seen && spins < spins_before_sleep; ++spins)
        pause_briefly();
      if (number(job.load(std::memory_order_acquire)) == seen) {
        std::unique_lock lock(mutex);
        ++sleepers;
        wake.wait(lock, [&] { return number(job.load()) != seen || stop; });
        --sleepers;
      }
      uint64_t word = job.load(std::memory_order_acquire);
      seen = number(word);
      while ((word & open) && !job.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel))
        seen = number(word);
      seen = number(word);
      if (!(word & open)) continue;
      work_off(worker);
      job.fetch_sub(1, std::memory_order_release);
    }
  }

  // If the machine refuses more threads, the call computes with those it got; if memory was short,
  // only this job does.
  bool short_of_memory = false;

  explicit Pool(int32_t count) noexcept {
    try {
      workers.reserve(static_cast<size_t>(count - 1));
      for (int32_t worker = 1; worker < count; ++worker) workers.emplace_back([this, worker] { worker_main(worker); });
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
      short_of_memory = true;
    }
  }

  ~Pool() {
    {
      std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  void run(int64_t count, Erased body_call, void* body_data) {
    task = body_call;
    body = body_data;
    tasks = count;
    next.store(0, std::memory_order_relaxed);
    job.store(((number(job.load(std::memory_order_relaxed)) + 1) << 32) | open, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst) > 0) {
      {
        std::lock_guard lock(mutex);
      }  // a worker between its last look and its sleep must not miss the call
      wake.notify_all();
    }
    work_off(0);
    job.fetch_and(~open, std::memory_order_acq_rel);
    for (int spins = 0; (job.load(std::memory_order_acquire) & joined) != 0; ++spins)
      spins < spins_before_sleep ? pause_briefly() : std::this_thread::yield();
  }
};

Threads::Threads(int32_t count) : count_(count < 1 ? 1 : count) {}
Threads::~Threads() {
  forget_parents_pool();
  delete pool_;
}

// After a fork only the forking thread lives on: the parent's workers are gone and its mutex may be
// in any state, so the child leaves that pool alone (a few hundred bytes, once per fork) and starts
// its own.
void Threads::forget_parents_pool() {
  if (pool_ && pool_->owner != ups_getpid()) pool_ = nullptr;
}

void Threads::resize(int32_t count) {
  if (count < 1) count = 1;
  if (count == count_) return;
  forget_parents_pool();
  delete pool_;
  pool_ = nullptr;
  count_ = count;
}

void Threads::run_erased(int64_t tasks, Erased task, void* body) {
  if (tasks > 1 && count_ > 1) {
    forget_parents_pool();
    if (!pool_) pool_ = new (std::nothrow) Pool(count_);
    if (pool_) {
      pool_->run(tasks, task, body);
      if (!pool_->short_of_memory) return;
      delete pool_;  // the next job tries again
      pool_ = nullptr;
      return;
    }
  }
  for (int64_t index = 0; index < tasks; ++index) task(body, index, 0);
}

}  // namespace upsilon
