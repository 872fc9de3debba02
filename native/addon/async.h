// Calls that run off the JavaScript thread: one after the other in the order they were made, so that a call may use the
// outputs of an earlier one, and on at most one thread of libuv's pool, so that files and timers keep theirs.
#pragma once
#include <node_api.h>

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "thread_state.h"

namespace upsilon::addon {

struct Job {
  Invocation invocation;
  std::vector<napi_ref> pins;  // typed arrays, kept alive until the call is over
  napi_deferred deferred = nullptr;
  Failure failure;

  Job() = default;
  ~Job();
};

class AsyncQueue {
 public:
  explicit AsyncQueue(ThreadState& state) : state_(state) {}

  // Returns a promise, or null with an exception pending.
  napi_value add(napi_env env, std::unique_ptr<Job> job);

 private:
  // Short calls are worth no trip to the event loop each; a long one should settle its promise when it is done.
  static constexpr std::chrono::microseconds batch_time{1000};

  static void execute(napi_env env, void* queue);
  static void complete(napi_env env, napi_status status, void* queue);
  void start(napi_env env);
  void run(Job& job);
  bool settle(napi_env env, Job& job);

  ThreadState& state_;
  Contexts contexts_;  // a context is for one thread at a time: these are the queue's own
  int32_t threads_ = 0;
  std::deque<std::unique_ptr<Job>> waiting_, running_;
  size_t done_ = 0;  // of running_
  napi_async_work work_ = nullptr;
};

}  // namespace upsilon::addon
