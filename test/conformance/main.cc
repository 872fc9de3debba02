// Conformance: every registered operation x every variant x every case of kernels/*/cases.json. No
// operation is named here: a new one joins by its folder alone. What a case can say is in cases.h,
// how results are judged in compare.h.
//
// For each case the float64 reference is the oracle and the float32 reference the yardstick. Each
// variant then runs with aligned memory, with memory shifted by one element and, on the CPU, with 2
// and 5 threads: same bits each time, no byte written outside the outputs, no input changed,
// whatever the outputs held before. So does every strategy of a variant that fits the case, chosen
// or not. On the emulated device it runs under shuffled thread schedules instead. Arguments under a
// data rule are then broken one at a time, and must be refused by name. Backward passes are checked
// once by finite differences.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>

#include "broken_inputs.h"
#include "compare.h"
#include "core/context.h"
#include "core/cpu.h"
#include "gradients.h"
#include "inputs.h"
#include "invoke.h"
#include "report.h"
#include "schedules.h"

#ifndef UPSILON_SOURCE_DIRECTORY
#define UPSILON_SOURCE_DIRECTORY "."
#endif

namespace upsilon::conformance {
namespace {

// The float32 reference against float64, relative L2: beyond this the oracle and the yardstick do
// not compute the same.
constexpr double reference_limit = 1e-3;

struct Settings {
  std::string kernels = UPSILON_SOURCE_DIRECTORY "/kernels", filter, variant, device_name = "cpu", json, bits;
  ups_device device{UPS_CPU, 0};
  int32_t precision = UPS_FP32;
  int64_t schedules = 0;
  int64_t part = 0, parts = 1;
  bool list = false, quick = false, benches = false;

  bool wants(const Case& c) const {
    if (quick && c.large) return false;
    if (device.type == UPS_EMULATED && c.large) return false;
    if (device.type != UPS_CPU && c.cpu_only) return false;
    const size_t slash = filter.find('/');
    if (c.operation.find(filter.substr(0, slash)) == std::string::npos) return false;
    return slash == std::string::npos || c.name.find(filter.substr(slash + 1)) != std::string::npos;
  }
};

// Contexts live as long as the run: their thread pools start once.
class Contexts {
 public:
  ~Contexts() {
    for (const auto& [key, context] : all_) ups_context_destroy(context);
  }
  ups_context* get(const char* variant, int32_t threads, const Settings& settings) {
    ups_context*& context = all_[{variant, threads}];
    if (context) return context;
    ups_context_options options{};
    options.size = sizeof options;
    options.threads = threads;
    options.variant = variant;
    if (std::strcmp(variant, "cuda") == 0) {
      options.device = settings.device;
      options.precision = settings.precision;
    }
    if (ups_context_create(&options, &context) != UPS_OK) throw std::runtime_error(ups_last_error(nullptr)->text);
    return context;
  }

 private:
  std::map<std::pair<std::string, int32_t>, ups_context*> all_;
};

// Inputs changed by half a unit in the last place of the numbers that a variant multiplies, equal
// numbers alike: no computation in them can be asked to be more accurate than what this does to the
// result. Where a hidden sum is near 0 this turns the sign of its ReLU too, as rounding does.
Arguments with_rounding_noise(const Schema& schema, const Arguments& arguments, double half_unit, uint64_t draw) {
  Arguments noisy = arguments;
  for (size_t i = 0; i < noisy.size(); ++i) {
    if (!noisy[i] || schema.parameters[i].type != ElementType::real) continue;
    for (int64_t k = 0; k < noisy[i]->count(); ++k) {
      const double value = noisy[i]->value(k);
      uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      noisy[i]->set(k, value * (1 + (Random(bits + draw).bits() & 1 ? half_unit : -half_unit)));
    }
  }
  return noisy;
}

class Conformance {
 public:
  explicit Conformance(const Settings& settings) : settings_(settings) {}

  int run() {
    std::vector<std::string> problems;
    const auto cases = load_cases(settings_.kernels, settings_.benches, &problems);
    for (const std::string& problem : problems) report_.fail("case files", "any", "none", 0, problem);
    std::map<std::string, std::vector<const Case*>> by_operation;
    for (const Case& c : cases)
      if (settings_.wants(c)) by_operation[c.operation].push_back(&c);
    if (settings_.list) {
      for (const auto& [name, list] : by_operation)
        for (const Case* c : list) std::printf("%s\n", c->id().c_str());
      return 0;
    }
    if (settings_.device.type != UPS_CPU) (void)contexts_.get("cuda", 1, settings_);
    if (settings_.schedules > 0 && !choose_schedule(0))
      throw std::runtime_error(
          "--schedules needs --device emulated:0 and a plug-in that exports upsilon_emulation_configure");
    int64_t number = 0;
    for (const ups_operation& operation : operations()) {
      if (number++ % settings_.parts != settings_.part) continue;
      const auto found = by_operation.find(operation.name);
      if (found != by_operation.end()) run_operation(operation, found->second);
      else if (settings_.filter.empty() && !settings_.benches)
        report_.fail(operation.name, "any", "none", 0, "the operation has no cases");
    }
    if (!settings_.bits.empty()) return write_bits();
    note_absent_variants(by_operation);
    if (settings_.filter.empty() && !settings_.benches && !on_device()) find_untested_strategies();
    report_.print();
    if (!settings_.json.empty() && !report_.write_json(settings_.json, settings_.device_name))
      throw std::runtime_error(settings_.json + " cannot be written");
    return report_.failed() == 0 ? 0 : 1;
  }

 private:
  const Settings& settings_;
  Contexts contexts_;
  Report report_;
  std::vector<std::string> bits_;  // a line for every case and variant, with a hash of what it gave

  bool on_device() const { return settings_.device.type != UPS_CPU; }
  ups_context* reference() { return contexts_.get("reference", 1, settings_); }

  bool has(const ups_operation& operation, Variant v) const {
    return v == Variant::cuda ? plugin_kernel(*plugin_for(settings_.device.type), operation.name).run != nullptr
                              : operation.kernels[static_cast<int>(v)].run != nullptr;
  }
  std::vector<Variant> variants() const {
    std::vector<Variant> chosen;
    for (int v = 0; v < variant_count; ++v) {
      const auto variant = static_cast<Variant>(v);
      if (!settings_.variant.empty() && settings_.variant != variant_name(variant)) continue;
      if (on_device() ? variant == Variant::cuda : cpu_can_run(variant)) chosen.push_back(variant);
    }
    return chosen;
  }

  void note_absent_variants(const std::map<std::string, std::vector<const Case*>>& by_operation) {
    for (int v = 0; v < variant_count; ++v) {
      const auto variant = static_cast<Variant>(v);
      if (on_device() != (variant == Variant::cuda)) continue;
      if (!on_device() && !cpu_can_run(variant)) {
        report_.note(std::string("this processor cannot run ") + variant_name(variant));
        continue;
      }
      bool built = variant != Variant::lanes16;  // compiled for tests only, where the build asks for it
      for (const ups_operation& operation : operations()) built = built || has(operation, variant);
      if (!built) report_.note(std::string("this build has no ") + variant_name(variant) + " variants");
      else
        for (const ups_operation& operation : operations())
          if (by_operation.count(operation.name) && !has(operation, variant))
            report_.note(std::string("operation ") + operation.name + " has no " + variant_name(variant) + " variant");
    }
  }

  // A strategy that no case of any operation fits is not tested at all.
  void find_untested_strategies() {
    std::map<std::string, int64_t> cases;
    for (const Variant variant : variants())
      for (const ups_operation& operation : operations()) {
        const char* const* strategy = operation.kernels[static_cast<int>(variant)].strategies;
        if (report_.cases(operation.name, variant_name(variant)) == 0) continue;  // of another part
        for (; strategy && *strategy; ++strategy) {
          const std::string name = Way{variant, *strategy}.name();
          cases[name] += report_.cases(operation.name, name);
        }
      }
    for (const auto& [name, count] : cases)
      if (count == 0) report_.fail("any", name, "none", 0, "no case fits this strategy");
  }

  void run_operation(const ups_operation& operation, const std::vector<const Case*>& cases) {
    for (const Case* c : cases) {
      try {
        run_case(operation, *c);
      } catch (const std::exception& e) {
        report_.fail(operation.name, "reference", c->name, c->seed, e.what());
      }
    }
  }

  struct Prepared {
    Arguments arguments, wide;  // float32, and promoted
    std::vector<char> options;
    Outcome oracle, yardstick;
    std::vector<Outcome> noise;
  };

  void run_case(const ups_operation& operation, const Case& c) {
    Prepared p;
    p.arguments = Inputs(c, reference(), false).arguments(operation);
    p.wide = promoted(operation.schema, p.arguments);
    p.options = c.option_bytes(operation.schema);
    if (!settings_.bits.empty()) return record_bits(operation, c, p);
    const auto on_reference = [&](const Arguments& arguments) {
      Outcome o = invoke(reference(), {UPS_CPU, 0}, operation, arguments, p.options.data(), {}, "reference");
      if (o.status != UPS_OK) throw std::runtime_error("the reference refuses: " + o.text);
      return o;
    };
    p.oracle = on_reference(p.wide);
    p.yardstick = on_reference(p.arguments);
    for (const Variant variant : variants()) {
      if (!has(operation, variant)) continue;
      run_way(operation, c, p, {variant, ""});
      const char* const* strategy = on_device() ? nullptr : operation.kernels[static_cast<int>(variant)].strategies;
      for (; strategy && *strategy; ++strategy) run_way(operation, c, p, {variant, *strategy});
    }
    if (on_device() || settings_.variant.empty()) run_broken(operation, c, p);
    if (!on_device() && settings_.variant.empty()) run_gradient(operation, c, p);
  }

  // The gate refuses on the host, whichever variant would run; on a device the device does.
  void run_broken(const ups_operation& operation, const Case& c, const Prepared& p) {
    const Variant variant = on_device() ? Variant::cuda : Variant::reference;
    if (!has(operation, variant)) return;
    const char* name = variant_name(variant);
    const auto check = [&](const Arguments& arguments) {
      const std::string wrong = check_broken_inputs(contexts_.get(name, 1, settings_), settings_.device, operation, c,
                                                    arguments, p.options.data(), name);
      if (wrong.empty()) report_.pass(operation.name, "broken inputs", 0, "");
      else report_.fail(operation.name, "broken inputs", c.name, c.seed, wrong);
    };
    check(p.arguments);
    if (!on_device()) check(p.wide);
  }

  // For changes that must not change results: a file of hashes before, another one after, and
  // `diff`.
  void record_bits(const ups_operation& operation, const Case& c, const Prepared& p) {
    const auto record = [&](Variant variant, const char* dtype, const Arguments& arguments) {
      const char* name = variant_name(variant);
      const ups_device device = variant == Variant::cuda ? settings_.device : ups_device{UPS_CPU, 0};
      const Outcome outcome = invoke(contexts_.get(name, variant == Variant::reference ? 1 : 2, settings_), device,
                                     operation, arguments, p.options.data(), {}, name);
      std::string line = c.id() + " " + name + " " + dtype + " ";
      if (outcome.status == UPS_OK) {
        std::string content;
        for (const auto& output : outcome.outputs)
          if (output) content.append(output->bytes.begin(), output->bytes.end());
        char digits[20];
        std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash(content)));
        line += digits;
      } else {
        line += ups_status_text(outcome.status);
      }
      bits_.push_back(line);
      report_.pass(operation.name, name, 0, "");
    };
    for (const Variant variant : variants()) {
      if (has(operation, variant)) record(variant, "float32", p.arguments);
      if (!on_device() && operation.kernels_f64[static_cast<int>(variant)].run) record(variant, "float64", p.wide);
    }
  }
  int write_bits() {
    std::sort(bits_.begin(), bits_.end());
    std::FILE* file = std::fopen(settings_.bits.c_str(), "w");
    if (!file) throw std::runtime_error(settings_.bits + " cannot be written");
    for (const std::string& line : bits_) std::fprintf(file, "%s\n", line.c_str());
    const bool written = std::fclose(file) == 0;
    std::printf("%zu hashes in %s\n", bits_.size(), settings_.bits.c_str());
    return written && report_.failed() == 0 ? 0 : 1;
  }

  void run_gradient(const ups_operation& operation, const Case& c, const Prepared& p) {
    const ups_operation* forward = forward_of(operation);
    int64_t elements = 0;
    for (const auto& argument : p.arguments) elements += argument ? argument->count() : 0;
    if (!forward || !c.gradient.value_or(elements < 2000)) return;
    const GradientCheck check = check_gradient(c, *forward, operation, reference());
    if (check.failure.empty()) report_.pass(operation.name, "gradient", 0, "");
    else report_.fail(operation.name, "gradient", c.name, c.seed, check.failure);
  }

  // A variant, which chooses its strategy, or a strategy of it, which is forced.
  struct Way {
    Variant variant;
    const char* strategy;
    std::string name() const { return std::string(variant_name(variant)) + (*strategy ? "/" : "") + strategy; }
  };

  void run_way(const ups_operation& operation, const Case& c, Prepared& p, const Way& way) {
    const Variant variant = way.variant;
    const char* name = variant_name(variant);
    const auto fail = [&](const std::string& text) { report_.fail(operation.name, way.name(), c.name, c.seed, text); };
    Outcome first;
    struct Run {
      const char* what;
      int32_t threads;
      bool shifted;
      int64_t schedule;
    };
    std::vector<Run> runs = {{"", 1, false, 0}, {"with memory shifted by one element", 1, true, 1}};
    if (variant != Variant::reference && variant != Variant::cuda) {
      runs.push_back({"with 2 threads", 2, false, 0});
      if (!settings_.quick) runs.push_back({"with 5 threads", 5, true, 0});
    }
    for (int64_t s = 2; s < settings_.schedules; ++s) runs.push_back({"under another schedule", 1, s % 2 == 1, s});
    for (const Run& run : runs) {
      if (settings_.schedules > 0) choose_schedule(run.schedule);
      const auto said = [&](const std::string& text) {
        return (*run.what ? std::string(run.what) + ": " : "") + text +
               (settings_.schedules > 0 ? " (schedule " + std::to_string(run.schedule) + ")" : "");
      };
      Outcome outcome;
      try {
        outcome = invoke(contexts_.get(name, run.threads, settings_),
                         variant == Variant::cuda ? settings_.device : ups_device{UPS_CPU, 0}, operation, p.arguments,
                         p.options.data(), {run.shifted}, name, way.strategy);
      } catch (const std::exception& e) {
        return fail(said(e.what()));
      }
      if (outcome.status == UPS_UNSUPPORTED) {
        if (!*way.strategy) report_.tally(operation.name, name).unsupported.push_back(c.name);
        return;  // strategies fit some cases only
      }
      if (outcome.status != UPS_OK) return fail(said(outcome.text));
      if (!outcome.violation.empty()) return fail(said(outcome.violation));
      if (run.what == runs[0].what) {
        first = std::move(outcome);
        continue;
      }
      for (size_t i = 0; i < first.outputs.size(); ++i) {
        if (!first.outputs[i]) continue;
        const int64_t at = first_difference(*first.outputs[i], *outcome.outputs[i]);
        if (at < 0) continue;
        return fail(said(value_text(operation.schema.parameters[i], *outcome.outputs[i], at) +
                         " differs from the first run's " + number(first.outputs[i]->value(at))));
      }
    }
    judge(operation, c, p, way, first);
    const bool in_double = operation.kernels_f64[static_cast<int>(variant)].run && variant != Variant::reference;
    if (!on_device() && in_double && !*way.strategy) judge_double(operation, c, p, variant);
  }

  // A variant's float64 kernel against the reference's. Both round alike; what is left are other
  // orders of the sums.
  void judge_double(const ups_operation& operation, const Case& c, Prepared& p, Variant variant) {
    constexpr double allowed = 1e-10;
    const char* name = variant_name(variant);
    const Outcome outcome =
        invoke(contexts_.get(name, 2, settings_), {UPS_CPU, 0}, operation, p.wide, p.options.data(), {}, name);
    const auto fail = [&](const std::string& text) {
      report_.fail(operation.name, name, c.name, c.seed, "in float64: " + text);
    };
    if (outcome.status != UPS_OK) return fail(outcome.text);
    if (!outcome.violation.empty()) return fail(outcome.violation);
    for (size_t i = 0; i < outcome.outputs.size(); ++i) {
      if (!outcome.outputs[i]) continue;
      const HostTensor &found = *outcome.outputs[i], &oracle = *p.oracle.outputs[i];
      const Errors of_found = errors(found, oracle);
      const bool equal = found.is_float() ? of_found.different_kind < 0 && of_found.l2 <= allowed
                                          : first_difference(found, oracle) < 0;
      if (equal) continue;
      const int64_t at = of_found.different_kind >= 0 ? of_found.different_kind : of_found.worst;
      return fail(value_text(operation.schema.parameters[i], found, at) + ", reference " + number(oracle.value(at)) +
                  ", L2 error " + number(of_found.l2));
    }
  }

  // In fewer bits the numbers between the layers are rounded as well: several draws stand for them.
  const std::vector<Outcome>& noise(const ups_operation& operation, Prepared& p) {
    const size_t draws = settings_.precision == UPS_FP32 ? 1 : 64;
    for (uint64_t draw = p.noise.size(); draw < draws; ++draw)
      p.noise.push_back(invoke(reference(), {UPS_CPU, 0}, operation,
                               with_rounding_noise(operation.schema, p.wide, half_unit(), draw), p.options.data(), {},
                               "reference"));
    return p.noise;
  }

  static std::string number(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
  }
  static std::string value_text(const Parameter& parameter, const HostTensor& tensor, int64_t at) {
    return parameter.name + tensor.place(at) + " = " + number(tensor.value(at));
  }

  void judge(const ups_operation& operation, const Case& c, Prepared& p, const Way& way, const Outcome& outcome) {
    const std::string name = way.name();
    double worst = 0;
    bool leaning = false;
    std::string worst_at = c.name;
    for (size_t i = 0; i < outcome.outputs.size(); ++i) {
      if (!outcome.outputs[i]) continue;
      const Parameter& parameter = operation.schema.parameters[i];
      const HostTensor &found = *outcome.outputs[i], &oracle = *p.oracle.outputs[i],
                       &yardstick = *p.yardstick.outputs[i];
      const auto fail = [&](int64_t at, const std::string& more) {
        report_.fail(operation.name, name, c.name, c.seed,
                     value_text(parameter, found, at) + ", float64 reference " + number(oracle.value(at)) +
                         ", float32 reference " + number(yardstick.value(at)) + more);
      };
      if (!found.is_float() || c.exact) {
        const int64_t at = first_difference(found, yardstick);
        if (at >= 0) return fail(at, ": equality is wanted");
        if (!found.is_float()) continue;
      }
      const Errors of_found = errors(found, oracle), of_yardstick = errors(yardstick, oracle);
      if (of_found.different_kind >= 0) return fail(of_found.different_kind, "");
      if (way.variant == Variant::reference && of_found.l2 > reference_limit)
        return fail(of_found.worst, ": float32 and float64 reference disagree by " + number(of_found.l2));
      const double factor = parameter.name[0] == 'd' ? 3 : 2, floor = c.floor + precision_floor();
      const auto share = [&](double more_l2, double more_max) {
        return std::fmax(of_found.l2 / (factor * std::fmax(of_yardstick.l2, more_l2) + floor),
                         of_found.max / (factor * std::fmax(of_yardstick.max, more_max) + floor));
      };
      double of_allowed = share(0, 0);
      if (of_allowed > 1) {
        // With few elements the yardstick may be right by luck, or the sums cancel: then what
        // rounding the inputs does to the exact result counts as the yardstick's error.
        Errors of_noise;
        for (const Outcome& noisy : noise(operation, p)) {
          const Errors of_draw = errors(*noisy.outputs[i], oracle);
          of_noise.l2 = std::fmax(of_noise.l2, of_draw.l2);
          of_noise.max = std::fmax(of_noise.max, of_draw.max);
        }
        of_allowed = share(of_noise.l2, of_noise.max);
        leaning = of_allowed <= 1;
      }
      if (of_allowed > 1)
        return fail(of_found.worst, ": errors L2 " + number(of_found.l2) + ", largest " + number(of_found.max) +
                                        "; float32 reference " + number(of_yardstick.l2) + ", " +
                                        number(of_yardstick.max));
      if (of_allowed > worst) {
        worst = of_allowed;
        worst_at = c.name + ", " + parameter.name;
      }
    }
    report_.pass(operation.name, name, worst, worst_at);
    report_.tally(operation.name, name).leaning += leaning;
  }

  // Matrix products in fewer bits, where the run asks for it: 10 bits of mantissa (tf32), 7 (bf16).
  double half_unit() const {
    return settings_.precision == UPS_TF32 ? 0x1p-11 : settings_.precision == UPS_BF16 ? 0x1p-8 : 0x1p-24;
  }
  double precision_floor() const {
    return settings_.precision == UPS_TF32 ? 1e-3 : settings_.precision == UPS_BF16 ? 1e-2 : 0;
  }
};

constexpr const char* usage =
    "upsilon_conformance [--list] [--filter operation[/case]] [--variant name] [--device cpu|cuda:0|emulated:0]\n"
    "                    [--precision fp32|tf32|bf16] [--schedules n] [--json file] [--quick] [--benches]\n"
    "                    [--kernels directory] [--part i/n] [--bits file]\n"
    "  --filter     parts of names\n"
    "  --schedules  emulated device: each case under n shuffled thread schedules (at least 2)\n"
    "  --quick      without large cases and with fewer thread counts\n"
    "  --benches    the cases of the benches instead\n"
    "  --kernels    where the case files are\n"
    "  --part       every n-th operation from the i-th on, counted from 0: for several processes side by side\n"
    "  --bits       judges nothing, and writes a hash of every result: to be compared with those of another commit\n";

bool read_settings(int count, char** words, Settings& settings) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--list") settings.list = true;
    else if (word == "--quick") settings.quick = true;
    else if (word == "--benches") settings.benches = true;
    else if (i + 1 == count) return false;
    else if (word == "--filter") settings.filter = words[++i];
    else if (word == "--variant") settings.variant = words[++i];
    else if (word == "--json") settings.json = words[++i];
    else if (word == "--bits") settings.bits = words[++i];
    else if (word == "--kernels") settings.kernels = words[++i];
    else if (word == "--schedules") settings.schedules = std::atoll(words[++i]);
    else if (word == "--part") {
      char* slash = nullptr;
      settings.part = std::strtoll(words[++i], &slash, 10);
      if (*slash != '/') return false;
      settings.parts = std::atoll(slash + 1);
      if (settings.part < 0 || settings.part >= settings.parts) return false;
    } else if (word == "--precision") {
      const std::string precision = words[++i];
      if (precision != "fp32" && precision != "tf32" && precision != "bf16") return false;
      settings.precision = precision == "fp32" ? UPS_FP32 : precision == "tf32" ? UPS_TF32 : UPS_BF16;
    } else if (word == "--device") {
      settings.device_name = words[++i];
      const size_t colon = settings.device_name.find(':');
      const std::string kind = settings.device_name.substr(0, colon);
      settings.device = {kind == "cpu"    ? UPS_CPU
                         : kind == "cuda" ? UPS_CUDA
                                          : UPS_EMULATED,
                         colon == std::string::npos ? 0 : std::atoi(settings.device_name.c_str() + colon + 1)};
      if (kind != "cpu" && kind != "cuda" && kind != "emulated") return false;
    } else {
      return false;
    }
  }
  Variant variant;
  return settings.variant.empty() || variant_from_name(settings.variant.c_str(), &variant);
}

}  // namespace
}  // namespace upsilon::conformance

int main(int count, char** words) {
  using namespace upsilon::conformance;
  Settings settings;
  if (!read_settings(count, words, settings)) {
    std::fputs(usage, stderr);
    return 2;
  }
  unsetenv("UPSILON_FORCE");  // this test chooses variants and strategies itself
  unsetenv("UPSILON_STRATEGY");
  try {
    return Conformance(settings).run();
  } catch (const std::exception& e) {
    std::printf("%s\n0 passed, 1 failed\n", e.what());
    return 1;
  }
}
