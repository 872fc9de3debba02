// The addon's entry: once per JavaScript thread that loads it.
#include "async.h"

namespace upsilon::addon {
namespace {

// initialize(makeError): the frame and its layout. makeError(status, operation, argument, parts,
// caller) gives the JavaScript error for a failure; classes made here would be foreign to
// `instanceof` in other realms and copies.
Napi::Value initialize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ThreadState& state = state_of(env);
  if (!info[0].IsFunction()) throw Napi::TypeError::New(env, "initialize: makeError is no function");
  state.make_error = Napi::Persistent(info[0].As<Napi::Function>());
  Napi::Object layout = Napi::Object::New(env);
  layout.Set("buffer", state.frame_buffer.Value());
  layout.Set("maxOptions", frame::max_options());
  layout.Set("maxTensors", frame::max_tensors());
  layout.Set("optionsAt", frame::options_at);
  layout.Set("tensorsAt", frame::tensors_at());
  layout.Set("tensorStride", frame::tensor_stride);
  return layout;
}

void leave(Napi::Env, ThreadState* state) {
  state->make_error.Reset();
  state->frame_buffer.Reset();
  state->release();
}

Napi::Object load(Napi::Env env, Napi::Object exports) {
  auto* state = new ThreadState();
  env.SetInstanceData<ThreadState, leave>(state);
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, static_cast<size_t>(frame::size()) * sizeof(double));
  state->frame = static_cast<double*>(buffer.Data());
  state->frame_buffer = Napi::Reference<Napi::ArrayBuffer>::New(buffer, 1);
  exports.Set("initialize", Napi::Function::New<initialize>(env, "initialize"));
  export_calls(env, exports, *state);
  export_blocks(env, exports);
  export_machine(env, exports);
  return exports;
}

}  // namespace
}  // namespace upsilon::addon

static Napi::Object load_upsilon(Napi::Env env, Napi::Object exports) { return upsilon::addon::load(env, exports); }

NODE_API_MODULE(upsilon, load_upsilon)
