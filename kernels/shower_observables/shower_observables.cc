// Reference: the definitions, in plain loops.
#include "lib/math/no_contraction.h"

#include "shower_observables/shower_observables.h"

#include "core/validity.h"
#include "lib/kernel.h"
#include "shower_observables/shower_observables_call.h"

namespace upsilon {
namespace {

template <class T>
ups_status reference(const Call& call) {
  const ShowerObservables<T> f(call);
  for (int64_t b = 0; b < f.showers; ++b) {
    const auto cell = [&](int64_t z, int64_t y, int64_t x) {
      const double value = f.cells[((b * f.layers + z) * f.height + y) * f.width + x];
      return value < f.threshold ? 0.0 : value;
    };
    const auto column = [&](int64_t y, int64_t x) {
      double sum = 0;
      for (int64_t z = 0; z < f.layers; ++z) sum += cell(z, y, x);
      return sum;
    };
    double energy = 0, y_moment = 0, x_moment = 0, z_moment = 0;
    for (int64_t y = 0; y < f.height; ++y) {
      double row = 0;
      for (int64_t x = 0; x < f.width; ++x) row += column(y, x);
      energy += row;
      y_moment += static_cast<double>(y) * row;
    }
    for (int64_t x = 0; x < f.width; ++x) {
      double slice = 0;
      for (int64_t y = 0; y < f.height; ++y) slice += column(y, x);
      x_moment += static_cast<double>(x) * slice;
    }
    for (int64_t z = 0; z < f.layers; ++z) {
      double layer = 0;
      for (int64_t y = 0; y < f.height; ++y)
        for (int64_t x = 0; x < f.width; ++x) layer += cell(z, y, x);
      if (f.longitudinal) f.longitudinal[b * f.layers + z] = static_cast<T>(layer);
      z_moment += static_cast<double>(z) * layer;
    }
    const auto middle = [&](double moment, int64_t count) {
      return energy == 0 ? static_cast<double>(count - 1) / 2 : moment / energy;
    };
    const double centre[3] = {middle(z_moment, f.layers), middle(y_moment, f.height), middle(x_moment, f.width)};
    if (f.energy) f.energy[b] = static_cast<T>(energy);
    for (int d = 0; f.centre && d < 3; ++d) f.centre[3 * b + d] = static_cast<T>(centre[d]);

    const double axis_y = f.axis ? f.axis[2 * b] : centre[1], axis_x = f.axis ? f.axis[2 * b + 1] : centre[2];
    for (int64_t r = 0; f.radial && r < f.rings; ++r) {
      double ring = 0;
      for (int64_t y = 0; y < f.height; ++y)
        for (int64_t x = 0; x < f.width; ++x) {
          const double distance2 =
              squared_distance(static_cast<double>(y) - axis_y, static_cast<double>(x) - axis_x, f.rings_per_cell);
          if (is_in_ring(distance2, r)) ring += column(y, x);
        }
      f.radial[b * f.rings + r] = static_cast<T>(ring);
    }

    const int64_t size = f.layers * f.height * f.width;
    int32_t hits = 0;
    if (f.spectrum) clear(f.spectrum + b * f.bins, f.bins);
    for (int64_t i = 0; i < size; ++i) {
      const double value = f.cells[b * size + i];
      if (value < f.threshold) continue;
      ++hits;
      for (int64_t s = 0; f.spectrum && s < f.bins; ++s)
        if (value >= f.edge(s) && value < f.edge(s + 1)) ++f.spectrum[b * f.bins + s];
    }
    if (f.hits) f.hits[b] = hits;
  }
  return UPS_OK;
}

void validate(const ShowerObservablesCall& call, RefusalOf<ShowerObservablesCall>& refuse) {
  if (!call.given("spectrum")) return;
  const auto& options = call.options();
  if (call.dim("S") > max_bins)
    refuse("spectrum",
           format("has %lld bins (expected at most %lld)", static_cast<long long>(call.dim("S")),
                  static_cast<long long>(max_bins)),
           UPS_SHAPE);
  if (!(options.highest > options.lowest && std::isfinite(options.highest)))
    refuse("highest", "is " + refuse.option_text("highest") + " but " + named("lowest") + " is " +
                          refuse.option_text("lowest") + " (expected a larger, finite number)");
}

const OperationOf<ShowerObservablesCall> observables{{reference<float>}, {reference<double>}, validated_by<validate>};

}  // namespace
}  // namespace upsilon

ups_status ups_shower_observables(ups_context* context, const ups_tensor* showers, const ups_tensor* axis,
                                  ups_tensor* energy, ups_tensor* hits, ups_tensor* longitudinal, ups_tensor* centre,
                                  ups_tensor* radial, ups_tensor* spectrum,
                                  const ups_shower_observables_options* options) noexcept {
  return upsilon::call(context, upsilon::observables,
                       {showers, axis, energy, hits, longitudinal, centre, radial, spectrum}, options);
}
