// Blocks of the core, as JavaScript sees them: a number that names the block, and one ArrayBuffer
// on its memory when it is host memory. The garbage collector releases a block with its ArrayBuffer
// (or its keeper, on a device); dispose() does so at once.
#include <cmath>
#include <cstring>
#include <utility>

#include "context.h"
#include "text.h"
#include "thread_state.h"

namespace upsilon::addon {
namespace {

constexpr double largest_array_buffer = 4294967296.0;  // V8 of Node 20: 4 GiB

void let_go(Hold* hold) {
  if (hold->let_go) *hold->let_go = true;
  hold->state->blocks.take(hold->id);
  if (hold->block) ups_block_release(hold->block);
  hold->state->release();
  delete hold;
}

Napi::Value fail(Napi::Env env, ThreadState& state, const Failure& failure) {
  state.raise(env, failure);
  return env.Undefined();
}

// {id, buffer?, keeper?}; takes over the reference to `block`.
Napi::Value wrap(Napi::Env env, ThreadState& state, ups_block* block) {
  Hold* hold = new Hold{&state, block, 0, nullptr};
  hold->id = state.blocks.add(hold);
  state.retain();
  const double id = hold->id;
  const bool on_host = ups_block_device(block).type == UPS_CPU;
  const auto finalize = [](napi_env, void*, void* hint) { let_go(static_cast<Hold*>(hint)); };
  static char nothing[1];  // an empty block may have no memory, an external ArrayBuffer needs an address
  void* data = ups_block_data(block) ? ups_block_data(block) : nothing;
  const size_t bytes = ups_block_size(block);
  napi_value value = nullptr;
  bool gone = false;
  hold->let_go = &gone;
  const napi_status status = on_host ? napi_create_external_arraybuffer(env, data, bytes, finalize, hold, &value)
                                     : napi_create_external(env, nullptr, finalize, hold, &value);
  if (status == napi_ok) {
    hold->let_go = nullptr;
    Napi::Object result = Napi::Object::New(env);
    result.Set(on_host ? "buffer" : "keeper", value);
    result.Set("id", id);
    return result;
  }
  // Where the engine forbids external memory (Electron), its own memory is used instead, and filled
  // by one copy.
  const bool forbidden = status == napi_no_external_buffers_allowed;
  void* copy = nullptr;
  const bool copied = forbidden && napi_create_arraybuffer(env, bytes, &copy, &value) == napi_ok;
  if (copied && bytes) std::memcpy(copy, data, bytes);
  if (!gone) let_go(hold);  // some failures come after the finalizer has run, some without
  if (!copied) return fail(env, state, {UPS_OUT_OF_MEMORY, "", "", "no ArrayBuffer can be made"});
  Napi::Object result = Napi::Object::New(env);
  result.Set("buffer", value);
  return result;
}

double number(const Napi::CallbackInfo& info, size_t i, double otherwise) {
  return info[i].IsNumber() ? info[i].As<Napi::Number>().DoubleValue() : otherwise;
}

// block(bytes, deviceType, deviceId): {id, buffer?, keeper?}
Napi::Value create_block(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ThreadState& state = state_of(env);
  const double bytes = number(info, 0, -1);
  const ups_device device{static_cast<int32_t>(number(info, 1, UPS_CPU)), static_cast<int32_t>(number(info, 2, 0))};
  if (!(bytes >= 0 && bytes <= 9e15 && bytes == std::floor(bytes)))
    return fail(env, state, {UPS_VALUE, "", "bytes", format("a block cannot have %g bytes", bytes)});
  if (device.type == UPS_CPU && bytes > largest_array_buffer)
    return fail(env, state,
                {UPS_OUT_OF_MEMORY, "", "bytes",
                 format("%.0f bytes do not fit into one ArrayBuffer (at most %.0f)", bytes, largest_array_buffer)});
  Failure failure;
  ups_context* context = state.context(device, &failure);
  if (!context) return fail(env, state, failure);
  ups_block* block = nullptr;
  if (ups_block_create(context, device, static_cast<size_t>(bytes), &block) != UPS_OK)
    return fail(env, state, Failure::of(context));
  return wrap(env, state, block);
}

// mapFile(path): {id, buffer}
Napi::Value map_file(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ThreadState& state = state_of(env);
  const std::string path = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : std::string();
  if (path.find('\0') != std::string::npos)
    return fail(env, state, {UPS_VALUE, "", "path", "the path holds a zero byte"});
  Failure failure;
  ups_context* context = state.context({UPS_CPU, 0}, &failure);
  if (!context) return fail(env, state, failure);
  ups_block* block = nullptr;
  if (ups_block_map_file(context, path.c_str(), &block) != UPS_OK) return fail(env, state, Failure::of(context));
  const auto size = static_cast<double>(ups_block_size(block));
  if (size > largest_array_buffer) {
    ups_block_release(block);
    return fail(env, state,
                {UPS_OUT_OF_MEMORY, "", "path",
                 format("%s: %.0f bytes do not fit into one ArrayBuffer (at most %.0f)", path.c_str(), size,
                        largest_array_buffer)});
  }
  return wrap(env, state, block);
}

// dispose(id, buffer?): from now on the id names nothing, and views of the buffer have length 0.
// The memory goes back at once, for the next result to be written there: finalizers would keep it
// until the next turn of the event loop.
Napi::Value dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Hold* hold = state_of(env).blocks.take(number(info, 0, -1));
  if (!hold) return Napi::Boolean::New(env, false);
  const bool on_host = ups_block_device(hold->block).type == UPS_CPU;
  const bool unseen =
      !on_host || (info[1].IsArrayBuffer() && info[1].As<Napi::ArrayBuffer>().Data() == ups_block_data(hold->block) &&
                   napi_detach_arraybuffer(env, info[1]) == napi_ok);
  // A buffer that cannot be detached keeps its memory until the garbage collector has it.
  if (unseen) ups_block_release(std::exchange(hold->block, nullptr));
  return Napi::Boolean::New(env, true);
}

// addressOf(typed array): where its memory is, to prove that nothing was copied
Napi::Value address_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  napi_typedarray_type type;
  void* data = nullptr;
  if (!info[0].IsTypedArray() ||
      napi_get_typedarray_info(env, info[0], &type, nullptr, &data, nullptr, nullptr) != napi_ok)
    return fail(env, state_of(env), {UPS_VALUE, "", "array", "array is no typed array"});
  return Napi::BigInt::New(env, static_cast<uint64_t>(reinterpret_cast<uintptr_t>(data)));
}

}  // namespace

void export_blocks(Napi::Env env, Napi::Object exports) {
  exports.Set("block", Napi::Function::New<create_block>(env, "block"));
  exports.Set("mapFile", Napi::Function::New<map_file>(env, "mapFile"));
  exports.Set("dispose", Napi::Function::New<dispose>(env, "dispose"));
  exports.Set("addressOf", Napi::Function::New<address_of>(env, "addressOf"));
}

}  // namespace upsilon::addon
