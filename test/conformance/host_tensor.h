// Tensors that the conformance test owns: a dtype, a shape and bytes.
#pragma once
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "core/schema.h"
#include "upsilon/upsilon.h"

namespace upsilon::conformance {

struct HostTensor {
  ups_dtype dtype{};
  std::vector<int64_t> shape;
  std::vector<unsigned char> bytes;

  HostTensor() = default;
  HostTensor(ups_dtype dtype_, std::vector<int64_t> shape_) : dtype(dtype_), shape(std::move(shape_)) {
    bytes.resize(static_cast<size_t>(count()) * size());
  }
  size_t size() const { return dtype.bits / 8u; }
  int64_t count() const {
    int64_t product = 1;
    for (const int64_t extent : shape) product *= extent;
    return product;
  }
  bool is_float() const { return dtype.code == UPS_FLOAT; }
  template <class T>
  T* data() {
    return reinterpret_cast<T*>(bytes.data());
  }
  template <class T>
  const T* data() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
  double value(int64_t index) const;
  void set(int64_t index, double value);
  std::string place(int64_t index) const;  // "[3, 17]"
};

// One entry per parameter of the schema; nothing where an argument is left out.
using Arguments = std::vector<std::optional<HostTensor>>;

ups_dtype dtype_of(ElementType type, bool is_double);
// The same numbers in float64, for parameters declared `real`; a copy for others.
Arguments promoted(const Schema& schema, const Arguments& arguments);

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same numbers with every compiler.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits();
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  int64_t below(int64_t bound) { return static_cast<int64_t>(uniform() * static_cast<double>(bound)); }
  double normal();

 private:
  uint64_t state_;
};
uint64_t hash(std::string_view text);  // FNV-1a

}  // namespace upsilon::conformance
