// What a run found: one line per operation and variant, failures in full, and JSON for other tools.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace upsilon::conformance {

struct Tally {
  int64_t passed = 0, failed = 0, leaning = 0;
  double worst = 0;  // largest share of the allowed error
  std::string worst_at;
  std::vector<std::string> unsupported;
};

// A variant here may be "avx2/rows": one of its strategies.
class Report {
 public:
  void pass(const std::string& operation, const std::string& variant, double share, const std::string& where);
  // Prints at once.
  void fail(const std::string& operation, const std::string& variant, const std::string& case_name, uint64_t seed,
            const std::string& text);
  Tally& tally(const std::string& operation, const std::string& variant) { return tallies_[{operation, variant}]; }
  void note(std::string text) { notes_.push_back(std::move(text)); }

  int64_t passed() const;
  int64_t failed() const;
  int64_t cases(const std::string& operation, const std::string& variant) const;
  // The last line is "N passed, N failed".
  void print() const;
  bool write_json(const std::string& path, const std::string& device) const;

 private:
  struct Failure {
    std::string operation, variant, case_name, text;
    uint64_t seed;
  };
  std::map<std::pair<std::string, std::string>, Tally> tallies_;
  std::vector<Failure> failures_;
  std::vector<std::string> notes_;
};

}  // namespace upsilon::conformance
