// One failed allocation, wherever it is, gives UPS_OUT_OF_MEMORY or does no harm, and everything is
// usable afterwards. Every allocation of a context's life, of calls of nearly all operations, of
// blocks and of Arrow columns fails once, in turn; so do fopen, mmap and the start of a thread.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <list>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "core/registry.h"
#include "support/check.h"
#include "upsilon/arrow_c.h"
#include "upsilon/upsilon.h"

// ---- allocations, one of which fails ----

namespace {

std::atomic<int64_t> allocations_left{0};  // until the one that fails; 0: none will, or it did
std::atomic<bool> failed{false};

bool fails() {
  if (allocations_left.load() == 0 || allocations_left.fetch_sub(1) != 1) return false;
  failed = true;
  errno = ENOMEM;
  return true;
}
void* allocate(size_t size, size_t alignment) {
  if (fails()) return nullptr;
  if (alignment <= alignof(std::max_align_t)) return std::malloc(size ? size : 1);
  void* data = nullptr;
  return posix_memalign(&data, alignment, size) == 0 ? data : nullptr;
}
void* allocate_or_throw(size_t size, size_t alignment = 1) {
  if (void* data = allocate(size, alignment)) return data;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t size) { return allocate_or_throw(size); }
void* operator new[](size_t size) { return allocate_or_throw(size); }
void* operator new(size_t size, std::align_val_t alignment) { return allocate_or_throw(size, size_t(alignment)); }
void* operator new[](size_t size, std::align_val_t alignment) { return allocate_or_throw(size, size_t(alignment)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void operator delete(void* data) noexcept { std::free(data); }
void operator delete[](void* data) noexcept { std::free(data); }
void operator delete(void* data, size_t) noexcept { std::free(data); }
void operator delete[](void* data, size_t) noexcept { std::free(data); }
void operator delete(void* data, std::align_val_t) noexcept { std::free(data); }
void operator delete[](void* data, std::align_val_t) noexcept { std::free(data); }
void operator delete(void* data, size_t, std::align_val_t) noexcept { std::free(data); }
void operator delete[](void* data, size_t, std::align_val_t) noexcept { std::free(data); }

// The linker sends the library's calls of these functions here (--wrap).
extern "C" {
void* __real_aligned_alloc(size_t alignment, size_t size);
void* __wrap_aligned_alloc(size_t alignment, size_t size) {
  return fails() ? nullptr : __real_aligned_alloc(alignment, size);
}
void* __real_mmap(void* at, size_t size, int protection, int flags, int file, off_t offset);
void* __wrap_mmap(void* at, size_t size, int protection, int flags, int file, off_t offset) {
  return fails() ? MAP_FAILED : __real_mmap(at, size, protection, flags, file, offset);
}
std::FILE* __real_fopen(const char* name, const char* mode);
std::FILE* __wrap_fopen(const char* name, const char* mode) { return fails() ? nullptr : __real_fopen(name, mode); }

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which have their own
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto next = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return fails() ? EAGAIN : next(thread, attributes, run, argument);
}
#endif
}

using namespace upsilon;

namespace {

// What happened when the number-th allocation from here failed: nullopt once there are no more so
// many.
template <class Body>
std::optional<ups_status> with_failure(int64_t number, Body&& body) {
  failed = false;
  allocations_left = number;
  const ups_status status = body();
  allocations_left = 0;
  return failed ? std::optional(status) : std::nullopt;
}

// Fails each allocation in turn. The body makes what it needs; it must come to the same end without
// a failure after each. `step`: the share of the allocations to go on by, 0 for one at a time.
template <class Body>
int64_t fail_each(const char* what, double step, Body&& body) {
  int64_t sites = 0, survived = 0;
  for (int64_t number = 1;; number += 1 + static_cast<int64_t>(static_cast<double>(number) * step)) {
    const std::optional<ups_status> status = with_failure(number, body);
    if (!status) break;
    ++sites;
    survived += *status == UPS_OK;
    if (*status != UPS_OK && *status != UPS_OUT_OF_MEMORY && !CHECK(false))
      std::printf("  %s: status %d where allocation %lld fails\n", what, *status, static_cast<long long>(number));
    if (step == 0 && body() != UPS_OK && !CHECK(false))
      std::printf("  %s: unusable after allocation %lld failed\n", what, static_cast<long long>(number));
  }
  CHECK(body() == UPS_OK);
  if (step > 0)
    std::printf("%s: %lld failed, %lld of them were survived\n", what, static_cast<long long>(sites),
                static_cast<long long>(survived));
  return sites;
}

ups_status make_context(int32_t threads, ups_context** context) {
  ups_context_options options;
  options.threads = threads;
  const ups_status status = ups_context_create(&options, context);
  if (status != UPS_OK) CHECK(*context == nullptr && ups_last_error(nullptr)->status == status);
  return status;
}

// ---- contexts ----

ups_status a_context() {
  ups_context* context = nullptr;
  const ups_status status = make_context(-1, &context);
  ups_context_destroy(context);
  return status;
}

// The schemas are parsed at the first use of the process: until one attempt succeeds, each is the
// first.
void first_use() {
  const auto found = [] { return ups_operation_find("linear_forward") ? UPS_OK : UPS_OUT_OF_MEMORY; };
  for (int64_t number = 1; number < 50; ++number) CHECK(with_failure(number, found) == UPS_OUT_OF_MEMORY);
  CHECK(with_failure(5, [] { return ups_operation_count() ? UPS_OK : UPS_OUT_OF_MEMORY; }) == UPS_OUT_OF_MEMORY);
  CHECK(fail_each("the first context", 0.03, a_context) > 100);
  CHECK(ups_operation_find("linear_forward") && ups_operation_count() > 50);
  fail_each("a context", 0, a_context);
}

// ---- calls ----

int64_t extent(const std::string& name) {
  if (name == "...") return 3000;
  if (name == "N" || name == "E") return 400;
  return name == "B" ? 20 : 6;
}

// One call of an operation with arguments that are made from its schema: every name of a dimension
// has one size.
class AnyCall {
 public:
  explicit AnyCall(const ups_operation& operation) : operation_(operation) {
    const Schema& schema = operation.schema;
    for (const Parameter& p : schema.parameters) {
      if (p.rule == Rule::pairs) {
        tensors_.push_back(nullptr);
        continue;
      }
      std::vector<int64_t>& shape = shapes_.emplace_back();
      int64_t count = 1;
      for (const Dimension& dim : p.dims) count *= shape.emplace_back(size_of(schema, dim));
      std::vector<double>& memory = memory_.emplace_back(static_cast<size_t>(count) + 1);
      fill(schema, p, memory.data(), count);
      const bool integer = p.type == ElementType::i32 || p.type == ElementType::i64;
      const uint8_t code = integer ? UPS_INT : p.type == ElementType::u8 ? UPS_UINT : UPS_FLOAT;
      const uint8_t bits = p.type == ElementType::u8                                  ? 8
                           : p.type == ElementType::i64 || p.type == ElementType::f64 ? 64
                                                                                      : 32;
      views_.push_back(
          {memory.data(), {UPS_CPU, 0}, static_cast<int32_t>(shape.size()), {code, bits, 1}, shape.data(), nullptr, 0});
      tensors_.push_back(&views_.back());
    }
  }
  AnyCall(const AnyCall&) = delete;
  AnyCall& operator=(const AnyCall&) = delete;

  // Outputs begin anew each time, those that are updated in place too.
  ups_status run(ups_context* context) {
    size_t next = 0;
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (!tensors_[i]) continue;
      const Parameter& p = operation_.schema.parameters[i];
      std::vector<double>& memory = memory_[next++];
      if (p.output) fill(operation_.schema, p, memory.data(), static_cast<int64_t>(memory.size()) - 1);
    }
    return ups_call(context, &operation_, tensors_.data(), static_cast<int32_t>(tensors_.size()), nullptr);
  }
  // Visits what the last call wrote, output by output.
  template <class Visit>
  void results(Visit visit) const {
    for (size_t i = 0, next = 0; i < tensors_.size(); ++i) {
      if (!tensors_[i]) continue;
      if (operation_.schema.parameters[i].output) visit(memory_[next]);
      ++next;
    }
  }

 private:
  const ups_operation& operation_;
  std::vector<const ups_tensor*> tensors_;
  // What these hold is pointed to, and stays where it is.
  std::list<std::vector<int64_t>> shapes_;
  std::list<ups_tensor> views_;
  std::deque<std::vector<double>> memory_;

  static int64_t size_of(const Schema& schema, const Dimension& dim) {
    const auto named = [&](int name) { return extent(schema.dim_names[static_cast<size_t>(name)]); };
    if (!dim.alternatives.empty()) return named(dim.alternatives[0]);
    int64_t size = dim.constant;
    for (const int name : dim.names) size += named(name);
    if (dim.factors.empty()) return size;
    size = 1;
    for (const Factor& factor : dim.factors)
      if (factor.option < 0 || schema.options[static_cast<size_t>(factor.option)].default_value != 0)
        size *= named(factor.name);
    return size;
  }
  static void fill(const Schema& schema, const Parameter& p, double* memory, int64_t count) {
    std::memset(memory, 0, static_cast<size_t>(count) * sizeof(double));
    auto* const integers = reinterpret_cast<int32_t*>(memory);
    auto* const floats = reinterpret_cast<float*>(memory);
    const int64_t bound = p.rule_dim >= 0 ? extent(schema.dim_names[static_cast<size_t>(p.rule_dim)]) : 0;
    for (int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<double>(i * 37 % 101 + 1) / 128;
      if (p.rule == Rule::splits) integers[i] = static_cast<int32_t>(bound * i / (count - 1));
      else if (p.rule == Rule::below) integers[i] = static_cast<int32_t>(i * 7 % bound);
      else if (p.rule == Rule::forest) integers[i] = -1;
      else if (p.rule == Rule::sorts) integers[i] = static_cast<int32_t>(i);
      else if (p.type == ElementType::f64) memory[i] = value;
      else if (p.type == ElementType::f32 || p.type == ElementType::real) floats[i] = static_cast<float>(value);
    }
  }
};

// Without an allocation, as it runs while one is to fail.
bool has_results(const AnyCall& call, const std::vector<std::vector<double>>& wanted) {
  bool same = true;
  size_t next = 0;
  call.results([&](const std::vector<double>& found) {
    same = same && std::memcmp(found.data(), wanted[next].data(), found.size() * sizeof(double)) == 0;
    ++next;
  });
  return same;
}

void calls() {
  int tried = 0, sites = 0;
  for (const ups_operation& operation : operations()) {
    AnyCall call(operation);
    ups_context* plain = nullptr;
    CHECK(make_context(1, &plain) == UPS_OK);
    const bool possible = call.run(plain) == UPS_OK;
    ups_context_destroy(plain);
    if (!possible) continue;  // its dimensions cannot all be of these sizes
    ++tried;
    std::vector<std::vector<double>> wanted;
    call.results([&](const std::vector<double>& found) { wanted.push_back(found); });
    for (const int32_t threads : {1, 3})
      sites += static_cast<int>(fail_each(operation.name, 0, [&] {
        ups_context* context = nullptr;
        ups_status status = make_context(threads, &context);
        if (status != UPS_OK) return status;
        status = call.run(context);
        if (status != UPS_OK) {  // the same context goes on
          CHECK(ups_last_error(context)->status == status);
          CHECK_TEXT(ups_last_error(context)->operation, operation.name);
          CHECK(call.run(context) == UPS_OK);
        }
        CHECK(has_results(call, wanted));
        ups_context_destroy(context);
        return status;
      }));
  }
  std::printf("%d operations, %d allocations failed\n", tried, sites);
  CHECK(tried > 60);
}

// Memory may run out while an error is put into words.
void refusals() {
  const ups_operation& linear = *ups_operation_find("linear_forward");
  float number = 0;
  int64_t shape[] = {1, 1}, wrong[] = {1, 2};
  const ups_tensor x{&number, {UPS_CPU, 0}, 2, {UPS_FLOAT, 32, 1}, shape, nullptr, 0};
  ups_tensor weight = x;
  weight.shape = wrong;
  const ups_tensor* tensors[] = {&x, &weight, nullptr, &x};
  ups_context* context = nullptr;
  CHECK(make_context(1, &context) == UPS_OK);
  const auto refused = [&] {
    const ups_status status = ups_call(context, &linear, tensors, 4, nullptr);
    CHECK(ups_last_error(context)->status == status);
    return status == UPS_SHAPE ? UPS_OK : status;
  };
  CHECK(fail_each("a wrong shape", 0, refused) > 0);
  CHECK_TEXT(ups_last_error(context)->argument, "weight");
  const auto wrong_value = [&] { return ups_set_threads(context, -9) == UPS_VALUE ? UPS_OK : UPS_OUT_OF_MEMORY; };
  CHECK(fail_each("a wrong number of threads", 0, wrong_value) > 0);
  ups_context_destroy(context);
  const auto no_context = [] {
    ups_context* none = nullptr;
    ups_context_options options;
    options.variant = "a variant whose name is too long for a string without memory of its own";
    const ups_status status = ups_context_create(&options, &none);
    return status == UPS_VALUE ? UPS_OK : status;
  };
  CHECK(fail_each("a wrong variant", 0, no_context) > 0);
}

// ---- blocks, devices, Arrow ----

void blocks() {
  ups_context* context = nullptr;
  CHECK(make_context(1, &context) == UPS_OK);
  for (const size_t bytes : {size_t{0}, size_t{100}, size_t{1} << 16, size_t{5} << 20})
    fail_each("a block", 0, [&] {
      ups_trim();
      ups_block* block = nullptr;
      const ups_status status = ups_block_create(context, {UPS_CPU, 0}, bytes, &block);
      CHECK((status == UPS_OK) == (block != nullptr));
      if (block && bytes) static_cast<char*>(ups_block_data(block))[bytes - 1] = 1;
      ups_block_release(block);
      return status;
    });
  std::string path = (std::filesystem::temp_directory_path() / "upsilon-out-of-memory-XXXXXX").string();
  const int file = mkstemp(path.data());
  CHECK(file >= 0 && write(file, "421", 3) == 3);
  close(file);
  fail_each("a mapped file", 0, [&] {
    ups_block* block = nullptr;
    const ups_status status = ups_block_map_file(context, path.c_str(), &block);
    CHECK((status == UPS_OK) == (block && std::memcmp(ups_block_data(block), "421", 3) == 0));
    ups_block_release(block);
    return status;
  });
  unlink(path.c_str());
  fail_each("devices", 0, [] {
    ups_device_info one;
    CHECK(ups_devices(&one, 1) >= 1 && std::strcmp(one.name, "cpu") == 0 && one.threads >= 1);
    CHECK(ups_unavailable_because(99) != nullptr);
    return ups_set_plugin_directory("/nowhere/at/all/that/could/be/found/on/this/machine");
  });
  CHECK(ups_set_plugin_directory(nullptr) == UPS_OK);
  CHECK(ups_count().blocks == 0 && ups_count().block_bytes == 0);
  ups_context_destroy(context);
}

void arrow() {
  ups_context* context = nullptr;
  CHECK(make_context(1, &context) == UPS_OK);
  ups_block *reals = nullptr, *integers = nullptr;
  CHECK(ups_block_create(context, {UPS_CPU, 0}, 48, &reals) == UPS_OK);
  CHECK(ups_block_create(context, {UPS_CPU, 0}, 12, &integers) == UPS_OK);
  const int32_t cuts[] = {0, 1, 3};
  std::memcpy(ups_block_data(integers), cuts, sizeof cuts);
  int64_t values_shape[] = {3, 2, 2}, offsets_shape[] = {3};
  const ups_tensor values{ups_block_data(reals), {UPS_CPU, 0}, 3, {UPS_FLOAT, 32, 1}, values_shape, nullptr, 0};
  const ups_tensor offsets{ups_block_data(integers), {UPS_CPU, 0}, 1, {UPS_INT, 32, 1}, offsets_shape, nullptr, 0};
  const int64_t sites = fail_each("an Arrow column", 0, [&] {
    ArrowArray array;
    ArrowSchema schema;
    ups_status status = ups_tensor_to_arrow(context, &values, reals, &offsets, integers, &array, &schema);
    if (status != UPS_OK) {
      CHECK(!array.release && !schema.release);
      return status;
    }
    ups_tensor again, boundaries;
    int64_t shape[UPS_MAX_DIMENSIONS], length[1];
    status = ups_tensor_from_arrow(context, &array, &schema, &again, shape, &boundaries, length);
    if (status == UPS_OK) CHECK(again.ndim == 3 && shape[0] == 3 && again.data == values.data && length[0] == 3);
    // A refusal, whose words need memory.
    const ups_status refused = ups_tensor_from_arrow(context, &array, &schema, &again, shape, nullptr, nullptr);
    array.release(&array);
    schema.release(&schema);
    return status == UPS_OK && refused == UPS_OUT_OF_MEMORY ? refused : status;
  });
  CHECK(sites > 5);
  ups_block_release(reals);
  ups_block_release(integers);
  ups_context_destroy(context);
  const ups_counters alive = ups_count();
  CHECK(alive.blocks == 0 && alive.arrow_exports == 0 && alive.arrow_imports == 0);
}

}  // namespace

int main() {
  unsetenv("UPSILON_FORCE");
  first_use();
  calls();
  refusals();
  blocks();
  arrow();
  return finish_checks();
}
