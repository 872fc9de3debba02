// Calls that run off the JavaScript thread: one after the other in the order they were made, so
// that a call may use the outputs of an earlier one, and on at most one thread of libuv's pool, so
// that files and timers keep theirs.
//
// While such a call is under way, JavaScript goes on and may transfer, shrink or forget the arrays
// that it gave, and Node-API cannot keep their memory in place. So the kernels work on memory of
// the call's own: what was in an array is copied when the call is made, and results are copied into
// their array on the JavaScript thread when it ends, if the array still has room. Blocks of the
// library (also mapped files) are retained instead, and shared memory, which can neither shrink nor
// go away, is used where it is.
#pragma once
#include <node_api.h>

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "thread_state.h"

namespace upsilon::addon {

// Memory that stands in for a typed array during a call.
struct Scratch {
  char* data = nullptr;
  size_t bytes = 0;
  bool written = false;  // by a call that succeeded

  explicit Scratch(size_t size);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
};

struct Job {
  // Results of an earlier call that are not in their array yet, on their way into an input of this
  // one.
  struct Passage {
    std::shared_ptr<const Scratch> from;
    size_t from_offset;
    char* to;
    size_t bytes;
  };
  // An output in memory of JavaScript: where it is computed, and where it belongs.
  struct Result {
    std::shared_ptr<Scratch> memory;
    napi_ref array;
    size_t byte_offset;  // inside the array
    size_t begin;  // inside the ArrayBuffer
    int parameter;
  };

  Invocation invocation;
  std::vector<std::shared_ptr<Scratch>> scratch;
  std::vector<Passage> passages;
  std::vector<Result> results;
  std::vector<napi_ref> pins;  // arrays on shared memory, kept alive until the call is over
  napi_deferred deferred = nullptr;
  Failure failure;

  Job() = default;
  ~Job();
  void release_references(napi_env env);
  bool fail(int parameter, ups_status status, const std::string& message);
};

class AsyncQueue {
 public:
  explicit AsyncQueue(ThreadState& state) : state_(state) {}

  // Makes the job independent of the typed arrays that it was read from. False with job->failure
  // set.
  bool detach(napi_env env, const napi_value* arrays, Job* job) const;
  // Returns a promise, or null with an exception pending.
  napi_value add(napi_env env, std::unique_ptr<Job> job);

 private:
  // Short calls are worth no trip to the event loop each; a long one should settle its promise when
  // it is done.
  static constexpr std::chrono::microseconds batch_time{1000};

  static void execute(napi_env env, void* queue);
  static void complete(napi_env env, napi_status status, void* queue);
  void start(napi_env env);
  void run(Job& job);
  bool settle(napi_env env, Job& job);
  void receive_pending(napi_env env, napi_value buffer, size_t begin, size_t bytes, char* to, Job* job) const;
  static void deliver(napi_env env, Job& job);

  ThreadState& state_;
  Contexts contexts_;  // a context is for one thread at a time: these are the queue's own
  int32_t threads_ = 0, precision_ = 0;
  std::deque<std::unique_ptr<Job>> waiting_, running_;
  size_t done_ = 0;  // of running_
  napi_async_work work_ = nullptr;
};

}  // namespace upsilon::addon
