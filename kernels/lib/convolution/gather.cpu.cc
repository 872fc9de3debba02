// Chooses a strategy, deals its blocks to workers, and takes moments of what they have written.
#include "lib/convolution/plan.h"

#define UPS_SIMD_SOURCE "lib/convolution/gather.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/convolution/gather.simd.h"
#include "lib/math/moments.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

constexpr int64_t cached_floats = 128 * 1024;  // half of an L2 of 1 MiB
constexpr int64_t min_task_places = 256;
constexpr int64_t tasks_per_worker = 12, task_products = 256 * 1024;
constexpr int64_t tasks_with_moments = 24;  // of an image: their bits must not depend on workers and samples
constexpr int64_t moments_piece = 1024;  // stays in L1
constexpr int64_t min_cut_width = 512;

#define UPS_ADDRESS(name) &name##_strategy,
const Strategy* const strategies[] = {UPS_CONVOLUTION_STRATEGIES(UPS_ADDRESS)};
#undef UPS_ADDRESS

// The last strategy fits every geometry.
int32_t choose(const GatherGeometry& geometry) {
  int32_t number = 0;
  while (number < convolution_strategy_count - 1 &&
         !(strategies[number]->fits(geometry) && strategies[number]->preferred(geometry)))
    ++number;
  return number;
}

int64_t tasks_for(double products, int64_t max_tasks) {
  return static_cast<int64_t>(std::clamp(products / task_products, 1.0, static_cast<double>(max_tasks)));
}

// The axis to cut next; null if none should be cut.
GatherAxis* axis_to_cut(Plan& plan, bool in_place) {
  auto& [d, h, w] = plan.axes;
  // Of the planes of the smallest block, were h cut: in place they hold a vector.
  const auto rows_left = [&] { return h.places / std::min(h.places, 2 * h.blocks); };
  if (d.block() > 1) return &d;
  if (h.block() > 1 && (!in_place || (rows_left() - 1) * w.source + w.places >= lanes)) return &h;
  return w.block() >= min_cut_width ? &w : nullptr;
}

void cut(Plan& plan, int64_t (*copied_floats)(const Plan&)) {
  const Convolution& shape = plan.shape;
  const double of_sample = static_cast<double>(shape.weight_count()) * static_cast<double>(shape.coarse_places());
  const int64_t wanted = tasks_for(static_cast<double>(shape.samples) * of_sample, tasks_per_worker * plan.workers);
  const int64_t wanted_of_image =
      tasks_for(of_sample / static_cast<double>(std::max<int64_t>(shape.groups, 1)), tasks_with_moments);
  for (;;) {
    const int64_t places = plan.axes[0].block() * plan.axes[1].block() * plan.axes[2].block();
    const bool large = copied_floats && copied_floats(plan) > cached_floats;
    const bool few = plan.with_moments ? plan.blocks() < wanted_of_image : plan.all_blocks() < wanted;
    if (!large && !(few && places > min_task_places)) break;
    GatherAxis* const axis = axis_to_cut(plan, !copied_floats);
    if (!axis) break;
    axis->blocks = std::min(axis->places, 2 * axis->blocks);
  }
  const int64_t tiles = ceil_div(plan.outputs, tile_outputs), blocks = std::max<int64_t>(plan.all_blocks(), 1);
  plan.splits = plan.all_blocks() < wanted ? std::max<int64_t>(std::min(ceil_div(wanted, blocks), tiles), 1) : 1;
}

// Of what a block has just written, which is still in cache.
void take_moments(const Plan& plan, const Block& block, const float* result) {
  int64_t begin[3], extent[3];
  for (int a = 0; a < 3; ++a) {
    const GatherAxis& axis = plan.axes[a];
    begin[a] = axis.result_step * block.begin[a];
    extent[a] = std::min(axis.result, axis.result_step * (block.begin[a] + block.places[a])) - begin[a];
  }
  const int64_t of_row = plan.axes[2].result, of_plane = plan.axes[1].result * of_row;
  // What lies together: whole rows are one run, and whole planes too.
  auto [planes, rows, run] = extent;
  if (run == of_row) run *= rows, rows = 1;
  if (run == of_plane) run *= planes, planes = 1;
  for (int64_t o = block.first_output; o < block.first_output + block.outputs; ++o) {
    const int64_t channel = block.image * plan.outputs + o;
    const float* first = result + channel * plan.result_places() + begin[0] * of_plane + begin[1] * of_row + begin[2];
    Moments found;
    for (int64_t p = 0; p < planes; ++p)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < run; i += moments_piece)
          found.join(moments_of(first + p * of_plane + r * of_row + i, std::min(moments_piece, run - i)));
    plan.moments[channel * plan.blocks() + block.number % plan.blocks()] = found;
  }
}

void join_moments(const Plan& plan, Threads& threads, double* moments) {
  threads.run(plan.shape.samples * plan.shape.groups, [&](int64_t image, int32_t) {
    for (int64_t channel = image * plan.outputs; channel < (image + 1) * plan.outputs; ++channel) {
      Moments all;
      for (int64_t b = 0; b < plan.blocks(); ++b) all.join(plan.moments[channel * plan.blocks() + b]);
      moments[2 * channel] = all.mean;
      moments[2 * channel + 1] = all.variance();
    }
  });
}

}  // namespace

void cut_copied(Plan& plan, int64_t (*copied_floats)(const Plan&)) { cut(plan, copied_floats); }
void cut_in_place(Plan& plan) { cut(plan, nullptr); }

Block block_of(const Plan& plan, int64_t task) {
  Block block;
  const int64_t tiles = ceil_div(plan.outputs, tile_outputs), split = task % plan.splits;
  block.first_output = tiles * split / plan.splits * tile_outputs;
  block.outputs = std::min(plan.outputs, tiles * (split + 1) / plan.splits * tile_outputs) - block.first_output;
  block.number = task / plan.splits;
  int64_t rest = block.number;
  for (int a = 2; a >= 0; --a) {
    const GatherAxis& axis = plan.axes[a];
    const int64_t at = rest % axis.blocks;
    rest /= axis.blocks;
    block.begin[a] = axis.begin(at);
    block.places[a] = axis.begin(at + 1) - block.begin[a];
  }
  block.image = rest;
  return block;
}

Gather::Gather(const Convolution& shape, Towards towards, int32_t workers, WorkspaceLayout& workspace, int32_t strategy,
               bool with_moments)
    : plan_(shape, towards, workers, with_moments), strategy_(strategy < 0 ? choose(plan_) : strategy) {
  strategies[strategy_]->lay_out(plan_, workspace);
  plan_.moments = workspace.reserve<Moments>(with_moments ? plan_.all_blocks() * plan_.outputs : 0);
}

void Gather::run(Threads& threads, const Operands& operands) const {
  const int64_t channels = plan_.shape.samples * plan_.shape.groups * plan_.outputs;
  if (channels * plan_.result_places() == 0) return clear(operands.moments, 2 * channels);
  const Strategy& strategy = *strategies[strategy_];
  strategy.prepare(plan_, operands, threads);
  threads.run(plan_.all_blocks() * plan_.splits, [&](int64_t task, int32_t worker) {
    const Block block = block_of(plan_, task);
    strategy.compute(plan_, operands, block, worker);
    if (operands.moments) take_moments(plan_, block, operands.result);
  });
  if (operands.moments) join_moments(plan_, threads, operands.moments);
}

bool Gather::fits(const Convolution& shape, Towards towards, int32_t strategy) {
  return strategies[strategy]->fits(GatherGeometry(shape, towards));
}

UPS_SIMD_SHARED_END
