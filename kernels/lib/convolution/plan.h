// How the result of a convolution, in either direction, is gathered from blocks of its source.
//
// Along an axis, result places of one phase are result_step * q + phase, and each is a sum over
// taps of the source at j = q + shift, where the source too falls into phases, source_step * j +
// residue. Towards the coarse grid a stride makes source phases; towards the fine grid it makes
// result phases, each with the taps that reach it (so nothing is multiplied by inserted zeros).
// Every phase is a dense convolution with unit steps: in a block of the source that is laid out
// phase by phase, with zeros where the grid ends, a tap is a constant distance.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "lib/convolution/geometry.h"
#include "lib/kernel.h"
#include "lib/math/moments.h"

namespace upsilon {

constexpr int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
constexpr int64_t floor_mod(int64_t a, int64_t b) { return a - floor_div(a, b) * b; }

struct GatherAxis {
  ConvolutionAxis of;
  Towards towards = Towards::coarse;
  int64_t result = 0, result_step = 1, phases = 1;
  int64_t source = 0, source_step = 1, source_phases = 1;  // only those that a tap looks at
  int64_t places = 0;  // values of q in the longest phase
  int64_t first_shift = 0, span = 0;  // smallest shift; the largest beyond it
  int64_t blocks = 1;

  GatherAxis() = default;
  GatherAxis(const ConvolutionAxis& axis, Towards towards_) : of(axis), towards(towards_) {
    const int64_t first = axis.kernel > 0 ? shift(0) : 0, last = axis.kernel > 0 ? shift(axis.kernel - 1) : 0;
    first_shift = std::min(first, last);
    span = std::max(first, last) - first_shift;
    if (towards == Towards::coarse) {
      result = places = axis.coarse;
      source = axis.fine;
      source_step = axis.stride;
      source_phases = std::clamp<int64_t>(axis.kernel, 1, period());
    } else {
      result = axis.fine;
      result_step = axis.stride;
      phases = std::min(axis.stride, axis.fine);
      places = ceil_div(axis.fine, axis.stride);
      source = axis.coarse;
    }
  }

  // Of the tap k: where its fine place lies among those of one stride, and how many strides on.
  int64_t residue(int64_t k) const { return floor_mod(k * of.dilation - of.padding, of.stride); }
  int64_t shift(int64_t k) const {
    const int64_t strides = floor_div(k * of.dilation - of.padding, of.stride);
    return towards == Towards::coarse ? strides : -strides;
  }
  int64_t phase(int64_t k) const { return towards == Towards::coarse ? 0 : residue(k); }
  int64_t source_phase(int64_t k) const { return towards == Towards::coarse ? k % period() : 0; }
  // The residues repeat after so many taps.
  int64_t period() const { return of.stride / std::gcd(of.stride, of.dilation); }
  // Where place 0 of a source phase lies.
  int64_t source_residue(int64_t source_phase) const { return towards == Towards::coarse ? residue(source_phase) : 0; }

  int64_t block() const { return ceil_div(places, blocks); }  // places of the largest block
  int64_t extent() const { return block() + span; }  // its source, of one phase
  int64_t begin(int64_t block) const { return places * block / blocks; }
  // No tap looks beyond the grid.
  bool stays_inside() const { return first_shift >= 0 && places + first_shift + span <= source; }
};

struct TapTables {
  int32_t *kernel, *offset;  // by phase: the place in the kernel, and in a block
  int64_t* first;  // of every phase and behind the last one
};

// Distances in a block, in floats. `shift` is that of a tap one place further along the width: 1
// where rows have room for all shifts, or that of one of `copies` of the source, one for every
// shift, whose rows are no longer than the result's.
struct BlockStrides {
  int64_t row, plane, shift, copies, phase, channel;
};

// A grid that is to be computed from the other one, before it is cut into blocks.
struct GatherGeometry {
  Convolution shape;
  Towards towards;
  GatherAxis axes[3];
  int64_t inputs, outputs;  // channels of a group

  GatherGeometry(const Convolution& shape_, Towards towards_)
      : shape(shape_), towards(towards_),
        axes{{shape_.axes[0], towards_}, {shape_.axes[1], towards_}, {shape_.axes[2], towards_}},
        inputs(shape_.fine_channels), outputs(shape_.coarse_channels) {
    if (towards == Towards::fine) std::swap(inputs, outputs);
  }
  int64_t source_places() const { return axes[0].source * axes[1].source * axes[2].source; }
  int64_t result_places() const { return axes[0].result * axes[1].result * axes[2].result; }
  int64_t phases() const { return axes[0].phases * axes[1].phases * axes[2].phases; }
  int64_t source_phases() const { return axes[0].source_phases * axes[1].source_phases * axes[2].source_phases; }
  bool stays_inside() const { return axes[0].stays_inside() && axes[1].stays_inside() && axes[2].stays_inside(); }
};

inline void fill_taps(const GatherAxis (&axes)[3], const BlockStrides& strides, const TapTables& tables) {
  const auto& [d, h, w] = axes;
  int64_t count = 0, phase = 0;
  for (int64_t rd = 0; rd < d.phases; ++rd)
    for (int64_t rh = 0; rh < h.phases; ++rh)
      for (int64_t rw = 0; rw < w.phases; ++rw) {
        tables.first[phase++] = count;
        for (int64_t kd = 0; kd < d.of.kernel; ++kd)
          for (int64_t kh = 0; kh < h.of.kernel && d.phase(kd) == rd; ++kh)
            for (int64_t kw = 0; kw < w.of.kernel && h.phase(kh) == rh; ++kw) {
              if (w.phase(kw) != rw) continue;
              const int64_t source_phase =
                  (d.source_phase(kd) * h.source_phases + h.source_phase(kh)) * w.source_phases + w.source_phase(kw);
              tables.kernel[count] = static_cast<int32_t>((kd * h.of.kernel + kh) * w.of.kernel + kw);
              tables.offset[count++] = static_cast<int32_t>(
                  source_phase * strides.phase + (d.shift(kd) - d.first_shift) * strides.plane +
                  (h.shift(kh) - h.first_shift) * strides.row + (w.shift(kw) - w.first_shift) * strides.shift);
            }
      }
  tables.first[phase] = count;
}

// The limits of a plan: floats in a block, phases and taps. Beyond them (a dilation of millions)
// the reference is used.
inline constexpr int64_t max_block_floats = int64_t{1} << 28, max_phases = int64_t{1} << 24;

// Floats of the smallest block: of one place in depth and height, and of whole rows, which may not
// be cut.
inline double smallest_block_floats(int64_t inputs, const GatherAxis (&axes)[3], double row) {
  double floats = static_cast<double>(std::max<int64_t>(inputs, 1)) * row;
  for (const GatherAxis& axis : axes) floats *= static_cast<double>(axis.source_phases);
  return floats * static_cast<double>(1 + axes[0].span) * static_cast<double>(1 + axes[1].span);
}

inline bool fits_plan(const Convolution& shape) {
  for (const Towards towards : {Towards::coarse, Towards::fine}) {
    const GatherAxis axes[3] = {{shape.axes[0], towards}, {shape.axes[1], towards}, {shape.axes[2], towards}};
    double phases = 1, taps = 1;
    for (const GatherAxis& axis : axes) {
      phases *= static_cast<double>(axis.phases);
      taps *= static_cast<double>(axis.of.kernel);
    }
    const int64_t inputs = towards == Towards::coarse ? shape.fine_channels : shape.coarse_channels;
    const double floats = smallest_block_floats(inputs, axes, static_cast<double>(axes[2].places + axes[2].span));
    if (std::max(floats, taps) > static_cast<double>(max_block_floats) || phases > static_cast<double>(max_phases))
      return false;
  }
  return true;
}

}  // namespace upsilon
