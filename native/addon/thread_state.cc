#include "thread_state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "async.h"
#include "context.h"
#include "registry.h"
#include "text.h"

namespace upsilon::addon {

Contexts::~Contexts() {
  for (const Entry& entry : entries_) ups_context_destroy(entry.context);
}

ups_context* Contexts::find(ups_device device) const {
  for (const Entry& entry : entries_)
    if (entry.device.type == device.type && entry.device.id == device.id) return entry.context;
  return nullptr;
}

ups_context* Contexts::get(ups_device device, int32_t threads, int32_t precision, Failure* failure) {
  if (ups_context* known = find(device)) return known;
  ups_context_options options;
  options.device = device;
  options.threads = threads;
  options.precision = precision;
  ups_context* context = nullptr;
  if (ups_context_create(&options, &context) != UPS_OK) {
    *failure = Failure::of(nullptr);
    return nullptr;
  }
  entries_.push_back({device, context});
  return context;
}

void Contexts::set_threads(int32_t threads) {
  for (const Entry& entry : entries_) (void)ups_set_threads(entry.context, threads);
}

void Contexts::set_precision(int32_t precision) {
  for (const Entry& entry : entries_) (void)ups_set_precision(entry.context, precision);
}

double BlockTable::add(Hold* hold) {
  if (free_.empty()) {
    slots_.push_back({hold, 1});
    return slots_per_generation + static_cast<double>(slots_.size() - 1);
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& reused = slots_[index];
  reused.hold = hold;
  return slots_per_generation * ++reused.generation + index;
}

const BlockTable::Slot* BlockTable::slot(double id) const {
  if (!(id >= 0 && id < 9e15)) return nullptr;
  const double generation = std::floor(id / slots_per_generation);
  const auto index = static_cast<size_t>(id - generation * slots_per_generation);
  if (index >= slots_.size() || slots_[index].generation != generation || !slots_[index].hold) return nullptr;
  return &slots_[index];
}

ups_block* BlockTable::find(double id) const {
  const Slot* found = slot(id);
  return found ? found->hold->block : nullptr;
}

Hold* BlockTable::take(double id) {
  const Slot* found = slot(id);
  if (!found) return nullptr;
  const auto index = static_cast<uint32_t>(found - slots_.data());
  free_.push_back(index);
  return std::exchange(slots_[index].hold, nullptr);
}

ThreadState::ThreadState() : threads(-1), queue(std::make_unique<AsyncQueue>(*this)) {}
ThreadState::~ThreadState() = default;

size_t element_bytes(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array: return 1;
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: return 4;
    default: return 8;
  }
}

namespace {

void put_option(const Option& option, double value, char* options) {
  const auto put = [&](auto typed) { std::memcpy(options + option.offset, &typed, sizeof typed); };
  switch (option.type) {
    case OptionType::f64:
    case OptionType::i64:
    case OptionType::u64: return put(value);  // integers come as their 64 bits
    case OptionType::f32: return put(static_cast<float>(value));
    default: return put(value >= INT32_MIN && value <= INT32_MAX ? static_cast<int32_t>(value) : INT32_MIN);
  }
}

}  // namespace

bool ThreadState::read(napi_env env, const napi_value* arrays, size_t array_count, Invocation* into,
                       Failure* failure) const {
  Invocation& call = *into;
  const double number = frame[frame::operation];
  const ups_operation* operation =
      number >= 0 && number < 1e6 ? ups_operation_at(static_cast<int32_t>(number)) : nullptr;
  if (!operation && number != frame::copy) {
    *failure = {UPS_INTERNAL, "", "operation", "there is no such operation"};
    return false;
  }
  call.begin(operation);
  call.caller = frame[frame::caller];
  if (operation) {
    const size_t size = operation->schema.options_size;
    if (size > 0) std::memcpy(call.options.data(), &size, sizeof size);
    const auto& options = operation->schema.options;
    char* const to = reinterpret_cast<char*>(call.options.data());
    for (size_t i = 0; i < options.size(); ++i) put_option(options[i], frame[frame::options_at + i], to);
  }
  call.device = {static_cast<int32_t>(frame[frame::device_type]), static_cast<int32_t>(frame[frame::device_id])};
  const int tensors_at = frame::tensors_at();
  size_t next_array = 0;
  for (int i = 0; i < call.count; ++i) {
    Invocation::Argument& argument = call.arguments[static_cast<size_t>(i)];
    const ups_tensor*& pointer = call.pointers[static_cast<size_t>(i)];
    const double* record = frame + tensors_at + i * frame::tensor_stride;
    const auto kind = static_cast<MemoryKind>(static_cast<int>(record[frame::kind]));
    pointer = nullptr;
    argument.block = nullptr;
    argument.shared = kind == MemoryKind::shared;
    if (kind == MemoryKind::absent) continue;
    const auto fail = [&](ups_status status, const std::string& message) {
      *failure = call.failure(i, status, message);
      return false;
    };

    ups_tensor& tensor = argument.tensor;
    tensor.dtype = dtypes[static_cast<int>(record[frame::dtype])];
    tensor.ndim = static_cast<int32_t>(record[frame::dimensions]);
    tensor.shape = argument.shape;
    tensor.strides = nullptr;
    tensor.byte_offset = 0;
    if (tensor.ndim > UPS_MAX_DIMENSIONS)
      return fail(UPS_SHAPE, format("has %d dimensions (at most %d)", tensor.ndim, UPS_MAX_DIMENSIONS));
    for (int32_t d = 0; d < tensor.ndim; ++d) {
      const double extent = record[frame::shape + d];
      if (!(extent >= 0 && extent <= 9e15)) return fail(UPS_SHAPE, "has a dimension that is no size");
      argument.shape[d] = static_cast<int64_t>(extent);
    }
    const int64_t elements = element_count(tensor);
    if (elements < 0) return fail(UPS_SHAPE, "has the impossible shape " + shape_text(tensor));
    const auto wanted = static_cast<double>(elements) * static_cast<double>(element_size(tensor.dtype));

    char* memory = nullptr;
    double size = 0;
    if (kind == MemoryKind::block) {
      ups_block* block = blocks.find(record[frame::block]);
      if (!block) return fail(UPS_VALUE, "was disposed of");
      argument.block = block;
      memory = static_cast<char*>(ups_block_data(block));
      size = static_cast<double>(ups_block_size(block));
      tensor.device = ups_block_device(block);
    } else {
      napi_typedarray_type type;
      size_t length = 0;
      void* data = nullptr;
      if (next_array >= array_count ||
          napi_get_typedarray_info(env, arrays[next_array++], &type, &length, &data, nullptr, nullptr) != napi_ok)
        return fail(UPS_INTERNAL, "did not arrive as a typed array");
      memory = static_cast<char*>(data);
      size = static_cast<double>(length * element_bytes(type));
      tensor.device = {UPS_CPU, 0};
    }
    const double offset = record[frame::byte_offset];
    if (!(offset >= 0 && offset + wanted <= size))
      return fail(UPS_VALUE, format("has %.0f bytes of memory, but its shape ", std::max(size - offset, 0.0)) +
                                 shape_text(tensor) +
                                 format(" needs %.0f (was the array detached or resized?)", wanted));
    tensor.data = memory ? memory + static_cast<size_t>(offset) : nullptr;
    pointer = &tensor;
  }
  if (!call.operation && (!call.pointers[0] || !call.pointers[1])) {
    *failure = {UPS_VALUE, "copy", "", "a tensor is missing"};
    return false;
  }
  return true;
}

napi_value ThreadState::error(napi_env env, const Failure& failure) const {
  napi_value arguments[5] = {}, self, factory, result = nullptr;
  const auto text = [&](const std::string& from) {
    napi_value made = nullptr;
    napi_create_string_utf8(env, from.data(), from.size(), &made);
    return made;
  };
  const std::vector<std::string>& parts = failure.message.parts;
  napi_create_int32(env, failure.status, &arguments[0]);
  arguments[1] = text(failure.operation);
  arguments[2] = text(failure.argument);
  napi_create_array_with_length(env, parts.size(), &arguments[3]);
  for (size_t i = 0; i < parts.size(); ++i)
    napi_set_element(env, arguments[3], static_cast<uint32_t>(i), text(parts[i]));
  napi_create_double(env, failure.caller, &arguments[4]);
  napi_get_undefined(env, &self);
  napi_get_reference_value(env, make_error, &factory);
  // Fails when the thread is being terminated: there is nobody left to tell.
  return napi_call_function(env, self, factory, 5, arguments, &result) == napi_ok ? result : nullptr;
}

napi_value ThreadState::raise(napi_env env, const Failure& failure) const {
  if (napi_value made = error(env, failure)) napi_throw(env, made);
  return nullptr;
}

}  // namespace upsilon::addon
