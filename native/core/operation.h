// What an operation is to the library: a schema line, and one kernel per variant. Kernels include
// this header (through kernels/lib/kernel.h); it is compiled into the core and into the CUDA
// plug-ins alike, so it stays plain.
#pragma once
#include <cstddef>
#include <cstdint>

#include "schema_text.h"
#include "upsilon/upsilon.h"

namespace upsilon {

class Refusal;
class Threads;

// The ways an operation can be computed. `lanes16` is the 16-lane SIMD source compiled without
// AVX-512, for tests on machines that lack it.
enum class Variant : int32_t { reference, baseline, avx2, lanes16, avx512, cuda, count };
inline constexpr int32_t variant_count = static_cast<int32_t>(Variant::count);

// One checked call, as a kernel receives it. Plain data: it crosses into the CUDA plug-in.
struct Call {
  const ups_tensor* const* tensors;  // schema order; null where an optional argument was left out
  const int64_t* dims;               // values of the schema's dimension names, in order of first appearance
  const void* options;               // the operation's option struct, never null
  void* workspace;                   // 64-byte aligned, as many bytes as the kernel's workspace function asked for
  Threads* threads;                  // CPU: the context's threads
  void* stream;                      // CUDA: cudaStream_t
  int32_t* fault;                    // CUDA: device word, non-zero once a rule was violated; kernels then do nothing
  int32_t precision;                 // ups_precision, for matrix products on CUDA
  int32_t is_double;                 // whether `real` is f64 in this call
  int32_t strategy = -1;  // the kernel's strategy that must compute this, by number; -1: the kernel chooses
  int32_t* last_strategy = nullptr;  // where the kernel says which one has

  template <class T>
  T* data(int index) const {
    const ups_tensor* t = tensors[index];
    return t ? reinterpret_cast<T*>(static_cast<char*>(t->data) + t->byte_offset) : nullptr;
  }
  bool given(int index) const { return tensors[index] != nullptr; }
  void computed_by(int32_t strategy_) const {
    if (last_strategy) *last_strategy = strategy_;
  }
  template <class T>
  const T& option() const {
    return *static_cast<const T*>(options);
  }
};

// Returns UPS_OK, or UPS_ERROR_* when the device failed; every check was done before.
using Kernel = ups_status (*)(const Call&);
// Bytes of scratch memory the kernel needs for this call (tensor data may not be looked at). Null
// means none.
using WorkspaceSize = size_t (*)(const Call&);
// Refuses what is wrong with a call beyond its schema (dims, options and which arguments are given;
// see validity.h).
using Validate = void (*)(const Call&, Refusal&);
// Whether the variant can do this case (dims and options only). Null means every case. References
// have none: they compute every valid call.
using Supports = bool (*)(const Call&);
// Whether a strategy of the kernel computes this case rightly, chosen or not (dims and options
// only).
using FitsStrategy = bool (*)(const Call&, int32_t strategy);

struct KernelEntry {
  Kernel run = nullptr;
  WorkspaceSize workspace = nullptr;
  Supports supports = nullptr;
  // Several ways to compute the same, among which the kernel chooses and tests can force: names,
  // then null.
  const char* const* strategies = nullptr;
  FitsStrategy fits = nullptr;
};

// The reference of an operation, which supports every valid call.
struct Reference {
  Kernel run = nullptr;
  WorkspaceSize workspace = nullptr;
  operator KernelEntry() const { return {run, workspace}; }
};

// An operation's name and schema, as constants; see named_call.h.
struct OperationLine {
  const char* name;  // "graph_conv_forward"
  const char* schema;  // see upsilon.h, "operations, by name"
};

// Every operation has SIMD and CUDA variants, or says here why not; a test asks.
struct Without {
  const char* simd = nullptr;
  const char* cuda = nullptr;
};

// Registrations are static objects that chain themselves into a list when the library is loaded: no
// code runs beyond that, nothing is allocated. The list is joined and parsed at the first use.
// <op>.cc registers an OperationOf (named_call.h).
struct OperationEntry {
  OperationLine line;
  size_t options_size;
  KernelEntry reference_f32, reference_f64;
  Validate validate;
  Without without;
  schema_text::FoundNames names;  // as the compiler found them
  const OperationEntry* next = nullptr;
  mutable const ups_operation* found = nullptr;  // its parsed form, once looked up; see operation_of

  OperationEntry(OperationLine line_, size_t options_size_, KernelEntry f32, KernelEntry f64,
                 Validate validate_ = nullptr, Without without_ = {}, schema_text::FoundNames names_ = {});
};

struct VariantEntry {
  const char* operation;
  Variant variant;
  KernelEntry kernel;
  bool is_double;  // a kernel for `real` = f64, which most variants leave to the reference
  const VariantEntry* next = nullptr;

  VariantEntry(const char* operation_, Variant variant_, KernelEntry kernel_, bool is_double_ = false);
};

// An option struct for operations that have no options.
struct NoOptions {};
template <class T>
inline constexpr size_t options_size_of = sizeof(T);
template <>
inline constexpr size_t options_size_of<NoOptions> = 0;

// The C functions of an operation are one line each:
//   return upsilon::call(context, forward, {x, weight, bias, y}, options);
ups_status call(ups_context* context, const OperationEntry& operation, const ups_tensor* const* tensors, int32_t count,
                const void* options) noexcept;

template <size_t n>
ups_status call(ups_context* context, const OperationEntry& operation, const ups_tensor* const (&tensors)[n],
                const void* options) noexcept {
  return call(context, operation, tensors, static_cast<int32_t>(n), options);
}

}  // namespace upsilon
