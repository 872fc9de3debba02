// The CUDA kernels of this plug-in chain themselves into a list of its own, apart from the core's.
#include "cuda/plugin/registry.h"

namespace upsilon {
namespace {

// Constant-initialised: registrations in other files may run before this file's own initialisers.
constinit const VariantEntry* first_variant = nullptr;

}  // namespace

VariantEntry::VariantEntry(const char* operation_, Variant variant_, KernelEntry kernel_, bool is_double_)
    : operation(operation_), variant(variant_), kernel(kernel_), is_double(is_double_), next(first_variant) {
  first_variant = this;
}

const VariantEntry* cuda_kernels() { return first_variant; }

}  // namespace upsilon
