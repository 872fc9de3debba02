#include "invoke.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "core/context.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

namespace upsilon::conformance {
namespace {

// Wider than any vector, and a multiple of the alignment of blocks.
constexpr size_t band = 256;
// As floats, NaN: what an over-read lets in shows in the result. As indices, negative.
constexpr unsigned char band_byte = 0xff;

// The bytes of one tensor between two bands. On a device the bands lie there too.
class Guarded {
 public:
  Guarded(ups_context* context, ups_device device, const HostTensor& tensor, bool output, bool in_place, Layout layout)
      : context_(context), device_(device), original_(&tensor), shape_(tensor.shape), output_(output) {
    const size_t shift = layout.shifted ? tensor.size() : 0;
    start_ = band + shift;
    host_.assign(start_ + tensor.bytes.size() + band, band_byte);
    if (output && !in_place) {
      // What an output held before must not matter: NaN in one layout, large finite numbers in the
      // other.
      std::fill_n(host_.begin() + static_cast<ptrdiff_t>(start_), tensor.bytes.size(), layout.shifted ? 0x4b : 0xff);
    } else if (!tensor.bytes.empty()) {
      std::memcpy(host_.data() + start_, tensor.bytes.data(), tensor.bytes.size());
    }
    view_.device = device;
    view_.ndim = static_cast<int32_t>(shape_.size());
    view_.dtype = tensor.dtype;
    view_.shape = shape_.data();
    if (tensor.bytes.empty() && layout.shifted) return;
    // byte_offset and data share the way to the first element, so that kernels must honour both.
    view_.byte_offset = shift;
    if (device.type == UPS_CPU) {
      memory_.reset(static_cast<unsigned char*>(std::aligned_alloc(64, (host_.size() + 63) / 64 * 64)));
      if (!memory_) throw std::bad_alloc();
      std::memcpy(memory_.get(), host_.data(), host_.size());
      ASAN_POISON_MEMORY_REGION(memory_.get(), band);
      ASAN_POISON_MEMORY_REGION(memory_.get() + start_ + tensor.bytes.size(), band);
      view_.data = memory_.get() + band;
    } else {
      if (ups_block_create(context, device, host_.size(), &block_) != UPS_OK)
        throw std::runtime_error(ups_last_error(context)->text);
      copy(true);
      view_.data = static_cast<char*>(ups_block_data(block_)) + band;
    }
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    if (memory_) ASAN_UNPOISON_MEMORY_REGION(memory_.get(), host_.size());
    ups_block_release(block_);
  }

  const ups_tensor* view() const { return &view_; }

  // Brings the bytes back and says what is wrong with them, "" when nothing is.
  std::string check(const std::string& name) {
    if (!view_.data) return "";
    if (memory_) {
      ASAN_UNPOISON_MEMORY_REGION(memory_.get(), host_.size());
      std::memcpy(host_.data(), memory_.get(), host_.size());
    } else {
      copy(false);
    }
    const size_t end = start_ + original_->bytes.size();
    for (size_t i = 0; i < host_.size(); ++i)
      if ((i < band || i >= end) && host_[i] != band_byte)
        return name + " was overwritten " +
               (i < band ? std::to_string(band - i) + " bytes before its begin"
                         : std::to_string(i - end) + " bytes behind its end");
    if (!output_ && !original_->bytes.empty() &&
        std::memcmp(host_.data() + start_, original_->bytes.data(), original_->bytes.size()) != 0)
      return name + " is an input and was changed";
    return "";
  }
  HostTensor content() const {
    HostTensor t(original_->dtype, original_->shape);
    if (!t.bytes.empty()) std::memcpy(t.bytes.data(), host_.data() + start_, t.bytes.size());
    return t;
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  ups_context* context_;
  ups_device device_;
  const HostTensor* original_;
  std::vector<int64_t> shape_;
  bool output_;
  size_t start_ = 0;
  std::vector<unsigned char> host_;
  std::unique_ptr<unsigned char, Free> memory_;
  ups_block* block_ = nullptr;
  ups_tensor view_{};

  void copy(bool to_device) {
    int64_t bytes = static_cast<int64_t>(host_.size());
    ups_tensor here{host_.data(), {UPS_CPU, 0}, 1, {UPS_UINT, 8, 1}, &bytes, nullptr, 0};
    ups_tensor there{ups_block_data(block_), device_, 1, {UPS_UINT, 8, 1}, &bytes, nullptr, 0};
    if (ups_copy(context_, to_device ? &here : &there, to_device ? &there : &here) != UPS_OK)
      throw std::runtime_error(std::string("copy: ") + ups_last_error(context_)->text);
  }
};

}  // namespace

Outcome invoke(ups_context* context, ups_device device, const ups_operation& operation, const Arguments& arguments,
               const void* options, Layout layout, const char* variant, const char* strategy) {
  Outcome outcome;
  const auto& parameters = operation.schema.parameters;
  std::vector<std::unique_ptr<Guarded>> memory(arguments.size());
  std::vector<const ups_tensor*> tensors(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i]) continue;
    memory[i] =
        std::make_unique<Guarded>(context, device, *arguments[i], parameters[i].output, parameters[i].in_place, layout);
    tensors[i] = memory[i]->view();
  }
  context->strategy = strategy;
  outcome.status = ups_call(context, &operation, tensors.data(), static_cast<int32_t>(tensors.size()), options);
  context->strategy.clear();
  if (outcome.status == UPS_OK) outcome.status = ups_synchronize(context);
  if (outcome.status != UPS_OK) {
    outcome.text = ups_last_error(context)->text;
    return outcome;
  }
  if (std::strcmp(ups_last_variant(context), variant) != 0)
    outcome.violation = std::string("variant ") + ups_last_variant(context) + " ran";
  // Where there is nothing to write no kernel runs.
  bool writes = false;
  for (size_t i = 0; i < arguments.size(); ++i)
    writes |= parameters[i].output && memory[i] && arguments[i]->count() > 0;
  if (*strategy && std::strcmp(context->last_strategy, writes ? strategy : "") != 0)
    outcome.violation = std::string("strategy ") + context->last_strategy + " ran";
  outcome.outputs.resize(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!memory[i]) continue;
    const std::string problem = memory[i]->check(parameters[i].name);
    if (outcome.violation.empty()) outcome.violation = problem;
    if (parameters[i].output) outcome.outputs[i] = memory[i]->content();
  }
  return outcome;
}

}  // namespace upsilon::conformance
