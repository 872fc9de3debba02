#include "host_tensor.h"

#include <cmath>

namespace upsilon::conformance {

double HostTensor::value(int64_t index) const {
  if (dtype.code == UPS_FLOAT)
    return dtype.bits == 64 ? data<double>()[index] : static_cast<double>(data<float>()[index]);
  if (dtype.bits == 8) return data<uint8_t>()[index];
  return dtype.bits == 64 ? static_cast<double>(data<int64_t>()[index]) : data<int32_t>()[index];
}

void HostTensor::set(int64_t index, double value) {
  if (dtype.code == UPS_FLOAT && dtype.bits == 64) data<double>()[index] = value;
  else if (dtype.code == UPS_FLOAT) data<float>()[index] = static_cast<float>(value);
  else if (dtype.bits == 8) data<uint8_t>()[index] = static_cast<uint8_t>(value);
  else if (dtype.bits == 64) data<int64_t>()[index] = static_cast<int64_t>(value);
  else data<int32_t>()[index] = static_cast<int32_t>(value);
}

std::string HostTensor::place(int64_t index) const {
  std::string text;
  for (size_t d = shape.size(); d-- > 0; index /= shape[d])
    text = std::to_string(index % shape[d]) + (text.empty() ? "" : ", ") + text;
  return "[" + text + "]";
}

ups_dtype dtype_of(ElementType type, bool is_double) {
  switch (type) {
    case ElementType::real: return {UPS_FLOAT, static_cast<uint8_t>(is_double ? 64 : 32), 1};
    case ElementType::f32: return {UPS_FLOAT, 32, 1};
    case ElementType::f64: return {UPS_FLOAT, 64, 1};
    case ElementType::i32: return {UPS_INT, 32, 1};
    case ElementType::i64: return {UPS_INT, 64, 1};
    case ElementType::u8: return {UPS_UINT, 8, 1};
  }
  return {};
}

Arguments promoted(const Schema& schema, const Arguments& arguments) {
  Arguments result = arguments;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i] || schema.parameters[i].type != ElementType::real) continue;
    result[i] = HostTensor(dtype_of(ElementType::real, true), arguments[i]->shape);
    for (int64_t k = 0; k < arguments[i]->count(); ++k) result[i]->set(k, arguments[i]->value(k));
  }
  return result;
}

uint64_t Random::bits() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double Random::normal() {  // Box and Muller, one of the pair
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(6.283185307179586 * uniform());
}

uint64_t hash(std::string_view text) {
  uint64_t value = 0xcbf29ce484222325u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return value;
}

}  // namespace upsilon::conformance
