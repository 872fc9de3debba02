// Arrow C Data Interface: columns of other libraries as tensors, and tensors in blocks as columns
// for them. Nothing is copied either way.
#include "upsilon/arrow_c.h"

#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "context.h"
#include "counters.h"
#include "entry.h"
#include "rules.h"
#include "text.h"

using namespace upsilon;

namespace {

constexpr ups_dtype int32_type{UPS_INT, 32, 1};

struct Format {
  char letter;
  ups_dtype dtype;
};
constexpr Format formats[] = {{'f', {UPS_FLOAT, 32, 1}},
                              {'g', {UPS_FLOAT, 64, 1}},
                              {'i', int32_type},
                              {'l', {UPS_INT, 64, 1}},
                              {'C', {UPS_UINT, 8, 1}}};

bool same(ups_dtype a, ups_dtype b) { return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes; }

// ---- import ----

struct Unusable {
  ups_status status;
  std::string text;
};

[[noreturn]] void refuse(ups_status status, std::string text) { throw Unusable{status, std::move(text)}; }

int64_t product(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) refuse(UPS_SHAPE, "the column is too long");
  return result;
}

int64_t sum(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) refuse(UPS_SHAPE, "the column is too long");
  return result;
}

// Nulls among the elements begin .. begin + length, counted from the array's offset.
int64_t nulls_among(const ArrowArray& array, int64_t begin, int64_t length) {
  if (array.null_count == 0 || length == 0) return 0;
  const auto* valid = static_cast<const uint8_t*>(array.buffers[0]);
  if (!valid) return array.null_count > 0 ? array.null_count : 0;
  int64_t nulls = 0;
  for (int64_t i = array.offset + begin; i < array.offset + begin + length; ++i)
    nulls += !(valid[i >> 3] >> (i & 7) & 1);
  return nulls;
}

void check_parts(const ArrowArray& array, const ArrowSchema& schema, int64_t buffers, int64_t children) {
  if (array.length < 0 || array.offset < 0) refuse(UPS_SHAPE, "the column has a negative length or offset");
  (void)sum(array.offset, array.length);
  if (array.dictionary || schema.dictionary)
    refuse(UPS_DTYPE, "the column is dictionary-encoded (expected plain values)");
  if (array.n_buffers != buffers || !array.buffers || array.n_children != children || schema.n_children != children ||
      (children > 0 && (!array.children || !array.children[0] || !schema.children || !schema.children[0])))
    refuse(UPS_VALUE,
           format("a column of format %s has %lld buffers and %lld children (expected %lld and %lld)", schema.format,
                  static_cast<long long>(array.n_buffers), static_cast<long long>(array.n_children),
                  static_cast<long long>(buffers), static_cast<long long>(children)));
}

void check_nulls(const ArrowArray& array, int64_t begin, int64_t length) {
  if (const int64_t nulls = nulls_among(array, begin, length))
    refuse(UPS_VALUE,
           format("the column has %lld null%s (expected none)", static_cast<long long>(nulls), nulls == 1 ? "" : "s"));
}

int64_t list_size(std::string_view format_text) {
  int64_t size = -1;
  const char* end = format_text.data() + format_text.size();
  const auto [stopped, problem] = std::from_chars(format_text.data() + 3, end, size);
  if (problem != std::errc() || stopped != end || size < 0)
    refuse(UPS_DTYPE, "the format " + std::string(format_text) + " has no list size");
  return size;
}

// Appends the elements begin .. begin + length of a column to the tensor's shape, down to the
// primitive values. Of these, the ones from check_begin on, check_length many, may not be null.
void read_values(const ArrowArray& array, const ArrowSchema& schema, int64_t begin, int64_t length, int64_t check_begin,
                 int64_t check_length, ups_tensor* values) {
  if (!schema.format) refuse(UPS_DTYPE, "the column has no format");
  const std::string_view text = schema.format;
  const bool fixed_size_list = text.substr(0, 3) == "+w:";
  check_parts(array, schema, fixed_size_list ? 1 : 2, fixed_size_list ? 1 : 0);
  if (sum(begin, length) > array.length)
    refuse(UPS_VALUE, format("a column has %lld elements but %lld are referred to",
                             static_cast<long long>(array.length), static_cast<long long>(begin + length)));
  check_nulls(array, check_begin, check_length);
  if (fixed_size_list) {
    const int64_t size = list_size(text);
    if (values->ndim == UPS_MAX_DIMENSIONS)
      refuse(UPS_SHAPE, format("the column is nested more than %d deep", UPS_MAX_DIMENSIONS));
    values->shape[values->ndim++] = size;
    read_values(*array.children[0], *schema.children[0], product(sum(array.offset, begin), size), product(length, size),
                product(sum(array.offset, check_begin), size), product(check_length, size), values);
    return;
  }
  for (const Format& known : formats) {
    if (text.size() != 1 || text[0] != known.letter) continue;
    values->dtype = known.dtype;
    const auto* data = static_cast<const char*>(array.buffers[1]);
    if (length > 0 && !data) refuse(UPS_VALUE, "the column has no memory");
    const int64_t bytes = product(sum(array.offset, begin), static_cast<int64_t>(element_size(known.dtype)));
    values->data = data ? const_cast<char*>(data) + bytes : nullptr;
    return;
  }
  refuse(UPS_DTYPE,
         "the column has the format " + std::string(text) + " (expected f, g, i, l, C, or +w: and one +l of these)");
}

void read_column(const ArrowArray& array, const ArrowSchema& schema, ups_tensor* values, ups_tensor* offsets) {
  if (!array.release || !schema.release) refuse(UPS_VALUE, "the column was released");
  if (!schema.format) refuse(UPS_DTYPE, "the column has no format");
  if (std::strcmp(schema.format, "+l") != 0) {
    values->ndim = 1;
    values->shape[0] = array.length;
    read_values(array, schema, 0, array.length, 0, array.length, values);
    return;
  }
  if (!offsets || !offsets->shape) refuse(UPS_VALUE, "the column is a list but offsets is null");
  check_parts(array, schema, 2, 1);
  check_nulls(array, 0, array.length);
  static const int32_t nothing[1] = {0};
  const auto* boundaries = static_cast<const int32_t*>(array.buffers[1]);
  if (boundaries) boundaries += array.offset;
  else if (array.length == 0) boundaries = nothing;  // Arrow allows an empty list without offsets
  else refuse(UPS_VALUE, "the list has no offsets");
  const ArrowArray& child = *array.children[0];
  const int32_t first = boundaries[0], last = boundaries[array.length];
  if (first < 0 || last < first || last > child.length)
    refuse(UPS_VALUE, format("the list has offsets from %d to %d but %lld elements", first, last,
                             static_cast<long long>(child.length)));
  values->ndim = 1;
  values->shape[0] = child.length;
  read_values(child, *schema.children[0], 0, child.length, first, last - first, values);
  offsets->data = const_cast<int32_t*>(boundaries);
  offsets->dtype = int32_type;
  offsets->ndim = 1;
  offsets->shape[0] = array.length + 1;
}

// ---- export ----
// A consumer may move a child out and release it later than its parent, so every level owns what it
// points to.

struct ArrayLevel {
  const void* buffers[2] = {nullptr, nullptr};
  ups_block* block = nullptr;
  ArrowArray child{};
  ArrowArray* child_pointer = nullptr;
  bool top = false;
};

void release_array(ArrowArray* array) {
  auto* level = static_cast<ArrayLevel*>(array->private_data);
  if (level->child.release) level->child.release(&level->child);
  ups_block_release(level->block);
  if (level->top) counters().arrow_exports.fetch_sub(1, std::memory_order_relaxed);
  delete level;
  array->release = nullptr;
  array->private_data = nullptr;
}

// Fills `array`; returns where the child is to be built, if any.
ArrowArray* begin_array(ArrowArray* array, int64_t length, const void* data, int64_t buffers, ups_block* block,
                        bool has_child, bool top) {
  auto* level = new ArrayLevel;
  level->buffers[1] = data;
  level->block = ups_block_retain(block);
  level->top = top;
  if (top) counters().arrow_exports.fetch_add(1, std::memory_order_relaxed);
  *array = {};
  array->length = length;
  array->n_buffers = buffers;
  array->buffers = level->buffers;
  array->release = release_array;
  array->private_data = level;
  if (!has_child) return nullptr;
  level->child_pointer = &level->child;
  array->n_children = 1;
  array->children = &level->child_pointer;
  return &level->child;
}

struct SchemaLevel {
  std::string format;
  ArrowSchema child{};
  ArrowSchema* child_pointer = nullptr;
  bool top = false;
};

void release_schema(ArrowSchema* schema) {
  auto* level = static_cast<SchemaLevel*>(schema->private_data);
  if (level->child.release) level->child.release(&level->child);
  if (level->top) counters().arrow_exports.fetch_sub(1, std::memory_order_relaxed);
  delete level;
  schema->release = nullptr;
  schema->private_data = nullptr;
}

ArrowSchema* begin_schema(ArrowSchema* schema, std::string format_text, bool has_child, bool top) {
  auto* level = new SchemaLevel;
  level->format = std::move(format_text);
  level->top = top;
  if (top) counters().arrow_exports.fetch_add(1, std::memory_order_relaxed);
  *schema = {};
  schema->format = level->format.c_str();
  schema->name = top ? "" : "item";
  schema->release = release_schema;
  schema->private_data = level;
  if (!has_child) return nullptr;
  level->child_pointer = &level->child;
  schema->n_children = 1;
  schema->children = &level->child_pointer;
  return &level->child;
}

const char* memory_of(const ups_tensor& tensor, const ups_block* block, const char* name) {
  const int64_t elements = element_count(tensor);
  const size_t size = element_size(tensor.dtype);
  if (size == 0) refuse(UPS_DTYPE, std::string(name) + " has an unknown element type");
  if (elements < 0) refuse(UPS_SHAPE, std::string(name) + " has the impossible shape " + shape_text(tensor));
  if (tensor.device.type != UPS_CPU)
    refuse(UPS_DEVICE, std::string(name) + " is on " + device_text(tensor.device) + " (expected cpu)");
  if (tensor.strides) refuse(UPS_SHAPE, std::string(name) + " has strides (expected dense memory)");
  const char* data = static_cast<const char*>(tensor.data) + tensor.byte_offset;
  const char* begin = static_cast<const char*>(ups_block_data(block));
  const size_t bytes = static_cast<size_t>(elements) * size;
  if (!block || (bytes > 0 && (data < begin || data + bytes > begin + ups_block_size(block))))
    refuse(UPS_VALUE, std::string(name) + " is not inside its block");
  return data;
}

void write_column(const ups_tensor& values, ups_block* block, const ups_tensor* offsets, ups_block* offsets_block,
                  ArrowArray* array, ArrowSchema* schema) {
  const char* data = memory_of(values, block, "values");
  if (values.ndim < 1) refuse(UPS_SHAPE, "values is a scalar (expected at least one dimension)");
  bool top = true;
  if (offsets) {
    const char* boundaries = memory_of(*offsets, offsets_block, "offsets");
    if (!same(offsets->dtype, int32_type))
      refuse(UPS_DTYPE, std::string("offsets is ") + dtype_text(offsets->dtype) + " (expected int32)");
    if (offsets->ndim != 1 || offsets->shape[0] < 1)
      refuse(UPS_SHAPE, "offsets is " + shape_text(*offsets) + " (expected [B+1])");
    std::string problem;
    RuledElements ruled{};
    ruled.data = boundaries;
    ruled.count = offsets->shape[0];
    ruled.bound = values.shape[0];
    if (!check_splits(ruled, {.bound = "N"}, &problem)) refuse(UPS_VALUE, "offsets " + problem);
    array = begin_array(array, offsets->shape[0] - 1, boundaries, 2, offsets_block, true, true);
    schema = begin_schema(schema, "+l", true, true);
    top = false;
  }
  int64_t length = values.shape[0];
  for (int32_t d = 1; d < values.ndim; ++d, top = false) {
    array = begin_array(array, length, nullptr, 1, nullptr, true, top);
    schema = begin_schema(schema, "+w:" + std::to_string(values.shape[d]), true, top);
    length = product(length, values.shape[d]);
  }
  begin_array(array, length, data, 2, block, false, top);
  for (const Format& known : formats)
    if (same(known.dtype, values.dtype)) begin_schema(schema, std::string(1, known.letter), false, top);
}

// Runs the body in the context; an Unusable that it throws is about `argument`.
template <class Body>
ups_status guarded(ups_context* context, const char* argument, Body body) noexcept {
  return enter(context, "", [&] {
    try {
      body();
      return UPS_OK;
    } catch (const Unusable& refusal) {
      return context->error.set(refusal.status, "", argument, refusal.text);
    }
  });
}

}  // namespace

extern "C" {

ups_status ups_tensor_from_arrow(ups_context* context, const ArrowArray* array, const ArrowSchema* schema,
                                 ups_tensor* values, int64_t* shape, ups_tensor* offsets,
                                 int64_t* offsets_shape) noexcept {
  return guarded(context, "array", [&] {
    if (!array || !schema || !values || !shape) refuse(UPS_VALUE, "an argument is null");
    *values = {};
    values->device = {UPS_CPU, 0};
    values->shape = shape;
    if (offsets) {
      *offsets = {};
      offsets->device = {UPS_CPU, 0};
      offsets->shape = offsets_shape;
    }
    read_column(*array, *schema, values, offsets);
  });
}

ups_status ups_tensor_to_arrow(ups_context* context, const ups_tensor* values, ups_block* values_block,
                               const ups_tensor* offsets, ups_block* offsets_block, ArrowArray* array,
                               ArrowSchema* schema) noexcept {
  if (array) *array = {};
  if (schema) *schema = {};
  const ups_status status = guarded(context, "values", [&] {
    if (!values || !array || !schema) refuse(UPS_VALUE, "an argument is null");
    write_column(*values, values_block, offsets, offsets_block, array, schema);
  });
  if (status == UPS_OK) return UPS_OK;
  if (array && array->release) array->release(array);
  if (schema && schema->release) schema->release(schema);
  return status;
}

}  // extern "C"
