#include "async.h"

#include "context.h"

namespace upsilon::addon {

Job::~Job() {
  for (ups_block* block : invocation.blocks) ups_block_release(block);
}

napi_value AsyncQueue::add(napi_env env, std::unique_ptr<Job> job) {
  napi_value promise = nullptr;
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok) return nullptr;
  waiting_.push_back(std::move(job));
  if (!work_) start(env);
  return promise;
}

void AsyncQueue::start(napi_env env) {
  running_.swap(waiting_);
  done_ = 0;
  threads_ = state_.threads;
  napi_value name;
  if (napi_create_string_utf8(env, "upsilon", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, nullptr, name, execute, complete, this, &work_) != napi_ok ||
      napi_queue_async_work(env, work_) != napi_ok) {
    for (auto& job : running_) job->failure = {UPS_OUT_OF_MEMORY, "", "", "no asynchronous work could be started"};
    for (auto& job : running_) settle(env, *job);
    running_.clear();
    work_ = nullptr;
  }
}

// On a thread of libuv's pool. Only running_, done_ and contexts_ are touched, and by nobody else meanwhile.
void AsyncQueue::execute(napi_env, void* data) {
  auto& queue = *static_cast<AsyncQueue*>(data);
  const auto end = std::chrono::steady_clock::now() + batch_time;
  do queue.run(*queue.running_[queue.done_++]);
  while (queue.done_ < queue.running_.size() && std::chrono::steady_clock::now() < end);
}

void AsyncQueue::run(Job& job) {
  ups_context* context = contexts_.get(job.invocation.device, threads_, &job.failure);
  if (!context) return;
  (void)ups_set_threads(context, threads_);
  if (!job.invocation.take_snapshots(true)) {
    job.failure = {UPS_OUT_OF_MEMORY, "", "", "memory is exhausted"};
    return;
  }
  ups_status status = job.invocation.run(context);
  if (status == UPS_OK) status = ups_synchronize(context);  // a promise is kept when the result is there
  if (status != UPS_OK) job.failure = Failure::of(*ups_last_error(context));
  job.invocation.snapshots.clear();
}

bool AsyncQueue::settle(napi_env env, Job& job) {
  for (napi_ref pin : job.pins) napi_delete_reference(env, pin);
  job.pins.clear();
  if (job.failure.status == UPS_OK) {
    napi_value nothing;
    napi_get_undefined(env, &nothing);
    return napi_resolve_deferred(env, job.deferred, nothing) == napi_ok;
  }
  napi_value error = state_.error(env, job.failure);
  return error && napi_reject_deferred(env, job.deferred, error) == napi_ok;
}

void AsyncQueue::complete(napi_env env, napi_status, void* data) {
  auto& queue = *static_cast<AsyncQueue*>(data);
  napi_delete_async_work(env, queue.work_);
  queue.work_ = nullptr;
  bool alive = true;
  for (size_t i = 0; i < queue.done_; ++i) alive = queue.settle(env, *queue.running_[i]) && alive;
  queue.running_.erase(queue.running_.begin(), queue.running_.begin() + static_cast<ptrdiff_t>(queue.done_));
  if (!alive) {  // the thread is being terminated: what has not begun is dropped
    for (auto* jobs : {&queue.running_, &queue.waiting_}) {
      for (auto& job : *jobs)
        for (napi_ref pin : job->pins) napi_delete_reference(env, pin);
      jobs->clear();
    }
    return;
  }
  // What was left over comes before what was added meanwhile.
  for (auto& job : queue.waiting_) queue.running_.push_back(std::move(job));
  queue.waiting_.clear();
  queue.waiting_.swap(queue.running_);
  if (!queue.waiting_.empty()) queue.start(env);
}

}  // namespace upsilon::addon
