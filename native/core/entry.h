// How every function of the C interface that takes a context enters and leaves it: one thread at a
// time, and no exception gets out.
#pragma once
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "context.h"

namespace upsilon {

// Of ups_context_create on this thread, and of calls without a context.
Error& creation_error() noexcept;

// Takes the context for this thread until it is destroyed, unless another thread has it.
class Entry {
 public:
  explicit Entry(ups_context& context) noexcept;
  ~Entry();
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  bool refused() const { return refused_; }

 private:
  ups_context& context_;
  bool refused_;
};

// Runs the body, which returns a status, in the context. What it throws becomes an error of the
// operation.
template <class Body>
ups_status enter(ups_context* context, std::string_view operation, Body&& body) noexcept {
  if (!context) return creation_error().set(UPS_VALUE, operation, "context", "context is null");
  const Entry entry(*context);
  if (entry.refused()) return UPS_BUSY;
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return context->error.set(UPS_OUT_OF_MEMORY, operation, "", "out of memory");
  } catch (const std::exception& e) {
    return context->error.set(UPS_INTERNAL, operation, "", e.what());
  }
}

}  // namespace upsilon
