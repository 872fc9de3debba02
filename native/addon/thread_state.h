// Everything the addon keeps for one JavaScript thread (main or worker): contexts, blocks, the
// frame, the queue of asynchronous calls. Nothing of it is static, so any number of threads and of
// copies of the addon live side by side.
#pragma once
// In a worker that is being terminated nothing can be thrown any more; without this, node-addon-api
// ends the process instead.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include <atomic>
#include <vector>

#include "frame.h"

namespace upsilon::addon {

class AsyncQueue;

// One context per device that was asked for.
class Contexts {
 public:
  Contexts() = default;
  ~Contexts();
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;

  // Null when the context cannot be made; `failure` says why.
  ups_context* get(ups_device device, int32_t threads, int32_t precision, Failure* failure);
  ups_context* find(ups_device device) const;
  void set_threads(int32_t threads);
  void set_precision(int32_t precision);

 private:
  struct Entry {
    ups_device device;
    ups_context* context;
  };
  std::vector<Entry> entries_;
};

struct ThreadState;

// What the ArrayBuffer (or keeper, on a device) of a block holds: a reference to the block, until
// the garbage collector ends it or dispose() does.
struct Hold {
  ThreadState* state;
  ups_block* block;  // null after dispose()
  double id;
  bool* let_go;  // set when it happens while the holder is still being made
};

// Blocks are named by numbers that are never used twice, so a stale or invented number finds
// nothing.
class BlockTable {
 public:
  double add(Hold* hold);
  ups_block* find(double id) const;
  // From now on the number names nothing. Null when it is not there (any more).
  Hold* take(double id);

 private:
  struct Slot {
    Hold* hold;
    uint32_t generation;
  };
  static constexpr double slots_per_generation = 1 << 24;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  const Slot* slot(double id) const;
};

struct ThreadState {
  ThreadState();
  ~ThreadState();

  void retain() { ++references_; }
  void release() {
    if (--references_ == 0) delete this;
  }

  // Reads the frame and the typed arrays into a call. On failure fills `failure` and returns false.
  bool read(napi_env env, const napi_value* arrays, size_t array_count, Invocation* into, Failure* failure) const;
  // Makes the JavaScript error for a failure, through the factory that was passed in at load.
  napi_value error(napi_env env, const Failure& failure) const;
  napi_value raise(napi_env env, const Failure& failure) const;
  // The context of synchronous calls.
  ups_context* context(ups_device device, Failure* failure) {
    return contexts.get(device, threads, precision, failure);
  }

  Contexts contexts;
  BlockTable blocks;
  int32_t threads, precision = UPS_FP32;
  ups_device last_device{UPS_CPU, 0};
  double* frame = nullptr;
  Napi::Reference<Napi::ArrayBuffer> frame_buffer;
  Napi::FunctionReference make_error;
  std::unique_ptr<AsyncQueue> queue;
  Invocation invocation;  // of synchronous calls
  std::vector<napi_value> call_arrays =
      std::vector<napi_value>(static_cast<size_t>(frame::max_tensors()));  // of one call

 private:
  // The thread's instance data and every ArrayBuffer on a block hold a reference; all of them on
  // this thread.
  int references_ = 1;
};

size_t element_bytes(napi_typedarray_type type);

// Registered with the functions of each file.
void export_calls(Napi::Env env, Napi::Object exports, ThreadState& state);
void export_blocks(Napi::Env env, Napi::Object exports);
void export_machine(Napi::Env env, Napi::Object exports);

inline ThreadState& state_of(Napi::Env env) { return *env.GetInstanceData<ThreadState>(); }

}  // namespace upsilon::addon
