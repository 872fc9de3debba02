#include "frame.h"

#include <cstring>
#include <new>

#include "context.h"
#include "registry.h"

namespace upsilon::addon {

bool Invocation::take_snapshots(bool everything) {
  snapshots.clear();
  if (!operation) return true;
  for (int i = 0; i < operation->schema.inputs; ++i) {
    const Parameter& p = operation->schema.parameters[static_cast<size_t>(i)];
    const bool used_as_boundaries = p.rule != Rule::none;
    if (!used_as_boundaries || !pointers[i] || tensors[i].device.type != UPS_CPU) continue;
    if (!everything && !shared[i]) continue;
    const int64_t elements = element_count(tensors[i]);
    if (elements <= 0) continue;
    const size_t bytes = static_cast<size_t>(elements) * element_size(tensors[i].dtype);
    std::unique_ptr<char[]> copy(new (std::nothrow) char[bytes]);
    if (!copy) return false;
    std::memcpy(copy.get(), static_cast<const char*>(tensors[i].data) + tensors[i].byte_offset, bytes);
    tensors[i].data = copy.get();
    tensors[i].byte_offset = 0;
    snapshots.push_back(std::move(copy));
  }
  return true;
}

ups_status Invocation::run(ups_context* context) const {
  if (operation) return ups_call(context, operation, pointers, count, options);
  return ups_copy(context, pointers[0], const_cast<ups_tensor*>(pointers[1]));
}

}  // namespace upsilon::addon
