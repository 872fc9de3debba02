// Parts of error messages.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "upsilon/upsilon.h"

namespace upsilon {

// A name that is part of a text: Error::set takes the marks off and keeps its place, so that a
// binding whose users know it by another name can put that there.
std::string named(const std::string& name);
// printf into a string, for error messages.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);
std::string number_text(float number);
std::string number_text(double number);  // the shortest that reads back the same: "0.1"
std::string bytes_text(size_t bytes);  // "1.2 GB"
std::string shape_text(const ups_tensor& tensor);  // "[64, 12]"
std::string device_text(ups_device device);  // "cpu", "cuda:0", "emulated:0"
const char* dtype_text(ups_dtype dtype);  // "float32"; "an unknown dtype"
size_t element_size(ups_dtype dtype);  // 0 for dtypes the library does not know
int64_t element_count(const ups_tensor& tensor);  // -1 when a dimension is negative or the product overflows

}  // namespace upsilon
