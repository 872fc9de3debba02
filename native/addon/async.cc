#include "async.h"

#include <algorithm>
#include <cstring>

#include "context.h"
#include "cores.h"
#include "registry.h"
#include "text.h"

namespace upsilon::addon {

Scratch::Scratch(size_t size) : data(static_cast<char*>(allocate_host(size))), bytes(size) {}
Scratch::~Scratch() {
  if (data) release_host(data, bytes);
}

Job::~Job() {
  for (const auto& argument : invocation.arguments) ups_block_release(argument.block);
}

void Job::release_references(napi_env env) {
  for (napi_ref pin : pins) napi_delete_reference(env, pin);
  for (const Result& result : results) napi_delete_reference(env, result.array);
  pins.clear();
  results.clear();
}

bool Job::fail(int parameter, ups_status status, const std::string& message) {
  failure = invocation.failure(parameter, status, message);
  return false;
}

// The results, finished or pending, of earlier calls for the same bytes of the same ArrayBuffer.
void AsyncQueue::receive_pending(napi_env env, napi_value buffer, size_t begin, size_t bytes, char* to,
                                 Job* job) const {
  for (const auto* jobs : {&running_, &waiting_})
    for (const auto& earlier : *jobs)
      for (const Job::Result& result : earlier->results) {
        const size_t from = std::max(begin, result.begin);
        const size_t end = std::min(begin + bytes, result.begin + result.memory->bytes);
        if (from >= end) continue;
        napi_value array = nullptr, other = nullptr;
        bool same = false;
        if (napi_get_reference_value(env, result.array, &array) != napi_ok || !array ||
            napi_get_typedarray_info(env, array, nullptr, nullptr, nullptr, &other, nullptr) != napi_ok ||
            napi_strict_equals(env, buffer, other, &same) != napi_ok || !same)
          continue;
        job->passages.push_back({result.memory, from - result.begin, to + (from - begin), end - from});
      }
}

bool AsyncQueue::detach(napi_env env, const napi_value* arrays, Job* job) const {
  Invocation& call = job->invocation;
  // The kernels work on copies and cannot see that an output overlaps another argument, so it is
  // checked here.
  int first = 0, second = 0;
  if (call.find_overlap(&first, &second)) {
    job->fail(first, UPS_VALUE, "shares memory with ");
    std::vector<std::string>& parts = job->failure.message.parts;
    parts.push_back(call.parameter_name(second));
    parts.emplace_back(" (expected memory of its own)");
    return false;
  }
  for (int i = 0, next = 0; i < call.count; ++i) {
    Invocation::Argument& argument = call.arguments[static_cast<size_t>(i)];
    if (!call.pointers[static_cast<size_t>(i)] || argument.block) continue;
    const napi_value array = arrays[next++];
    if (argument.shared) {
      napi_ref pin = nullptr;
      if (napi_create_reference(env, array, 1, &pin) != napi_ok)
        return job->fail(i, UPS_OUT_OF_MEMORY, "cannot be kept alive");
      job->pins.push_back(pin);
      continue;
    }
    ups_tensor& tensor = argument.tensor;
    const size_t bytes = static_cast<size_t>(element_count(tensor)) * element_size(tensor.dtype);
    if (bytes == 0) continue;
    napi_value buffer = nullptr;
    size_t view_begin = 0;
    void* view = nullptr;
    if (napi_get_typedarray_info(env, array, nullptr, nullptr, &view, &buffer, &view_begin) != napi_ok)
      return job->fail(i, UPS_INTERNAL, "did not arrive as a typed array");
    const auto memory = std::make_shared<Scratch>(bytes);
    if (!memory->data) return job->fail(i, UPS_OUT_OF_MEMORY, "could not allocate " + bytes_text(bytes));
    const char* source = static_cast<const char*>(tensor.data) + tensor.byte_offset;
    const auto byte_offset = static_cast<size_t>(source - static_cast<const char*>(view));
    const size_t begin = view_begin + byte_offset;
    if (!call.is_output(i) || call.is_in_place(i)) {
      std::memcpy(memory->data, source, bytes);
      receive_pending(env, buffer, begin, bytes, memory->data, job);
    }
    if (call.is_output(i)) {
      napi_ref kept = nullptr;
      if (napi_create_reference(env, array, 1, &kept) != napi_ok)
        return job->fail(i, UPS_OUT_OF_MEMORY, "cannot be kept alive");
      job->results.push_back({memory, kept, byte_offset, begin, i});
    }
    tensor.data = memory->data;
    tensor.byte_offset = 0;
    argument.own = true;
    job->scratch.push_back(memory);
  }
  return true;
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
  // Unless the number of threads was set, one core is left to the event loop: with all of them
  // busy, a timer waits for the scheduler to preempt one, several milliseconds at a time.
  threads_ = state_.threads < 0 ? std::max(1, available_cores() - 1) : state_.threads;
  precision_ = state_.precision;
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

// Runs on a thread of libuv's pool. It touches only running_, done_ and contexts_, which nobody
// else touches meanwhile.
void AsyncQueue::execute(napi_env, void* data) {
  auto& queue = *static_cast<AsyncQueue*>(data);
  const auto end = std::chrono::steady_clock::now() + batch_time;
  do queue.run(*queue.running_[queue.done_++]);
  while (queue.done_ < queue.running_.size() && std::chrono::steady_clock::now() < end);
}

void AsyncQueue::run(Job& job) {
  for (const Job::Passage& passage : job.passages)
    if (passage.from->written) std::memcpy(passage.to, passage.from->data + passage.from_offset, passage.bytes);
  ups_context* context = contexts_.get(job.invocation.device, threads_, precision_, &job.failure);
  if (!context) return;
  (void)ups_set_threads(context, threads_);
  (void)ups_set_precision(context, precision_);
  if (!job.invocation.take_snapshots(true)) {
    job.failure = {UPS_OUT_OF_MEMORY, "", "", "memory is exhausted"};
    return;
  }
  ups_status status = job.invocation.run(context);
  if (status == UPS_OK) status = ups_synchronize(context);  // a promise is kept when the result is there
  if (status != UPS_OK) {
    job.failure = Failure::of(context);
    job.failure.caller = job.invocation.caller;
  }
  for (const Job::Result& result : job.results) result.memory->written = status == UPS_OK;
  job.invocation.snapshots.clear();
}

// Copies results to where they belong, on the JavaScript thread, if that place is still there.
void AsyncQueue::deliver(napi_env env, Job& job) {
  for (const Job::Result& result : job.results) {
    napi_value array = nullptr;
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    const bool found = napi_get_reference_value(env, result.array, &array) == napi_ok && array &&
                       napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr) == napi_ok;
    const size_t bytes = found ? length * element_bytes(type) : 0;
    if (bytes < result.byte_offset + result.memory->bytes) {
      job.fail(result.parameter, UPS_VALUE,
               format("was detached or shrunk while the call was under way (%zu bytes are left, %zu are needed)", bytes,
                      result.byte_offset + result.memory->bytes));
      return;
    }
    std::memcpy(static_cast<char*>(data) + result.byte_offset, result.memory->data, result.memory->bytes);
  }
}

bool AsyncQueue::settle(napi_env env, Job& job) {
  if (job.failure.status == UPS_OK) deliver(env, job);
  job.release_references(env);
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
      for (auto& job : *jobs) job->release_references(env);
      jobs->clear();
    }
    return;
  }
  // Jobs left over come before those added meanwhile.
  for (auto& job : queue.waiting_) queue.running_.push_back(std::move(job));
  queue.waiting_.clear();
  queue.waiting_.swap(queue.running_);
  if (!queue.waiting_.empty()) queue.start(env);
}

}  // namespace upsilon::addon
