#include "gradients.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "inputs.h"

namespace upsilon::conformance {
namespace {

constexpr int64_t max_elements = 64;
constexpr double step = 1e-5;        // truncation ~ step², rounding ~ 1e-16 / step: both near 1e-10
constexpr double tolerance = 1e-6;   // relative to the largest derivative of the tensor, at least 1
constexpr double kink_above = 1e-4;  // difference of the one-sided derivatives that no curvature explains

int find(const Schema& schema, const std::string& name, bool output) {
  for (size_t i = 0; i < schema.parameters.size(); ++i)
    if (schema.parameters[i].name == name && schema.parameters[i].output == output) return static_cast<int>(i);
  return -1;
}

}  // namespace

const ups_operation* forward_of(const ups_operation& operation) {
  const std::string name = operation.name, end = "_backward";
  if (name.size() <= end.size() || name.compare(name.size() - end.size(), end.size(), end) != 0) return nullptr;
  return find_operation((name.substr(0, name.size() - end.size()) + "_forward").c_str());
}

GradientCheck check_gradient(const Case& c, const ups_operation& forward, const ups_operation& backward,
                             ups_context* reference) {
  GradientCheck result;
  Inputs inputs(c, reference, true);
  Arguments back = inputs.arguments(backward), ahead = inputs.arguments(forward);
  const auto forward_options = c.option_bytes(forward.schema), backward_options = c.option_bytes(backward.schema);
  call_plainly(reference, backward, back, backward_options.data());

  double magnitude = 0;
  const auto loss = [&] {
    call_plainly(reference, forward, ahead, forward_options.data());
    double sum = 0;
    magnitude = 0;
    for (size_t i = 0; i < ahead.size(); ++i) {
      const Parameter& p = forward.schema.parameters[i];
      const int weights = p.output ? find(backward.schema, "d" + p.name, false) : -1;
      if (!ahead[i] || weights < 0 || !back[static_cast<size_t>(weights)]) continue;
      for (int64_t k = 0; k < ahead[i]->count(); ++k) {
        const double term = ahead[i]->value(k) * back[static_cast<size_t>(weights)]->value(k);
        sum += term;
        magnitude += std::fabs(term);
      }
    }
    return sum;
  };
  const double here = loss();
  if (!std::isfinite(here)) {
    result.failure = "the loss is not finite: the case needs \"gradient\": false";
    return result;
  }

  for (size_t i = 0; i < back.size(); ++i) {
    const Parameter& p = backward.schema.parameters[i];
    if (!p.output || !back[i] || p.name[0] != 'd') continue;
    const int of = find(forward.schema, p.name.substr(1), false);
    if (of < 0 || !ahead[static_cast<size_t>(of)]) continue;
    const HostTensor& gradient = *back[i];
    HostTensor& argument = *ahead[static_cast<size_t>(of)];
    double scale = 1;
    for (int64_t k = 0; k < gradient.count(); ++k) scale = std::fmax(scale, std::fabs(gradient.value(k)));
    Random random(c.seed ^ hash(p.name));
    const int64_t count = gradient.count(), checked = std::min(count, max_elements);
    for (int64_t n = 0; n < checked; ++n) {
      const int64_t k = count <= max_elements ? n : random.below(count);
      const double x = argument.value(k), h = step * std::fmax(1, std::fabs(x));
      argument.set(k, x + h);
      const double above = (loss() - here) / h;
      argument.set(k, x - h);
      const double below = (here - loss()) / h;
      argument.set(k, x);
      const double found = gradient.value(k), central = (above + below) / 2;
      const double allowed = tolerance * scale + 1e-15 * magnitude / h;
      ++result.elements;
      if (std::fabs(found - central) <= allowed) continue;
      const double slack = kink_above * scale;
      if (std::fabs(above - below) > slack && found >= std::fmin(above, below) - slack &&
          found <= std::fmax(above, below) + slack) {
        ++result.kinks;
        continue;
      }
      char text[256];
      std::snprintf(text, sizeof text, "%s%s is %.12g, finite differences say %.12g (from above %.9g, from below %.9g)",
                    p.name.c_str(), gradient.place(k).c_str(), found, central, above, below);
      result.failure = text;
      return result;
    }
  }
  return result;
}

}  // namespace upsilon::conformance
