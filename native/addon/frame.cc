#include "frame.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "context.h"
#include "registry.h"
#include "text.h"

namespace upsilon::addon {

Failure Failure::of(const ups_context* context) {
  const ups_error& error = *ups_last_error(context);
  Failure failure{error.status, error.operation, error.argument, std::string(error.text)};
  if (!context || context->error.mention_count == 0) return failure;
  std::vector<std::string>& parts = failure.message.parts;
  const std::string text = std::exchange(parts[0], "");
  size_t at = 0;
  for (int32_t i = 0; i < context->error.mention_count; ++i) {
    const Mention& mention = context->error.mentions[i];
    parts.back() = text.substr(at, mention.begin - at);
    parts.push_back(text.substr(mention.begin, mention.length));
    parts.emplace_back();
    at = size_t{mention.begin} + mention.length;
  }
  parts.back() = text.substr(at);
  return failure;
}

int frame::max_options() { return static_cast<int>(largest().options); }
int frame::max_tensors() { return std::max(static_cast<int>(largest().parameters), 2); }

void Invocation::begin(const ups_operation* operation_) {
  operation = operation_;
  const size_t needed = operation ? operation->schema.parameters.size() : 2;
  count = static_cast<int>(needed);
  if (arguments.size() < needed) arguments.resize(needed);
  if (pointers.size() < needed) pointers.resize(needed);
  const size_t option_size = operation ? (operation->schema.options_size + sizeof(double) - 1) / sizeof(double) : 0;
  if (options.size() < option_size) options.resize(option_size);
}

bool Invocation::take_snapshots(bool everything) {
  snapshots.clear();
  if (!operation) return true;
  for (int i = 0; i < operation->schema.inputs; ++i) {
    const Parameter& p = operation->schema.parameters[static_cast<size_t>(i)];
    Argument& argument = arguments[static_cast<size_t>(i)];
    ups_tensor& tensor = argument.tensor;
    // Integers under a rule are used as indices: memory that changes after the check would crash.
    if (row_of(p.rule).type != RuledType::i32 || !pointers[static_cast<size_t>(i)] || argument.own ||
        tensor.device.type != UPS_CPU)
      continue;
    if (!everything && !argument.shared) continue;
    const int64_t elements = element_count(tensor);
    if (elements <= 0) continue;
    const size_t bytes = static_cast<size_t>(elements) * element_size(tensor.dtype);
    std::unique_ptr<char[]> copy(new (std::nothrow) char[bytes]);
    if (!copy) return false;
    std::memcpy(copy.get(), static_cast<const char*>(tensor.data) + tensor.byte_offset, bytes);
    tensor.data = copy.get();
    tensor.byte_offset = 0;
    snapshots.push_back(std::move(copy));
  }
  return true;
}

ups_status Invocation::run(ups_context* context) const {
  if (operation) return ups_call(context, operation, pointers.data(), count, options.data());
  return ups_copy(context, pointers[0], const_cast<ups_tensor*>(pointers[1]));
}

Failure Invocation::failure(int parameter, ups_status status, std::string message) const {
  const std::string name = parameter_name(parameter);
  return {status, operation_name(), name, {"", name, " " + std::move(message)}, caller};
}

const char* Invocation::operation_name() const { return operation ? operation->name : "copy"; }

std::string Invocation::parameter_name(int i) const {
  if (!operation) return i == 0 ? "source" : "destination";
  return operation->schema.parameters[static_cast<size_t>(i)].name;
}

bool Invocation::is_output(int i) const { return i >= (operation ? operation->schema.inputs : 1); }

bool Invocation::is_in_place(int i) const {
  return operation && operation->schema.parameters[static_cast<size_t>(i)].in_place;
}

bool Invocation::find_overlap(int* output, int* other) const {
  const auto range = [&](int i) -> std::pair<uintptr_t, uintptr_t> {
    const ups_tensor* const tensor = pointers[static_cast<size_t>(i)];
    if (!tensor) return {0, 0};
    const uintptr_t begin = reinterpret_cast<uintptr_t>(tensor->data) + tensor->byte_offset;
    return {begin, begin + static_cast<uintptr_t>(element_count(*tensor)) * element_size(tensor->dtype)};
  };
  for (int i = 0; i < count; ++i) {
    const auto [begin, end] = range(i);
    if (!is_output(i) || begin == end) continue;
    for (int k = 0; k < count; ++k) {
      const auto [other_begin, other_end] = range(k);
      if (k == i || other_begin >= end || begin >= other_end) continue;
      *output = i;
      *other = k;
      return true;
    }
  }
  return false;
}

}  // namespace upsilon::addon
