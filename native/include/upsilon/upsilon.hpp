// upsilon.hpp: the C++20 wrapper of the C interface. Header only. It names no operation, so it
// never lags behind them.
//
//   upsilon::context ctx({.threads = 4});
//   upsilon::tensor y = ctx.empty<float>({events, classes});
//   ctx(ups_linear_forward, upsilon::view(x, {events, inputs}), weight, nullptr, y,
//       ups_linear_options{.activation = UPS_ACTIVATION_RELU});
//   for (float score : y.span<float>()) ...
//
// Failures are thrown as upsilon::error. Tensors are views of memory that the caller keeps alive,
// or of a block that they share. A tensor over const elements is a const_tensor, which cannot be
// passed as an output. Like a ups_context, an upsilon::context is for one thread at a time.
#ifndef UPSILON_UPSILON_HPP
#define UPSILON_UPSILON_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "upsilon/upsilon.h"

namespace upsilon {

// A failed call: the operation, the argument, what was found and what was expected.
class error : public std::runtime_error {
 public:
  error(ups_status status, std::string operation, std::string argument, const std::string& text)
      : std::runtime_error(operation.empty() ? text : operation + ": " + text), status_(status),
        operation_(std::move(operation)), argument_(std::move(argument)) {}
  explicit error(const ups_error& e) : error(e.status, e.operation, e.argument, e.text) {}

  ups_status status() const noexcept { return status_; }
  const std::string& operation() const noexcept { return operation_; }
  const std::string& argument() const noexcept { return argument_; }

 private:
  ups_status status_;
  std::string operation_, argument_;
};

inline constexpr ups_device cpu{UPS_CPU, 0};
constexpr ups_device cuda(int32_t id = 0) { return {UPS_CUDA, id}; }
constexpr bool on_host(ups_device device) { return device.type == UPS_CPU || device.type == UPS_CUDA_HOST; }

// The C++ types that tensor elements can have.
template <class T>
concept element = std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, int32_t> ||
                  std::is_same_v<T, int64_t> || std::is_same_v<T, uint8_t>;

template <element T>
constexpr ups_dtype dtype_of() {
  constexpr uint8_t code = std::is_floating_point_v<T> ? UPS_FLOAT : std::is_signed_v<T> ? UPS_INT : UPS_UINT;
  return {code, static_cast<uint8_t>(8 * sizeof(T)), 1};
}
constexpr bool same(ups_dtype a, ups_dtype b) { return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes; }

// A reference-counted block of memory on the host or a device. Copies share it; the last one frees
// it, on any thread.
class block {
 public:
  block() = default;
  explicit block(ups_block* adopted) noexcept : handle_(adopted) {}
  block(const block& other) noexcept : handle_(ups_block_retain(other.handle_)) {}
  block(block&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  block& operator=(block other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~block() { ups_block_release(handle_); }

  explicit operator bool() const noexcept { return handle_ != nullptr; }
  ups_block* get() const noexcept { return handle_; }
  void* data() const noexcept { return ups_block_data(handle_); }
  size_t size() const noexcept { return ups_block_size(handle_); }
  ups_device device() const noexcept { return ups_block_device(handle_); }
  // The bytes of a host block; empty if the CPU cannot access the memory.
  std::span<std::byte> bytes() const noexcept {
    if (!on_host(device())) return {};
    return {static_cast<std::byte*>(data()), size()};
  }

 private:
  ups_block* handle_ = nullptr;
};

namespace detail {
// What tensor and const_tensor have in common: a view of a dense row-major array, which shares
// ownership of its block if it has one.
class dense_array {
 public:
  std::span<const int64_t> shape() const noexcept { return {shape_.data(), static_cast<size_t>(view_.ndim)}; }
  int64_t size() const noexcept {
    int64_t product = 1;
    for (const int64_t extent : shape()) product *= extent;
    return product;
  }
  ups_dtype dtype() const noexcept { return view_.dtype; }
  ups_device device() const noexcept { return view_.device; }
  const block& memory() const noexcept { return memory_; }

 protected:
  dense_array(void* data, ups_dtype dtype, ups_device device, std::span<const int64_t> shape, block memory)
      : memory_(std::move(memory)) {
    if (shape.size() > UPS_MAX_DIMENSIONS)
      throw error(UPS_SHAPE, "", "shape", "a tensor has at most " + std::to_string(UPS_MAX_DIMENSIONS) + " dimensions");
    std::ranges::copy(shape, shape_.begin());
    view_.data = data;
    view_.device = device;
    view_.ndim = static_cast<int32_t>(shape.size());
    view_.dtype = dtype;
    view_.shape = shape_.data();
  }
  dense_array(const dense_array& other) : memory_(other.memory_), shape_(other.shape_), view_(other.view_) { rebind(); }
  dense_array(dense_array&& other) noexcept
      : memory_(std::move(other.memory_)), shape_(other.shape_), view_(other.view_) {
    rebind();
  }
  dense_array& operator=(const dense_array& other) noexcept {
    memory_ = other.memory_;
    shape_ = other.shape_;
    view_ = other.view_;
    rebind();
    return *this;
  }
  dense_array& operator=(dense_array&& other) noexcept {
    memory_ = std::move(other.memory_);
    shape_ = other.shape_;
    view_ = other.view_;
    rebind();
    return *this;
  }
  ~dense_array() = default;

  template <element T>
  T* elements() const {
    if (!same(view_.dtype, dtype_of<T>())) throw error(UPS_DTYPE, "", "", "the tensor has another element type");
    if (!on_host(view_.device)) throw error(UPS_DEVICE, "", "", "the tensor is not in host memory");
    return reinterpret_cast<T*>(static_cast<std::byte*>(view_.data) + view_.byte_offset);
  }

  block memory_;
  std::array<int64_t, UPS_MAX_DIMENSIONS> shape_{};
  ups_tensor view_{};

 private:
  void rebind() noexcept { view_.shape = shape_.data(); }
};
}  // namespace detail

// A view of a dense row-major array, which shares ownership of its block if it has one.
class tensor : public detail::dense_array {
 public:
  tensor(void* data, ups_dtype dtype, ups_device device, std::span<const int64_t> shape, block memory = {})
      : dense_array(data, dtype, device, shape, std::move(memory)) {}

  // For the C interface. Calls only read the struct; the operation's schema says whether they write
  // the elements.
  const ups_tensor* get() const noexcept { return &view_; }
  ups_tensor* get() noexcept { return &view_; }

  // The elements in row-major order. Throws unless the tensor is on the host and has this element
  // type.
  template <element T>
  std::span<T> span() const {
    return {elements<T>(), static_cast<size_t>(size())};
  }
};

// The same over read-only elements: can be an input of operations, never an output.
class const_tensor : public detail::dense_array {
 public:
  const_tensor(const void* data, ups_dtype dtype, ups_device device, std::span<const int64_t> shape, block memory = {})
      : dense_array(const_cast<void*>(data), dtype, device, shape, std::move(memory)) {}
  const_tensor(const tensor& other) : dense_array(other) {}  // implicit, as from T* to const T*

  const ups_tensor* get() const noexcept { return &view_; }

  template <element T>
  std::span<const T> span() const {
    return {elements<T>(), static_cast<size_t>(size())};
  }
};

// The number of elements of a shape; throws if no tensor can have this shape.
inline int64_t element_count(std::span<const int64_t> shape) {
  int64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && product > PTRDIFF_MAX / 8 / extent))
      throw error(UPS_SHAPE, "", "shape", "a dimension is negative, or there are too many elements");
    product *= extent;
  }
  return product;
}

// Contiguous memory that outlives the expression: a named std::vector, or any std::span, even a
// temporary one.
template <class Range>
concept lasting_range = std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range> &&
                        std::ranges::borrowed_range<Range> && element<std::ranges::range_value_t<Range>>;

template <class Range>
using tensor_over = std::conditional_t<std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<Range>>>,
                                       const_tensor, tensor>;

// A tensor over the caller's memory; a const_tensor if the elements are const. Without a shape it
// has one dimension.
template <lasting_range Range>
tensor_over<Range> view(Range&& elements, std::span<const int64_t> shape) {
  using T = std::ranges::range_value_t<Range>;
  const auto given = static_cast<int64_t>(std::ranges::size(elements));
  if (const int64_t wanted = element_count(shape); wanted != given)
    throw error(UPS_SHAPE, "", "shape",
                std::to_string(given) + " elements were given (expected " + std::to_string(wanted) + ")");
  return {std::ranges::data(elements), dtype_of<T>(), cpu, shape};
}
template <lasting_range Range>
tensor_over<Range> view(Range&& elements, std::initializer_list<int64_t> shape) {
  return view(elements, std::span<const int64_t>(shape.begin(), shape.size()));
}
template <lasting_range Range>
tensor_over<Range> view(Range&& elements) {
  return view(elements, {static_cast<int64_t>(std::ranges::size(elements))});
}

struct context_options {
  ups_device device = cpu;
  int32_t threads = 1;  // -1: every core this process may use
  ups_precision precision = UPS_FP32;
  const char* variant = nullptr;  // "reference", "avx2" ...; null means the fastest
};

class context {
 public:
  explicit context(const context_options& chosen = {}) : device_(chosen.device) {
    ups_context_options options;
    options.device = chosen.device;
    options.threads = chosen.threads;
    options.precision = chosen.precision;
    options.variant = chosen.variant;
    if (ups_context_create(&options, &handle_) != UPS_OK) throw error(*ups_last_error(nullptr));
  }
  context(context&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)), device_(other.device_) {}
  context& operator=(context&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(device_, other.device_);
    return *this;
  }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context() { ups_context_destroy(handle_); }

  ups_context* get() const noexcept { return handle_; }

  // Calls an operation. Tensors and option structs are passed as pointers, and nullptr as it is.
  // Omitted trailing arguments are null, so options may be omitted. Passing a const_tensor as an
  // output does not compile.
  template <class... Parameters, class... Arguments>
    requires(sizeof...(Arguments) <= sizeof...(Parameters))
  void operator()(ups_status (*operation)(ups_context*, Parameters...), const Arguments&... arguments) const {
    check(invoke(operation, std::make_index_sequence<sizeof...(Parameters) - sizeof...(Arguments)>{}, arguments...));
  }

  // The same by name, for callers that know the operation only at run time.
  void operator()(std::string_view name, std::span<const ups_tensor* const> tensors,
                  const void* options = nullptr) const {
    const std::string terminated(name);
    check(ups_call(handle_, ups_operation_find(terminated.c_str()), tensors.data(),
                   static_cast<int32_t>(tensors.size()), options));
  }

  // A new tensor on this context's device, or on the device given. The elements are uninitialised.
  template <element T>
  tensor empty(std::initializer_list<int64_t> shape) const {
    return empty<T>(std::span<const int64_t>(shape.begin(), shape.size()), device());
  }
  template <element T>
  tensor empty(std::span<const int64_t> shape, ups_device where) const {
    block memory = allocate(static_cast<size_t>(element_count(shape)) * sizeof(T), where);
    void* data = memory.data();
    return {data, dtype_of<T>(), where, shape, std::move(memory)};
  }
  block allocate(size_t bytes, ups_device where = cpu) const {
    ups_block* made = nullptr;
    check(ups_block_create(handle_, where, bytes, &made));
    return block(made);
  }
  block map_file(const std::string& path) const {
    ups_block* made = nullptr;
    check(ups_block_map_file(handle_, path.c_str(), &made));
    return block(made);
  }

  void copy(const const_tensor& source, tensor& destination) const {
    check(ups_copy(handle_, source.get(), destination.get()));
  }
  // A copy on another device. If that is the host, the copy is complete when this returns.
  template <element T>
  tensor copy_to(const const_tensor& source, ups_device where) const {
    tensor made = empty<T>(source.shape(), where);
    copy(source, made);
    return made;
  }

  ups_device device() const noexcept { return device_; }
  void synchronize() const { check(ups_synchronize(handle_)); }
  void set_threads(int32_t threads) const { check(ups_set_threads(handle_, threads)); }
  std::string_view last_variant() const noexcept { return ups_last_variant(handle_); }

 private:
  ups_context* handle_ = nullptr;
  ups_device device_ = cpu;

  void check(ups_status status) const {
    if (status == UPS_OK) return;
    if (const ups_error* said = ups_last_error(handle_); said && said->status == status) throw error(*said);
    throw error(status, "", "", ups_status_text(status));
  }

  template <class Operation, size_t... omitted, class... Arguments>
  ups_status invoke(Operation operation, std::index_sequence<omitted...>, const Arguments&... arguments) const {
    return operation(handle_, pass(arguments)..., (static_cast<void>(omitted), nullptr)...);
  }
  // As with a const pointer, constness is that of the tensor, not of its elements: these may be
  // written.
  static ups_tensor* pass(const tensor& argument) noexcept { return const_cast<ups_tensor*>(argument.get()); }
  static const ups_tensor* pass(const const_tensor& argument) noexcept { return argument.get(); }
  static std::nullptr_t pass(std::nullptr_t) noexcept { return nullptr; }
  template <class Argument>
  static auto pass(const Argument& argument) noexcept {
    if constexpr (std::is_class_v<Argument>) return &argument;
    else return argument;
  }
};

// All devices of this machine, the CPU first.
inline std::vector<ups_device_info> devices() {
  std::vector<ups_device_info> all(static_cast<size_t>(ups_devices(nullptr, 0)));
  const int32_t count = ups_devices(all.data(), static_cast<int32_t>(all.size()));
  all.resize(std::min(all.size(), static_cast<size_t>(count)));
  return all;
}

}  // namespace upsilon
#endif
