// The Arrow C Data Interface: what is exported comes back the same, and malformed columns are
// refused with a status.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "upsilon/arrow_c.h"
#include "upsilon/upsilon.h"

static int failures = 0;
#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                          \
    }                                                                      \
  } while (false)

namespace {

ups_context* context = nullptr;

// A column as another library would make it: not released by anybody here.
struct Column {
  std::vector<const void*> buffers;
  std::vector<ArrowArray*> children;
  std::vector<ArrowSchema*> child_schemas;
  ArrowArray array{};
  ArrowSchema schema{};

  Column(const char* format, int64_t length, std::vector<const void*> buffers_, Column* child = nullptr,
         int64_t offset = 0)
      : buffers(std::move(buffers_)) {
    if (child) {
      children.push_back(&child->array);
      child_schemas.push_back(&child->schema);
    }
    array.length = length;
    array.offset = offset;
    array.null_count = buffers[0] ? -1 : 0;
    array.n_buffers = static_cast<int64_t>(buffers.size());
    array.buffers = buffers.data();
    array.n_children = static_cast<int64_t>(children.size());
    array.children = children.data();
    array.release = [](ArrowArray*) {};
    schema.format = format;
    schema.n_children = array.n_children;
    schema.children = child_schemas.data();
    schema.release = [](ArrowSchema*) {};
  }
  Column(const Column&) = delete;
  Column& operator=(const Column&) = delete;
};

struct View {
  ups_tensor values{}, offsets{};
  int64_t shape[UPS_MAX_DIMENSIONS]{}, offsets_shape[UPS_MAX_DIMENSIONS]{};
  ups_status status;

  explicit View(const Column& column) : View(&column.array, &column.schema) {}
  View(const ArrowArray* array, const ArrowSchema* schema)
      : status(ups_tensor_from_arrow(context, array, schema, &values, shape, &offsets, offsets_shape)) {}
  bool refused(ups_status wanted, const char* part) const {
    const bool fits = status == wanted && std::strstr(ups_last_error(context)->text, part);
    if (!fits) std::fprintf(stderr, "status %d: %s\n", status, ups_last_error(context)->text);
    return fits;
  }
};

float numbers[24];
int32_t boundaries[5] = {1, 3, 3, 6, 6};

void imports() {
  Column plain("f", 24, {nullptr, numbers});
  const View whole(plain);
  CHECK(whole.status == UPS_OK && whole.values.data == numbers && whole.values.ndim == 1 && whole.shape[0] == 24);
  CHECK(whole.values.dtype.code == UPS_FLOAT && whole.values.dtype.bits == 32);
  CHECK(whole.offsets.data == nullptr);

  Column sliced("f", 5, {nullptr, numbers}, nullptr, 7);
  CHECK(View(sliced).values.data == numbers + 7);

  Column rows("+w:4", 6, {nullptr}, &plain);
  const View matrix(rows);
  CHECK(matrix.status == UPS_OK && matrix.values.ndim == 2 && matrix.shape[0] == 6 && matrix.shape[1] == 4);
  Column later_rows("+w:4", 2, {nullptr}, &plain, 3);
  CHECK(View(later_rows).values.data == numbers + 12);
  Column images("+w:2", 3, {nullptr}, &rows);
  const View cube(images);
  CHECK(cube.status == UPS_OK && cube.values.ndim == 3 && cube.shape[0] == 3 && cube.shape[1] == 2 &&
        cube.shape[2] == 4);

  Column events("+l", 4, {nullptr, boundaries}, &rows);
  const View ragged(events);
  CHECK(ragged.status == UPS_OK && ragged.shape[0] == 6 && ragged.offsets.data == boundaries &&
        ragged.offsets_shape[0] == 5);
  Column later_events("+l", 2, {nullptr, boundaries}, &rows, 2);
  const View slice(later_events);
  CHECK(slice.offsets.data == boundaries + 2 && slice.offsets_shape[0] == 3 && slice.values.data == numbers);

  Column empty("+l", 0, {nullptr, nullptr}, &rows);
  const View none(empty);
  CHECK(none.status == UPS_OK && none.offsets_shape[0] == 1 && *static_cast<int32_t*>(none.offsets.data) == 0);
}

void nulls() {
  const uint8_t valid[1] = {0b11110101};
  Column column("f", 8, {valid, numbers});
  CHECK(View(column).refused(UPS_VALUE, "2 nulls"));
  column.array.null_count = 2;
  CHECK(View(column).refused(UPS_VALUE, "2 nulls"));
  Column complete("f", 4, {valid, numbers}, nullptr, 4);
  CHECK(View(complete).status == UPS_OK);
  Column rows("+w:2", 4, {nullptr}, &column);
  CHECK(View(rows).refused(UPS_VALUE, "2 nulls"));
  const int32_t used[3] = {4, 6, 8}, touched[3] = {3, 6, 8};
  Column outside("+l", 2, {nullptr, used}, &column), inside("+l", 2, {nullptr, touched}, &column);
  CHECK(View(outside).status == UPS_OK);
  CHECK(View(inside).refused(UPS_VALUE, "1 null"));
}

void malformed() {
  Column plain("f", 24, {nullptr, numbers});
  for (const char* format : {"e", "u", "b", "+s", "tdD", "", "ff", "+L", "+m"}) {
    Column column(format, 24, {nullptr, numbers});
    CHECK(View(column).refused(UPS_DTYPE, "format"));
  }
  for (const char* format : {"+w:", "+w:x", "+w:-1", "+w:4x", "+w:99999999999999999999"}) {
    Column column(format, 2, {nullptr}, &plain);
    CHECK(View(column).refused(UPS_DTYPE, "list size"));
  }
  Column too_long("+w:4", 7, {nullptr}, &plain);
  CHECK(View(too_long).refused(UPS_VALUE, "24 elements but 28"));
  Column endless("+w:9223372036854775807", 24, {nullptr}, &plain);
  CHECK(View(endless).refused(UPS_SHAPE, "too long"));
  Column negative("f", -1, {nullptr, numbers});
  CHECK(View(negative).refused(UPS_SHAPE, "negative"));
  Column no_memory("f", 3, {nullptr, nullptr});
  CHECK(View(no_memory).refused(UPS_VALUE, "no memory"));
  Column childless("+w:4", 2, {nullptr});
  CHECK(View(childless).refused(UPS_VALUE, "children"));
  Column released("f", 3, {nullptr, numbers});
  released.array.release = nullptr;
  CHECK(View(released).refused(UPS_VALUE, "released"));
  Column coded("i", 3, {nullptr, numbers});
  coded.array.dictionary = &plain.array;
  CHECK(View(coded).refused(UPS_DTYPE, "dictionary"));
  for (const auto& bad : {std::vector<int32_t>{-1, 2}, {3, 2}, {0, 25}}) {
    Column list("+l", 1, {nullptr, bad.data()}, &plain);
    CHECK(View(list).refused(UPS_VALUE, "offsets from"));
  }
  Column list("+l", 4, {nullptr, boundaries}, &plain);
  ups_tensor values;
  int64_t shape[UPS_MAX_DIMENSIONS];
  CHECK(ups_tensor_from_arrow(context, &list.array, &list.schema, &values, shape, nullptr, nullptr) == UPS_VALUE);
  CHECK(ups_tensor_from_arrow(context, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) == UPS_VALUE);
  Column levels[9] = {
      {"f", 1, {nullptr, numbers}},       {"+w:1", 1, {nullptr}, &levels[0]}, {"+w:1", 1, {nullptr}, &levels[1]},
      {"+w:1", 1, {nullptr}, &levels[2]}, {"+w:1", 1, {nullptr}, &levels[3]}, {"+w:1", 1, {nullptr}, &levels[4]},
      {"+w:1", 1, {nullptr}, &levels[5]}, {"+w:1", 1, {nullptr}, &levels[6]}, {"+w:1", 1, {nullptr}, &levels[7]}};
  CHECK(View(levels[7]).status == UPS_OK);
  CHECK(View(levels[8]).refused(UPS_SHAPE, "nested"));
}

ups_block* block_of(size_t bytes) {
  ups_block* block = nullptr;
  CHECK(ups_block_create(context, {UPS_CPU, 0}, bytes, &block) == UPS_OK);
  return block;
}

void exports() {
  ups_block* memory = block_of(sizeof numbers);
  ups_block* offsets_memory = block_of(sizeof boundaries);
  std::memcpy(ups_block_data(offsets_memory), boundaries, sizeof boundaries);
  int64_t shape[3] = {6, 2, 2}, offsets_shape[1] = {5};
  const ups_tensor values{ups_block_data(memory), {UPS_CPU, 0}, 3, {UPS_FLOAT, 32, 1}, shape, nullptr, 0};
  ups_tensor offsets{ups_block_data(offsets_memory), {UPS_CPU, 0}, 1, {UPS_INT, 32, 1}, offsets_shape, nullptr, 0};

  ArrowArray array;
  ArrowSchema schema;
  CHECK(ups_tensor_to_arrow(context, &values, memory, &offsets, offsets_memory, &array, &schema) == UPS_OK);
  CHECK(std::strcmp(schema.format, "+l") == 0 && std::strcmp(schema.children[0]->format, "+w:2") == 0);
  const View back(&array, &schema);
  CHECK(back.status == UPS_OK && back.values.data == values.data && back.values.ndim == 3 && back.shape[2] == 2);
  CHECK(back.offsets.data == offsets.data && back.offsets_shape[0] == 5);
  CHECK(ups_count().arrow_exports == 2);

  // The exporter's own references may end first, a child may outlive its parent, and all of it on
  // another thread.
  ups_block_release(memory);
  ups_block_release(offsets_memory);
  CHECK(ups_count().blocks == 2);
  std::thread([&] {
    ArrowArray child = *array.children[0];
    array.children[0]->release = nullptr;
    array.release(&array);
    CHECK(ups_count().blocks == 1);
    static_cast<float*>(const_cast<void*>(child.children[0]->children[0]->buffers[1]))[23] = 1;
    child.release(&child);
    schema.release(&schema);
  }).join();
  CHECK(array.release == nullptr && schema.release == nullptr);
  CHECK(ups_count().blocks == 0 && ups_count().arrow_exports == 0);

  memory = block_of(64);
  const auto refused = [&](ups_tensor wrong, const ups_tensor* wrong_offsets, ups_status status) {
    CHECK(ups_tensor_to_arrow(context, &wrong, memory, wrong_offsets, memory, &array, &schema) == status);
    CHECK(array.release == nullptr && schema.release == nullptr);
  };
  int64_t small[1] = {16};
  ups_tensor fits{ups_block_data(memory), {UPS_CPU, 0}, 1, {UPS_FLOAT, 32, 1}, small, nullptr, 0};
  ups_tensor wrong = fits;
  wrong.byte_offset = 4;
  refused(wrong, nullptr, UPS_VALUE);
  wrong = fits;
  wrong.data = numbers;
  refused(wrong, nullptr, UPS_VALUE);
  wrong = fits;
  wrong.ndim = 0;
  refused(wrong, nullptr, UPS_SHAPE);
  wrong = fits;
  wrong.dtype.bits = 16;
  refused(wrong, nullptr, UPS_DTYPE);
  wrong = fits;
  wrong.device.type = UPS_CUDA;
  refused(wrong, nullptr, UPS_DEVICE);
  offsets.data = ups_block_data(memory);
  const int32_t falling[5] = {0, 3, 2, 4, 5};
  std::memcpy(ups_block_data(memory), falling, sizeof falling);
  refused(fits, &offsets, UPS_VALUE);
  offsets.dtype = {UPS_FLOAT, 32, 1};
  refused(fits, &offsets, UPS_DTYPE);
  ups_block_release(memory);
}

}  // namespace

int main() {
  CHECK(ups_context_create(nullptr, &context) == UPS_OK);
  imports();
  nulls();
  malformed();
  exports();
  const ups_counters left = ups_count();
  CHECK(left.blocks == 0 && left.block_bytes == 0 && left.arrow_exports == 0 && left.arrow_imports == 0);
  ups_context_destroy(context);
  if (failures == 0) std::puts("arrow: all checks passed");
  return failures != 0;
}
