#include "text.h"

#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <iterator>

#include "error.h"

namespace upsilon {

std::string format(const char* pattern, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(buffer, sizeof buffer, pattern, arguments);
  va_end(arguments);
  return buffer;
}

std::string named(const std::string& name) { return name_begins + name + name_ends; }

namespace {

template <class T>
std::string shortest(T number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  return error == std::errc() ? std::string(buffer, end) : "";
}

}  // namespace

std::string number_text(float number) { return shortest(number); }
std::string number_text(double number) { return shortest(number); }

std::string bytes_text(size_t bytes) {
  static constexpr const char* units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
  double number = static_cast<double>(bytes);
  size_t unit = 0;
  for (; number >= 1000 && unit + 1 < std::size(units); ++unit) number /= 1000;
  return unit == 0 ? format("%zu bytes", bytes) : format("%.3g %s", number, units[unit]);
}

std::string shape_text(const ups_tensor& tensor) {
  std::string text = "[";
  for (int32_t d = 0; d < tensor.ndim; ++d) text += (d ? ", " : "") + std::to_string(tensor.shape[d]);
  return text + "]";
}

std::string device_text(ups_device device) {
  switch (device.type) {
    case UPS_CPU: return "cpu";
    case UPS_CUDA: return "cuda:" + std::to_string(device.id);
    case UPS_CUDA_HOST: return "pinned host memory";
    case UPS_EMULATED: return "emulated:" + std::to_string(device.id);
    default: return "device type " + std::to_string(device.type);
  }
}

const char* dtype_text(ups_dtype dtype) {
  if (dtype.lanes == 1) {
    if (dtype.code == UPS_FLOAT && dtype.bits == 32) return "float32";
    if (dtype.code == UPS_FLOAT && dtype.bits == 64) return "float64";
    if (dtype.code == UPS_INT && dtype.bits == 32) return "int32";
    if (dtype.code == UPS_INT && dtype.bits == 64) return "int64";
    if (dtype.code == UPS_UINT && dtype.bits == 8) return "uint8";
  }
  return "an unknown dtype";
}

size_t element_size(ups_dtype dtype) {
  const bool known = dtype.lanes == 1 && ((dtype.code == UPS_FLOAT && (dtype.bits == 32 || dtype.bits == 64)) ||
                                          (dtype.code == UPS_INT && (dtype.bits == 32 || dtype.bits == 64)) ||
                                          (dtype.code == UPS_UINT && dtype.bits == 8));
  return known ? dtype.bits / 8u : 0;
}

int64_t element_count(const ups_tensor& tensor) {
  int64_t count = 1;
  bool empty = false;
  for (int32_t d = 0; d < tensor.ndim; ++d) {
    if (tensor.shape[d] < 0) return -1;
    if (tensor.shape[d] == 0) empty = true;
    else if (__builtin_mul_overflow(count, tensor.shape[d], &count) || count > (int64_t{1} << 58)) return -1;
  }
  return empty ? 0 : count;
}

}  // namespace upsilon
