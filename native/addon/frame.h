// The frame: one array of doubles per JavaScript thread through which calls pass their numbers.
// JavaScript fills it, the addon reads it, and only typed arrays travel as arguments: reading a
// property of an object costs more than a small kernel, reading a double costs nothing.
//
//   [0] operation (index in the registry; -1: copy tensor 0 to tensor 1)
//   [1] device type   [2] device id
//   [3] caller (a number of JavaScript's, which comes back with the call's error)
//   [options_at + i]  option i; i64 and u64 as their 64 bits
//   [tensors_at() + i * tensor_stride]  tensor i: memory kind, dtype, dimensions, byte offset,
//                                       block, shape
//
// It has room for the operation with most options and the one with most arguments.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "upsilon/upsilon.h"

namespace upsilon::addon {

struct ThreadState;

namespace frame {
inline constexpr int operation = 0, device_type = 1, device_id = 2, caller = 3;
inline constexpr int options_at = 4;
int max_options();
int max_tensors();
inline int tensors_at() { return options_at + max_options(); }
inline constexpr int tensor_stride = 5 + UPS_MAX_DIMENSIONS;
inline constexpr int kind = 0, dtype = 1, dimensions = 2, byte_offset = 3, block = 4, shape = 5;  // inside a tensor
inline int size() { return tensors_at() + max_tensors() * tensor_stride; }
inline constexpr double copy = -1;
}  // namespace frame

// Where a tensor's memory is. `shared` is a typed array on a SharedArrayBuffer: another thread may
// write to it.
enum class MemoryKind : int { absent, array, shared, block };

// In the order of the dtypes' codes in JavaScript.
inline constexpr ups_dtype dtypes[] = {
    {UPS_FLOAT, 32, 1}, {UPS_FLOAT, 64, 1}, {UPS_INT, 32, 1}, {UPS_INT, 64, 1}, {UPS_UINT, 8, 1}};

// The message of a failure: text and names from the schema in turns, beginning with text.
// JavaScript replaces the names by those its users know.
struct Message {
  std::vector<std::string> parts;

  Message(const char* text) : parts{text} {}
  Message(std::string text) : parts{std::move(text)} {}
  Message(std::initializer_list<std::string> text_and_names) : parts(text_and_names) {}
};

// A failure on its way to JavaScript. The texts of the core live only until the next call, so they
// are copied.
struct Failure {
  ups_status status = UPS_OK;
  std::string operation, argument;
  Message message = "";
  double caller = no_caller;

  static constexpr double no_caller = -1;
  // The last failure of a context or, for null, of this thread's last attempt to make one.
  static Failure of(const ups_context* context);
};

// A call as the core wants it. The tensors point into typed arrays and blocks, and into
// `snapshots`.
struct Invocation {
  const ups_operation* operation = nullptr;  // null: copy
  double caller = Failure::no_caller;
  ups_device device{UPS_CPU, 0};
  int count = 0;
  struct Argument {
    ups_tensor tensor;
    int64_t shape[UPS_MAX_DIMENSIONS];
    ups_block* block = nullptr;  // of a tensor in a block, else null
    bool shared = false;
    bool own = false;  // whether its memory belongs to the call
  };
  std::vector<Argument> arguments;  // `count`, or more of earlier calls
  std::vector<const ups_tensor*> pointers;  // to those that are given
  std::vector<double> options;  // the option struct
  std::vector<std::unique_ptr<char[]>> snapshots;

  Invocation() = default;
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;

  // Takes the operation, null for a copy. Room only grows: a steady loop allocates nothing.
  void begin(const ups_operation* operation_);
  // Copies index tensors whose memory someone else may write to while the call runs: the contents
  // used must be those that were checked. `everything`: the JavaScript thread itself goes on
  // running.
  bool take_snapshots(bool everything);
  ups_status run(ups_context* context) const;

  // What is wrong with a parameter: "x was disposed of". `message` follows the name.
  Failure failure(int parameter, ups_status status, std::string message) const;
  const char* operation_name() const;
  std::string parameter_name(int i) const;
  bool is_output(int i) const;
  bool is_in_place(int i) const;
  // Whether an output lies in the memory of another argument, and which two they are.
  bool find_overlap(int* output, int* other) const;
};

}  // namespace upsilon::addon
