// Streams and events.  Queued work runs in the order of its stream; when it runs is the configured
// choice.
#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "device.h"
#include "machine.h"

namespace {

using Clock = std::chrono::steady_clock;

// Outlives its handle while queued work refers to it.
struct EventState {
  uint64_t recorded = 0;  // how often it was put into a stream
  uint64_t reached = 0;   // up to which of these the streams have come
  Clock::time_point time;
};

struct Work {
  std::function<cudaError_t()> run;
  std::shared_ptr<EventState> wait_for;
  uint64_t until = 0;
};

}  // namespace

struct CUevent_st {
  std::shared_ptr<EventState> state = std::make_shared<EventState>();
  bool timed = true;
};

struct CUstream_st {
  std::deque<Work> queue;
  bool blocking = false;   // ordered with the default stream
  bool destroyed = false;  // lives on until its work is done
};

namespace ups::emu {

namespace {

struct Device {
  CUstream_st default_stream;
  std::vector<std::unique_ptr<CUstream_st>> streams;
  std::vector<std::unique_ptr<CUevent_st>> events;
  Random random;
  bool seeded = false;
};

Device& device() {
  static auto* const the_device = new Device;
  return *the_device;
}

Random& stream_random() {
  Device& d = device();
  if (!d.seeded) d.random.state = config().seed;
  d.seeded = true;
  return d.random;
}

CUstream_st& stream_of(cudaStream_t handle) { return handle != nullptr ? *handle : device().default_stream; }

bool known_event(cudaEvent_t event) {
  return std::any_of(device().events.begin(), device().events.end(),
                     [=](const auto& known) { return known.get() == event; });
}

bool can_run(const CUstream_st& stream) {
  if (stream.queue.empty()) return false;
  const Work& first = stream.queue.front();
  return first.wait_for == nullptr || first.wait_for->reached >= first.until;
}

void run_first(CUstream_st& stream) {
  const Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  if (!work.run) return;
  allow_device_memory();
  const cudaError_t fault = work.run();
  forbid_device_memory();
  if (fault == cudaSuccess) return;
  set_fault(fault);
  drop_queued_work();
}

void remove_finished_streams() {
  std::erase_if(device().streams, [](const auto& stream) { return stream->destroyed && stream->queue.empty(); });
}

// Runs one piece of work of some stream; false if none can run.
bool run_any() {
  Device& d = device();
  std::vector<CUstream_st*> candidates;
  if (can_run(d.default_stream)) candidates.push_back(&d.default_stream);
  for (const auto& stream : d.streams)
    if (can_run(*stream)) candidates.push_back(stream.get());
  if (candidates.empty()) return false;
  const bool random = config().streams == Streams::random;
  run_first(*candidates[random ? stream_random().below(static_cast<uint32_t>(candidates.size())) : 0]);
  return true;
}

void run_some() {
  switch (config().streams) {
    case Streams::eager: finish_device(); return;
    case Streams::lazy: return;
    case Streams::random:
      while (stream_random().below(3) == 0 && run_any()) {
      }
  }
}

void put(CUstream_st& stream, Work work) { stream.queue.push_back(std::move(work)); }

void put_record(CUstream_st& stream, const std::shared_ptr<EventState>& state) {
  const uint64_t number = ++state->recorded;
  put(stream, {[state, number] {
                 state->reached = std::max(state->reached, number);
                 state->time = Clock::now();
                 return cudaSuccess;
               },
               nullptr, 0});
}

void put_order(CUstream_st& earlier, CUstream_st& later) {
  if (earlier.queue.empty()) return;
  auto state = std::make_shared<EventState>();
  put_record(earlier, state);
  put(later, {nullptr, state, state->recorded});
}

// "Legacy default stream": what is put there waits for all blocking streams, and these wait for it.
void order_with_default_stream(CUstream_st& stream) {
  Device& d = device();
  if (&stream != &d.default_stream) {
    if (stream.blocking) put_order(d.default_stream, stream);
    return;
  }
  for (const auto& other : d.streams)
    if (other->blocking) put_order(*other, stream);
}

}  // namespace

bool known_stream(cudaStream_t handle) {
  if (handle == nullptr) return true;
  return std::any_of(device().streams.begin(), device().streams.end(),
                     [=](const auto& known) { return known.get() == handle && !known->destroyed; });
}

void add_work(cudaStream_t handle, std::function<cudaError_t()> work) {
  CUstream_st& stream = stream_of(handle);
  order_with_default_stream(stream);
  put(stream, {std::move(work), nullptr, 0});
  run_some();
}

void finish_stream(cudaStream_t handle) {
  CUstream_st& stream = stream_of(handle);
  while (!stream.queue.empty()) {
    if (config().streams == Streams::random && run_any()) continue;
    if (can_run(stream)) run_first(stream);
    else if (!run_any()) break;  // cannot be: what it waits for was put into a queue before
  }
  remove_finished_streams();
}

void finish_device() {
  while (run_any()) {
  }
  remove_finished_streams();
}

// After a fault nothing more runs; nobody may wait for it either.
void drop_queued_work() {
  Device& d = device();
  d.default_stream.queue.clear();
  for (const auto& stream : d.streams) stream->queue.clear();
  for (const auto& event : d.events) event->state->reached = event->state->recorded;
}

cudaError_t enqueue(cudaStream_t stream, std::function<cudaError_t()> work) {
  const DeviceLock lock;
  if (!known_stream(stream)) return note(cudaErrorInvalidResourceHandle);
  if (const cudaError_t fault = pending_fault()) return note(fault);
  add_work(stream, [work = std::move(work)] {
    const cudaError_t fault = work();
    if (fault != cudaSuccess) return fault;
    return device_memory_intact() ? cudaSuccess : cudaErrorIllegalAddress;
  });
  return cudaSuccess;
}

}  // namespace ups::emu

using namespace ups::emu;

cudaError_t cudaDeviceSynchronize() {
  const DeviceLock lock;
  finish_device();
  return note(pending_fault());
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  if (stream == nullptr || flags > cudaStreamNonBlocking) return note(cudaErrorInvalidValue);
  const DeviceLock lock;
  if (const cudaError_t fault = pending_fault()) return note(fault);
  auto created = std::make_unique<CUstream_st>();
  created->blocking = flags != cudaStreamNonBlocking;
  *stream = created.get();
  device().streams.push_back(std::move(created));
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const DeviceLock lock;
  if (stream == nullptr || !known_stream(stream)) return note(cudaErrorInvalidResourceHandle);
  stream->destroyed = true;
  remove_finished_streams();
  return note(pending_fault());
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const DeviceLock lock;
  if (!known_stream(stream)) return note(cudaErrorInvalidResourceHandle);
  finish_stream(stream);
  return note(pending_fault());
}

// A query lets one piece of work run, so that polling gets somewhere.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const DeviceLock lock;
  if (!known_stream(stream)) return note(cudaErrorInvalidResourceHandle);
  run_any();
  if (const cudaError_t fault = pending_fault()) return note(fault);
  return stream_of(stream).queue.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  const DeviceLock lock;
  if (flags != 0) return note(cudaErrorInvalidValue);
  if (!known_stream(stream) || !known_event(event)) return note(cudaErrorInvalidResourceHandle);
  if (const cudaError_t fault = pending_fault()) return note(fault);
  put(stream_of(stream), {nullptr, event->state, event->state->recorded});
  run_some();
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  if (event == nullptr || (flags & ~cudaEventDisableTiming) != 0) return note(cudaErrorInvalidValue);
  const DeviceLock lock;
  if (const cudaError_t fault = pending_fault()) return note(fault);
  auto created = std::make_unique<CUevent_st>();
  created->timed = (flags & cudaEventDisableTiming) == 0;
  *event = created.get();
  device().events.push_back(std::move(created));
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const DeviceLock lock;
  if (!known_stream(stream) || !known_event(event)) return note(cudaErrorInvalidResourceHandle);
  if (const cudaError_t fault = pending_fault()) return note(fault);
  order_with_default_stream(stream_of(stream));
  put_record(stream_of(stream), event->state);
  run_some();
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const DeviceLock lock;
  if (!known_event(event)) return note(cudaErrorInvalidResourceHandle);
  run_any();
  if (const cudaError_t fault = pending_fault()) return note(fault);
  return event->state->reached >= event->state->recorded ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const DeviceLock lock;
  if (!known_event(event)) return note(cudaErrorInvalidResourceHandle);
  while (event->state->reached < event->state->recorded && run_any()) {
  }
  return note(pending_fault());
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (milliseconds == nullptr) return note(cudaErrorInvalidValue);
  const DeviceLock lock;
  if (!known_event(start) || !known_event(end)) return note(cudaErrorInvalidResourceHandle);
  const EventState &from = *start->state, &to = *end->state;
  if (!start->timed || !end->timed || from.recorded == 0 || to.recorded == 0)
    return note(cudaErrorInvalidResourceHandle);
  if (from.reached < from.recorded || to.reached < to.recorded) return note(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(to.time - from.time).count();
  return note(pending_fault());
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const DeviceLock lock;
  if (!known_event(event)) return note(cudaErrorInvalidResourceHandle);
  std::erase_if(device().events, [=](const auto& known) { return known.get() == event; });
  return note(pending_fault());
}
