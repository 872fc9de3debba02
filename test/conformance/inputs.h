// Makes the arguments of a case: shapes from the schema, contents at random or computed by the
// reference.
#pragma once
#include "cases.h"
#include "host_tensor.h"

namespace upsilon::conformance {

class Inputs {
 public:
  // `reference`: a context on the CPU, forced to the reference; it computes what is derived. With
  // `in_double` everything is promoted before anything is derived from it, so that a gradient check
  // sees one smooth function.
  Inputs(const Case& c, ups_context* reference, bool in_double)
      : case_(c), reference_(reference), in_double_(in_double) {}

  // Inputs, and outputs as they are before the call: random where updated in place, otherwise zeros
  // of the right shape. Throws std::runtime_error when the case does not fit the schema.
  Arguments arguments(const ups_operation& operation);

 private:
  using Dims = std::map<std::string, int64_t>;
  const Case& case_;
  ups_context* reference_;
  bool in_double_;
  std::map<std::string, HostTensor> made_;  // by argument name

  static bool needs_unnamed(const Schema& schema, const Parameter& p, const Dims& dims);
  bool given(const Schema& schema, const Parameter& p, const Dims& dims) const;
  Dims bind(const Schema& schema) const;
  std::vector<int64_t> shape(const Schema& schema, const Parameter& p, const Dims& dims) const;
  void derive_for(const Schema& schema);
  Arguments assemble(const Schema& schema);
  const HostTensor& make(const Schema& schema, const Parameter& p, const Dims& dims);
  int64_t count_pairs(const Schema& schema, const Parameter& p, const Dims& dims);
  HostTensor random(const Schema& schema, const Parameter& p, const Dims& dims);
};

// Runs an operation on the CPU with plain memory; throws std::runtime_error with the library's text
// when it fails.
void call_plainly(ups_context* context, const ups_operation& operation, Arguments& arguments, const void* options);

}  // namespace upsilon::conformance
