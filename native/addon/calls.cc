// Calls of operations: the hot path, in plain Node-API. What JavaScript needs to know about an
// operation in order to call it comes from the schema, so nothing here knows any operation.
#include <algorithm>
#include <exception>

#include "async.h"
#include "context.h"
#include "registry.h"

namespace upsilon::addon {
namespace {

// Exceptions end here: nobody above could catch them.
template <napi_value (*body)(napi_env, napi_callback_info)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return body(env, info);
  } catch (const std::exception& e) {
    napi_throw_error(env, "ERR_UPSILON_INTERNAL", e.what());
    return nullptr;
  }
}

// Puts a call's typed arrays into the state that travels with the function. Null with an exception
// pending. How many there are is asked first: the engine fills all places that it is given.
ThreadState* take_arrays(napi_env env, napi_callback_info info, size_t* count) {
  void* data = nullptr;
  if (napi_get_cb_info(env, info, count, nullptr, nullptr, &data) != napi_ok) return nullptr;
  auto* const state = static_cast<ThreadState*>(data);
  size_t room = *count = std::min(*count, state->call_arrays.size());
  return napi_get_cb_info(env, info, &room, state->call_arrays.data(), nullptr, nullptr) == napi_ok ? state : nullptr;
}

// call(...typed arrays in the order of the frame's tensors)
napi_value call(napi_env env, napi_callback_info info) {
  size_t count = 0;
  ThreadState* const with = take_arrays(env, info, &count);
  if (!with) return nullptr;
  ThreadState& state = *with;
  const napi_value* const arrays = state.call_arrays.data();
  Failure failure;
  Invocation& invocation = state.invocation;
  if (!state.read(env, arrays, count, &invocation, &failure)) return state.raise(env, failure);
  ups_context* context = state.context(invocation.device, &failure);
  if (!context) return state.raise(env, failure);
  if (!invocation.take_snapshots(false)) return state.raise(env, {UPS_OUT_OF_MEMORY, "", "", "memory is exhausted"});
  if (invocation.run(context) != UPS_OK) {
    failure = Failure::of(context);
    failure.caller = invocation.caller;
    return state.raise(env, failure);
  }
  state.last_device = invocation.device;
  return nullptr;
}

// callAsync(...typed arrays): Promise<undefined>
napi_value call_async(napi_env env, napi_callback_info info) {
  size_t count = 0;
  ThreadState* const with = take_arrays(env, info, &count);
  if (!with) return nullptr;
  ThreadState& state = *with;
  const napi_value* const arrays = state.call_arrays.data();
  Failure failure;
  auto job = std::make_unique<Job>();
  if (!state.read(env, arrays, count, &job->invocation, &failure)) {
    for (auto& argument : job->invocation.arguments) argument.block = nullptr;
    return state.raise(env, failure);
  }
  for (const auto& argument : job->invocation.arguments) ups_block_retain(argument.block);
  // Results that synchronous calls have queued on the device's stream must be complete before
  // another stream reads them.
  if (ups_context* context = state.contexts.find(job->invocation.device))
    if (ups_synchronize(context) != UPS_OK) return state.raise(env, Failure::of(context));
  if (!state.queue->detach(env, arrays, job.get())) {
    job->release_references(env);
    return state.raise(env, job->failure);
  }
  return state.queue->add(env, std::move(job));
}

const char* element_text(ElementType type) {
  switch (type) {
    case ElementType::real: return "real";
    case ElementType::f32: return "float32";
    case ElementType::f64: return "float64";
    case ElementType::i32: return "int32";
    case ElementType::i64: return "int64";
    case ElementType::u8: return "uint8";
  }
  return "";
}

const char* option_text(OptionType type) {
  switch (type) {
    case OptionType::choice: return "choice";
    case OptionType::boolean: return "boolean";
    case OptionType::i32: return "int32";
    case OptionType::i64: return "int64";
    case OptionType::u64: return "uint64";
    case OptionType::f32: return "float32";
    case OptionType::f64: return "float64";
  }
  return "";
}

template <class Items, class Describe>
Napi::Array list(Napi::Env env, const Items& items, Describe describe) {
  Napi::Array result = Napi::Array::New(env, items.size());
  uint32_t i = 0;
  for (const auto& item : items) result.Set(i++, describe(item));
  return result;
}

Napi::Object describe(Napi::Env env, const Schema& schema, const Parameter& p) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("name", p.name);
  result.Set("type", element_text(p.type));
  result.Set("optional", p.optional);
  result.Set("output", p.output);
  result.Set("inPlace", p.in_place);
  result.Set("shape", p.shape_text);
  result.Set("rule", row_of(p.rule).name);
  result.Set("ruleOf", p.rule_dim >= 0       ? schema.dim_names[static_cast<size_t>(p.rule_dim)]
                       : p.rule_offsets >= 0 ? schema.parameters[static_cast<size_t>(p.rule_offsets)].name
                                             : std::string());
  result.Set("leading", p.leading);
  result.Set("dims", list(env, p.dims, [&](const Dimension& dim) {
               const auto name = [&](int index) {
                 return Napi::String::New(env, schema.dim_names[static_cast<size_t>(index)]);
               };
               Napi::Object described = Napi::Object::New(env);
               described.Set("sum", list(env, dim.names, name));
               described.Set("firstOf", list(env, dim.alternatives, name));
               described.Set("product", list(env, dim.factors, [&](const Factor& factor) {
                               Napi::Object described_factor = Napi::Object::New(env);
                               described_factor.Set("name", name(factor.name));
                               described_factor.Set("option", factor.option);
                               return described_factor;
                             }));
               described.Set("constant", static_cast<double>(dim.constant));
               return described;
             }));
  return result;
}

Napi::Object describe(Napi::Env env, const Option& option) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("name", option.name);
  result.Set("type", option_text(option.type));
  result.Set("choices", list(env, option.choices, [&](const std::string& c) { return Napi::String::New(env, c); }));
  result.Set("default", option.default_value);
  return result;
}

// operations(): what can be called, in the order of the frame's operation numbers
Napi::Value describe_operations(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return list(env, operations(), [&](const ups_operation& operation) {
    Napi::Object result = Napi::Object::New(env);
    result.Set("name", operation.name);
    result.Set("schema", operation.line);
    result.Set("variants", operation.variants);
    const Schema& schema = operation.schema;
    result.Set("inputs", schema.inputs);
    result.Set("parameters",
               list(env, schema.parameters, [&](const Parameter& p) { return describe(env, schema, p); }));
    result.Set("options", list(env, schema.options, [&](const Option& o) { return describe(env, o); }));
    return result;
  });
}

}  // namespace

void export_calls(Napi::Env env, Napi::Object exports, ThreadState& state) {
  // The state travels with the function: looking up instance data would be one more call into the
  // engine.
  const napi_property_descriptor calls[] = {
      {"call", nullptr, guarded<call>, nullptr, nullptr, nullptr, napi_enumerable, &state},
      {"callAsync", nullptr, guarded<call_async>, nullptr, nullptr, nullptr, napi_enumerable, &state}};
  napi_define_properties(env, exports, 2, calls);
  exports.Set("operations", Napi::Function::New<describe_operations>(env, "operations"));
}

}  // namespace upsilon::addon
