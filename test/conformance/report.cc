#include "report.h"

#include <cstdint>
#include <cstdio>

#include "support/json.h"

namespace upsilon::conformance {

void Report::pass(const std::string& operation, const std::string& variant, double share, const std::string& where) {
  Tally& t = tally(operation, variant);
  ++t.passed;
  if (share > t.worst) {
    t.worst = share;
    t.worst_at = where;
  }
}

void Report::fail(const std::string& operation, const std::string& variant, const std::string& case_name, uint64_t seed,
                  const std::string& text) {
  ++tally(operation, variant).failed;
  failures_.push_back({operation, variant, case_name, text, seed});
  std::printf("FAILED %s/%s  %s  (seed %016llx)\n  %s\n", operation.c_str(), case_name.c_str(), variant.c_str(),
              static_cast<unsigned long long>(seed), text.c_str());
  std::fflush(stdout);
}

int64_t Report::passed() const {
  int64_t sum = 0;
  for (const auto& [key, t] : tallies_) sum += t.passed;
  return sum;
}
int64_t Report::failed() const {
  int64_t sum = 0;
  for (const auto& [key, t] : tallies_) sum += t.failed;
  return sum;
}

int64_t Report::cases(const std::string& operation, const std::string& variant) const {
  const auto found = tallies_.find({operation, variant});
  return found == tallies_.end() ? 0 : found->second.passed + found->second.failed;
}

void Report::print() const {
  for (const auto& [key, t] : tallies_) {
    std::printf("%-22s %-16s %4lld cases", key.first.c_str(), key.second.c_str(),
                static_cast<long long>(t.passed + t.failed));
    if (!t.worst_at.empty())
      std::printf("  worst error %4.0f %% of the allowed: %s", 100 * t.worst, t.worst_at.c_str());
    if (t.leaning)
      std::printf("  (%lld only within the effect of rounding the inputs)", static_cast<long long>(t.leaning));
    if (t.failed) std::printf("  %lld FAILED", static_cast<long long>(t.failed));
    std::printf("\n");
    if (!t.unsupported.empty()) {
      std::printf("    %zu not supported:", t.unsupported.size());
      for (size_t i = 0; i < t.unsupported.size() && i < 8; ++i)
        std::printf("%s %s", i ? ";" : "", t.unsupported[i].c_str());
      std::printf("%s\n", t.unsupported.size() > 8 ? "; ..." : "");
    }
  }
  for (const std::string& note : notes_) std::printf("%s\n", note.c_str());
  std::printf("%lld passed, %lld failed\n", static_cast<long long>(passed()), static_cast<long long>(failed()));
}

bool Report::write_json(const std::string& path, const std::string& device) const {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (!file) return false;
  std::fprintf(file, "{\n  \"device\": %s,\n  \"passed\": %lld,\n  \"failed\": %lld,\n  \"operations\": [",
               json_quoted(device).c_str(), static_cast<long long>(passed()), static_cast<long long>(failed()));
  const char* separator = "";
  for (const auto& [key, t] : tallies_) {
    std::fprintf(file,
                 "%s\n    {\"operation\": %s, \"variant\": %s, \"passed\": %lld, \"failed\": %lld, \"worst\": %.6g, "
                 "\"worstAt\": %s, \"unsupported\": [",
                 separator, json_quoted(key.first).c_str(), json_quoted(key.second).c_str(),
                 static_cast<long long>(t.passed), static_cast<long long>(t.failed), t.worst,
                 json_quoted(t.worst_at).c_str());
    for (size_t i = 0; i < t.unsupported.size(); ++i)
      std::fprintf(file, "%s%s", i ? ", " : "", json_quoted(t.unsupported[i]).c_str());
    std::fprintf(file, "]}");
    separator = ",";
  }
  std::fprintf(file, "\n  ],\n  \"failures\": [");
  separator = "";
  for (const Failure& f : failures_) {
    std::fprintf(
        file, "%s\n    {\"operation\": %s, \"variant\": %s, \"case\": %s, \"seed\": \"%016llx\", \"text\": %s}",
        separator, json_quoted(f.operation).c_str(), json_quoted(f.variant).c_str(), json_quoted(f.case_name).c_str(),
        static_cast<unsigned long long>(f.seed), json_quoted(f.text).c_str());
    separator = ",";
  }
  std::fprintf(file, "\n  ],\n  \"notes\": [");
  for (size_t i = 0; i < notes_.size(); ++i) std::fprintf(file, "%s%s", i ? ", " : "", json_quoted(notes_[i]).c_str());
  std::fprintf(file, "]\n}\n");
  return std::fclose(file) == 0;
}

}  // namespace upsilon::conformance
