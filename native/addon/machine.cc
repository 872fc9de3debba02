// Devices, instruction sets and threads of this machine, and how many are used.
#include "context.h"
#include "text.h"
#include "thread_state.h"

namespace upsilon::addon {
namespace {

const char* kind_text(int32_t type) { return type == UPS_CUDA ? "cuda" : type == UPS_EMULATED ? "emulated" : "cpu"; }

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ups_device_info found[64];
  const int32_t count = std::min<int32_t>(ups_devices(found, 64), 64);
  Napi::Array result = Napi::Array::New(env, static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    Napi::Object device = Napi::Object::New(env);
    device.Set("name", device_text(found[i].device));
    device.Set("kind", kind_text(found[i].device.type));
    device.Set("model", found[i].name);
    device.Set("isa", found[i].isa);
    device.Set("threads", found[i].threads);
    if (found[i].memory) device.Set("memory", static_cast<double>(found[i].memory));
    result.Set(static_cast<uint32_t>(i), device);
  }
  return result;
}

Napi::Value version(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), ups_version()); }

// unavailableBecause(deviceType): string | undefined
Napi::Value unavailable_because(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const char* why = ups_unavailable_because(info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : UPS_CPU);
  return why ? Napi::String::New(env, why) : env.Undefined();
}

Napi::Value set_threads(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ThreadState& state = state_of(env);
  const double wanted = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (wanted != -1 && !(wanted >= 1 && wanted <= 4096 && wanted == static_cast<int32_t>(wanted))) {
    state.raise(env, {UPS_VALUE, "set_threads", "threads",
                      format("threads is %g (expected 1 to 4096, or -1 for all cores)", wanted)});
    return env.Undefined();
  }
  state.threads = static_cast<int32_t>(wanted);
  state.contexts.set_threads(state.threads);
  return env.Undefined();
}

// setPrecision(precision): of matrix products on devices
Napi::Value set_precision(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ThreadState& state = state_of(env);
  const int32_t wanted = info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : -1;
  if (wanted < UPS_FP32 || wanted > UPS_BF16) {
    state.raise(env, {UPS_VALUE, "set_precision", "precision", format("precision is %d (expected 0 to 2)", wanted)});
    return env.Undefined();
  }
  state.precision = wanted;
  state.contexts.set_precision(wanted);
  return env.Undefined();
}

// setPluginDirectory(directory): where plug-ins are looked for that do not lie beside the addon
Napi::Value set_plugin_directory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string directory = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : std::string();
  if (ups_set_plugin_directory(directory.c_str()) != UPS_OK)
    state_of(env).raise(env, {UPS_VALUE, "set_plugin_directory", "directory", "the directory is too long"});
  return env.Undefined();
}

// synchronize(deviceType, deviceId): waits, and throws if a kernel found invalid contents
Napi::Value synchronize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ThreadState& state = state_of(env);
  const auto number = [&](size_t i) { return info[i].IsNumber() ? info[i].As<Napi::Number>().Int32Value() : 0; };
  ups_context* context = state.contexts.find({number(0), number(1)});
  if (context && ups_synchronize(context) != UPS_OK) state.raise(env, Failure::of(context));
  return env.Undefined();
}

Napi::Value counters(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const ups_counters now = ups_count();
  Napi::Object result = Napi::Object::New(env);
  result.Set("blocks", static_cast<double>(now.blocks));
  result.Set("blockBytes", static_cast<double>(now.block_bytes));
  result.Set("arrowExports", static_cast<double>(now.arrow_exports));
  result.Set("arrowImports", static_cast<double>(now.arrow_imports));
  return result;
}

Napi::Value last_variant(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const ThreadState& state = state_of(env);
  return Napi::String::New(env, ups_last_variant(state.contexts.find(state.last_device)));
}

}  // namespace

void export_machine(Napi::Env env, Napi::Object exports) {
  exports.Set("devices", Napi::Function::New<devices>(env, "devices"));
  exports.Set("version", Napi::Function::New<version>(env, "version"));
  exports.Set("unavailableBecause", Napi::Function::New<unavailable_because>(env, "unavailableBecause"));
  exports.Set("setThreads", Napi::Function::New<set_threads>(env, "setThreads"));
  exports.Set("setPrecision", Napi::Function::New<set_precision>(env, "setPrecision"));
  exports.Set("setPluginDirectory", Napi::Function::New<set_plugin_directory>(env, "setPluginDirectory"));
  exports.Set("synchronize", Napi::Function::New<synchronize>(env, "synchronize"));
  exports.Set("counters", Napi::Function::New<counters>(env, "counters"));
  exports.Set("lastVariant", Napi::Function::New<last_variant>(env, "lastVariant"));
}

}  // namespace upsilon::addon
