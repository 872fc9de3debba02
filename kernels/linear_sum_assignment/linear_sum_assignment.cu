// CUDA: a team of threads has a problem: a warp up to 64 rows or columns, a block up to 320, both
// with their state in shared memory; a block with its state in global memory beyond. Floor: a cost,
// 3 sums and 3 comparisons for each column of each step of a search, which is latency: a step is a
// pass over the columns, five (a block: ten) shuffles, two barriers.
#include "lib/cuda/cuda.h"

#include "linear_sum_assignment/linear_sum_assignment_call.h"

namespace upsilon {
namespace {

constexpr int64_t max_of_warp = 64, max_of_block = 320;

// A column that a search may go to next: of equal distances the least order, which says who scipy
// would take.
struct Candidate {
  double distance;
  int32_t order, column;  // -1: none

  UPS_ON_DEVICE bool beats(const Candidate& other) const {
    return column >= 0 &&
           (other.column < 0 || distance < other.distance || (distance == other.distance && order < other.order));
  }
};

struct WarpTeam {
  static constexpr int size = 32;
  ups::Tile<32> warp = ups::Tile<32>::here();

  UPS_ON_DEVICE int rank() const { return warp.rank; }
  UPS_ON_DEVICE void sync() const { warp.sync(); }
  UPS_ON_DEVICE bool all(bool predicate) const { return warp.all(predicate); }
  UPS_ON_DEVICE Candidate best_of(Candidate own) const {
    UPS_UNROLL
    for (int distance = 16; distance > 0; distance /= 2) {
      const Candidate other{warp.shfl_xor(own.distance, distance), warp.shfl_xor(own.order, distance),
                            warp.shfl_xor(own.column, distance)};
      if (other.beats(own)) own = other;
    }
    return own;
  }
};

template <int threads>
struct BlockTeam {
  static constexpr int size = threads;
  WarpTeam team;

  UPS_ON_DEVICE int rank() const { return static_cast<int>(threadIdx.x); }
  UPS_ON_DEVICE void sync() const { __syncthreads(); }
  UPS_ON_DEVICE bool all(bool predicate) const { return __syncthreads_and(predicate) != 0; }
  UPS_ON_DEVICE Candidate best_of(Candidate own) const {
    UPS_SHARED(Candidate, of_warps, [threads / 32]);
    own = team.best_of(own);
    if (team.rank() == 0) of_warps[threadIdx.x / 32] = own;
    __syncthreads();
    UPS_UNROLL
    for (int w = 0; w < threads / 32; ++w)
      if (of_warps[w].beats(own)) own = of_warps[w];
    __syncthreads();
    return own;
  }
};

// Of the problem a team solves; rows are the shorter side.
struct State {
  double *u, *v, *distance;
  int32_t *column_of_row, *row_of_column, *path;
  int32_t *remaining, *position;  // scipy's order of the columns not yet reached; a reached one has the position -1
};

template <int most>
struct StateInShared {
  double numbers[3][most];
  int32_t indices[5][most];

  UPS_ON_DEVICE State pieces() {
    return {numbers[0], numbers[1], numbers[2], indices[0], indices[1], indices[2], indices[3], indices[4]};
  }
};

struct Problem {
  const float* cost;
  int64_t rows, columns, row_stride, column_stride;
  bool maximize;

  UPS_ON_DEVICE Problem(const Assignments<float>& f, int64_t b, int64_t first_cost)
      : cost(f.cost + first_cost), rows(f.pair_count(b)), columns(f.rows(b) + f.columns(b) - rows),
        row_stride(f.rows(b) > f.columns(b) ? 1 : f.columns(b)),
        column_stride(f.rows(b) > f.columns(b) ? f.columns(b) : 1), maximize(f.maximize) {}
  UPS_ON_DEVICE double at(int64_t i, int64_t j) const {
    const double value = static_cast<double>(cost[i * row_stride + j * column_stride]);
    return maximize ? -value : value;
  }
};

template <class Team>
UPS_ON_DEVICE int32_t solve(const Team& team, const Problem& p, const State& s) {
  const auto columns = static_cast<int32_t>(p.columns);
  bool valid = true;
  for (int64_t k = team.rank(); k < p.rows * p.columns; k += Team::size)
    valid = valid && (p.maximize ? -p.cost[k] : p.cost[k]) > -INFINITY;
  for (int32_t i = team.rank(); i < p.rows; i += Team::size) {
    s.u[i] = 0;
    s.column_of_row[i] = -1;
  }
  for (int32_t j = team.rank(); j < columns; j += Team::size) {
    s.v[j] = 0;
    s.row_of_column[j] = -1;
  }
  if (!team.all(valid)) return UPS_ASSIGNMENT_INVALID;
  for (int32_t start = 0; start < p.rows; ++start) {
    for (int32_t j = team.rank(); j < columns; j += Team::size) {
      s.distance[j] = INFINITY;
      s.remaining[j] = s.position[j] = columns - 1 - j;
    }
    team.sync();
    double so_far = 0;
    int32_t row = start, column = -1;
    for (int32_t left = columns;;) {
      const double dual = s.u[row];
      Candidate best{INFINITY, 0, -1};
      for (int32_t j = team.rank(); j < columns; j += Team::size) {
        const int32_t position = s.position[j];
        if (position < 0) continue;
        const double along = so_far + p.at(row, j) - dual - s.v[j];
        if (along < s.distance[j]) {
          s.distance[j] = along;
          s.path[j] = row;
        }
        const Candidate next{s.distance[j], s.row_of_column[j] < 0 ? -1 - position : position, j};
        if (next.distance < INFINITY && next.beats(best)) best = next;
      }
      best = team.best_of(best);
      if (best.column < 0) return UPS_ASSIGNMENT_INFEASIBLE;
      so_far = best.distance;
      column = best.column;
      row = s.row_of_column[column];
      if (row < 0) break;
      --left;
      team.sync();
      if (team.rank() == 0) {
        const int32_t at = s.position[column], last = s.remaining[left];
        s.remaining[at] = last;
        s.position[last] = at;
        s.position[column] = -1;
      }
      team.sync();
    }
    for (int32_t j = team.rank(); j < columns; j += Team::size) {
      if (s.position[j] >= 0) continue;
      const double gain = so_far - s.distance[j];
      s.u[s.row_of_column[j]] += gain;
      s.v[j] -= gain;
    }
    team.sync();
    if (team.rank() == 0) {
      s.u[start] += so_far;
      for (row = -1; row != start;) {
        row = s.path[column];
        s.row_of_column[column] = row;
        const int32_t before = s.column_of_row[row];
        s.column_of_row[row] = column;
        column = before;
      }
    }
    team.sync();
  }
  return UPS_ASSIGNMENT_OPTIMAL;
}

// The same numbers as write_success and write_failure: the total is added up in the order of rows.
template <class Team>
UPS_ON_DEVICE void write_results(const Team& team, const Assignments<float>& f, int64_t b, int64_t first_cost,
                                 int64_t first_pair, int64_t next_pair, const State& s, int32_t status) {
  const bool found = status == UPS_ASSIGNMENT_OPTIMAL, turned = f.rows(b) > f.columns(b);
  const auto rows = static_cast<int32_t>(f.rows(b)), columns = static_cast<int32_t>(f.columns(b));
  const int32_t *columns_found = turned ? s.row_of_column : s.column_of_row,
                *rows_found = turned ? s.column_of_row : s.row_of_column;
  const double *u = turned ? s.v : s.u, *v = turned ? s.u : s.v;
  const auto signed_dual = [&](double dual) { return f.maximize ? -dual : dual; };
  team.sync();
  for (int32_t i = team.rank(); i < rows; i += Team::size) {
    const int32_t column = found ? columns_found[i] : -1;
    f.column_of_row[f.row_offsets[b] + i] = column;
    if (f.u) f.u[f.row_offsets[b] + i] = found ? signed_dual(u[i]) : NAN;
    if (column >= 0)
      s.distance[turned ? column : i] =
          static_cast<double>(f.cost[first_cost + static_cast<int64_t>(i) * columns + column]);
  }
  for (int32_t j = team.rank(); j < columns; j += Team::size) {
    f.row_of_column[f.column_offsets[b] + j] = found ? rows_found[j] : -1;
    if (f.v) f.v[f.column_offsets[b] + j] = found ? signed_dual(v[j]) : NAN;
  }
  if (f.pair_offsets && !found)
    for (int64_t p = first_pair + team.rank(); p < next_pair; p += Team::size) f.pair_rows[p] = f.pair_columns[p] = -1;
  team.sync();
  if (team.rank() == 0) {
    double total = 0;
    int64_t pair = first_pair;
    for (int32_t i = 0; found && i < rows; ++i) {
      const int32_t column = columns_found[i];
      if (column < 0) continue;
      total += s.distance[turned ? column : i];
      if (!f.pair_offsets) continue;
      f.pair_rows[pair] = i;
      f.pair_columns[pair++] = column;
    }
    f.total[b] = found ? total : NAN;
    f.status[b] = status;
  }
  team.sync();
}

template <class Team>
UPS_ON_DEVICE void one(const Team& team, const Assignments<float>& f, int64_t b, const int64_t* first_costs,
                       const int64_t* first_pairs, const State& s) {
  const int64_t first_cost = first_costs[b], first_pair = first_pairs[b];
  int32_t status = UPS_ASSIGNMENT_MISSING;
  if (f.has(b, first_cost, first_pair)) status = solve(team, Problem(f, b, first_cost), s);
  write_results(team, f, b, first_cost, first_pair, first_pairs[b + 1], s, status);
}

UPS_ON_DEVICE int64_t longest_side(const Assignments<float>& f, int64_t b) {
  return f.rows(b) + f.columns(b) - f.pair_count(b);
}

template <int threads>
UPS_KERNEL_LB(threads)
assign_by_warps(const int32_t* fault, Assignments<float> f, const int64_t* first_costs, const int64_t* first_pairs) {
  if (*fault != 0) return;
  UPS_SHARED(StateInShared<max_of_warp>, states, [threads / 32]);
  const WarpTeam team;
  const State s = states[threadIdx.x / 32].pieces();
  for (int64_t b = global_thread() / 32; b < f.problems; b += global_threads() / 32)
    if (longest_side(f, b) <= max_of_warp) one(team, f, b, first_costs, first_pairs, s);
}

template <int threads>
UPS_KERNEL_LB(threads)
assign_by_blocks(const int32_t* fault, Assignments<float> f, const int64_t* first_costs, const int64_t* first_pairs) {
  if (*fault != 0) return;
  UPS_SHARED(StateInShared<max_of_block>, state, [1]);
  const BlockTeam<threads> team;
  const State s = state[0].pieces();
  for (int64_t b = blockIdx.x; b < f.problems; b += gridDim.x)
    if (longest_side(f, b) > max_of_warp && longest_side(f, b) <= max_of_block)
      one(team, f, b, first_costs, first_pairs, s);
}

// `numbers` and `indices`: `stride` for each array of a state; a problem's part begins where its
// rows and columns do.
template <int threads>
UPS_KERNEL_LB(threads)
assign_in_global(const int32_t* fault, Assignments<float> f, const int64_t* first_costs, const int64_t* first_pairs,
                 double* numbers, int32_t* indices, int64_t stride) {
  if (*fault != 0) return;
  const BlockTeam<threads> team;
  for (int64_t b = blockIdx.x; b < f.problems; b += gridDim.x) {
    if (longest_side(f, b) <= max_of_block) continue;
    double* const n = numbers + f.row_offsets[b] + f.column_offsets[b];
    int32_t* const i = indices + f.row_offsets[b] + f.column_offsets[b];
    const State s{n, n + stride, n + 2 * stride, i, i + stride, i + 2 * stride, i + 3 * stride, i + 4 * stride};
    one(team, f, b, first_costs, first_pairs, s);
  }
}

// Where costs and pairs of every problem begin, by one block: a thread sums up neighbouring
// problems.
template <int threads>
UPS_KERNEL_LB(threads)
find_beginnings_on_device(const int32_t* fault, Assignments<float> f, int64_t* first_costs, int64_t* first_pairs) {
  if (*fault != 0) return;
  UPS_SHARED(int64_t, costs_of, [threads]);
  UPS_SHARED(int64_t, pairs_of, [threads]);
  const int64_t each = (f.problems + threads - 1) / threads;
  const int64_t begin = ups::min(each * threadIdx.x, f.problems), end = ups::min(begin + each, f.problems);
  int64_t costs = 0, pairs = 0;
  for (int64_t b = begin; b < end; ++b) {
    costs += f.cost_count(b);
    pairs += f.pair_count(b);
  }
  costs_of[threadIdx.x] = costs;
  pairs_of[threadIdx.x] = pairs;
  __syncthreads();
  costs = pairs = 0;
  for (unsigned other = 0; other < threadIdx.x; ++other) {
    costs += costs_of[other];
    pairs += pairs_of[other];
  }
  const auto put = [&](int64_t b) {
    first_costs[b] = ups::min(costs, f.costs);
    first_pairs[b] = ups::min(pairs, f.pairs);
    if (f.pair_offsets) f.pair_offsets[b] = static_cast<int32_t>(ups::min(pairs, f.pairs));
  };
  for (int64_t b = begin; b < end; ++b) {
    put(b);
    costs += f.cost_count(b);
    pairs += f.pair_count(b);
  }
  if (threadIdx.x == threads - 1) put(f.problems);
}

template <int threads>
UPS_KERNEL_LB(threads)
clear_outside_on_device(const int32_t* fault, Assignments<float> f, const int64_t* first_pairs) {
  if (*fault != 0) return;
  const int64_t longest = ups::max(ups::max(f.rows_of_all, f.columns_of_all), f.pairs);
  for (int64_t i = global_thread(); i < longest; i += global_threads()) {
    if (i < f.rows_of_all && (i < f.row_offsets[0] || i >= f.row_offsets[f.problems])) {
      f.column_of_row[i] = -1;
      if (f.u) f.u[i] = NAN;
    }
    if (i < f.columns_of_all && (i < f.column_offsets[0] || i >= f.column_offsets[f.problems])) {
      f.row_of_column[i] = -1;
      if (f.v) f.v[i] = NAN;
    }
    if (f.pair_offsets && i < f.pairs && i >= first_pairs[f.problems]) f.pair_rows[i] = f.pair_columns[i] = -1;
  }
}

struct Scratch {
  int64_t *first_costs, *first_pairs, stride;
  double* numbers = nullptr;
  int32_t* indices = nullptr;

  Scratch(const Assignments<float>& f, WorkspaceLayout& workspace)
      : first_costs(workspace.reserve<int64_t>(f.problems + 1)),
        first_pairs(workspace.reserve<int64_t>(f.problems + 1)), stride(f.rows_of_all + f.columns_of_all) {
    if (!may_exceed(f, max_of_block)) return;
    numbers = workspace.reserve<double>(3 * stride);
    indices = workspace.reserve<int32_t>(5 * stride);
  }
  static bool may_exceed(const Assignments<float>& f, int64_t most) {
    return std::max(f.rows_of_all, f.columns_of_all) > most;
  }
};

ups_status run(const Call& call) {
  constexpr int warp_threads = 128, team_threads = 128;
  constexpr int64_t max_blocks = 4096;
  const Assignments<float> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  Launcher launch(call);
  launch.grid(find_beginnings_on_device<block_threads>, 1, 1, block_threads, 0, f, scratch.first_costs,
              scratch.first_pairs);
  launch.elements(clear_outside_on_device<block_threads>, std::max({f.rows_of_all, f.columns_of_all, f.pairs}), f,
                  scratch.first_pairs);
  launch.grid(assign_by_warps<warp_threads>, std::min(ceil_div(f.problems, warp_threads / 32), max_blocks), 1,
              warp_threads, 0, f, scratch.first_costs, scratch.first_pairs);
  const int64_t blocks = std::min(f.problems, max_blocks);
  if (Scratch::may_exceed(f, max_of_warp))
    launch.grid(assign_by_blocks<team_threads>, blocks, 1, team_threads, 0, f, scratch.first_costs,
                scratch.first_pairs);
  if (Scratch::may_exceed(f, max_of_block))
    launch.grid(assign_in_global<team_threads>, blocks, 1, team_threads, 0, f, scratch.first_costs, scratch.first_pairs,
                scratch.numbers, scratch.indices, scratch.stride);
  return launch.status();
}

UPS_CUDA_VARIANT(run, LinearSumAssignmentCall, run, workspace_of<Assignments<float>, Scratch>)

}  // namespace
}  // namespace upsilon
