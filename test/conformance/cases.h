// The cases of an operation: kernels/<op>/cases.json, shared by the conformance test and the
// benches.
//
//   {
//     "derive": ["graph_transpose", "spmm_forward"],
//     "cases": [ CASE... ],    small odd shapes, every option, for correctness
//     "bench": [ CASE... ]     headline shapes, for speed
//   }
//
// CASE is an object:
//   "name"        unique in the file; also the seed of its random numbers
//   "operations"  registered names; a case is run for each of them
//   "derive"      in place of the file's
//   "dims"        a number for each dimension name of the schema (any number where the rule `pairs`
//                 counts); "..." takes a shape, e.g. [3, 5] (or one number).
//                 An optional argument with a dimension that is not named here is left out.
//   "options"     by name; choices by their words
//   "omit"        names of optional arguments to leave out
//   "data"        per argument: how its contents are made, see below
//   "exact"       true: bits equal to the float32 reference
//   "floor"       allowed relative error beyond the multiple of the reference's own (1e-6)
//   "gradient"    whether finite differences check the backward pass (default: below 2000 elements)
//   "large"       true: not for the emulation of CUDA, and left out by --quick; a GPU runs it
//   "cpu_only"    operations that this case is for on the CPU alone: its contract leaves devices
//                 more freedom
// An array in place of a dimension (for "...": an array of shapes), of an option, or an array of
// arrays in "omit" stands for a case with each: all combinations, or with
//   "random"      n: n combinations, drawn from the case's name
//
// Inputs are random. Outputs of the operations in "derive" that are inputs of the operation at hand
// are computed by the reference from arguments of the same names (a transposed graph, the y of a
// backward pass). "data" of a
//   real tensor   "values": normal (default), positive, integers (-2 .. 2: ties), nan (some NaN and
//                 infinities), zero, fractions (0.01 .. 0.99), forbidden (a quarter +inf), masks (a
//                 third -inf), momenta (rows of px, py, pz and the E of a mass of 0.1);
//                 "scale": multiplies
//   integers without a rule   "below": n (default 100)
//                 masks (a third is -infinity)
//   splits        "values": uniform (default), empty (all), one (everything in one), even,
//                 gaps (first > 0, last < N)
//   below         "values": uniform (default), same;
//                 "blocks": n (an index in the same block of n as its row);
//                 "rows": the splits argument whose rows these are, with "selfLoops" and
//                 "duplicates": fractions;
//                 "equalTo": an argument of the same shape, equal in "fraction" of the elements
//   forest        "values": ordered (default, mothers before daughters), shuffled, roots, chain,
//                 star
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/registry.h"
#include "support/json.h"

namespace upsilon::conformance {

struct Hint {
  std::string values;
  double scale = 1;
  std::string rows, equal_to;
  double self_loops = 0, duplicates = 0, fraction = 0;
  int64_t blocks = 0, below = 100;
};

struct Case {
  std::string folder, operation, name;
  uint64_t seed = 0;
  std::map<std::string, int64_t> dims;
  std::vector<int64_t> leading;
  bool has_leading = false;
  std::map<std::string, Json> options;
  std::set<std::string> omit;
  std::map<std::string, Hint> data;
  std::vector<std::string> derive;
  bool exact = false, large = false, cpu_only = false;
  double floor = 1e-6;
  std::optional<bool> gradient;

  std::string id() const { return operation + "/" + name; }
  // The operation's option struct. Options that this operation does not have are passed over.
  std::vector<char> option_bytes(const Schema& schema) const;
};

// Every case of every */cases.json below `kernels`, with combinations spelled out. What cannot be
// read is passed over and described in `problems`, with file and case. `benches`: the "bench" lists
// instead.
std::vector<Case> load_cases(const std::string& kernels, bool benches, std::vector<std::string>* problems);

}  // namespace upsilon::conformance
