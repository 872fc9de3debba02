// Reference: the definition, in plain loops.
#include "linear_sum_assignment/linear_sum_assignment.h"

#include "core/validity.h"
#include "lib/kernel.h"
#include "linear_sum_assignment/linear_sum_assignment_call.h"

namespace upsilon {
namespace {

// One problem, turned so that its rows are the shorter side, as a least sum.
template <class T>
struct Problem {
  const T* cost;
  int64_t rows, columns, row_stride, column_stride;
  bool maximize;

  double at(int64_t i, int64_t j) const {
    const double value = static_cast<double>(cost[i * row_stride + j * column_stride]);
    return maximize ? -value : value;
  }
  bool is_valid() const {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        if (!(at(i, j) > -INFINITY)) return false;
    return true;
  }
};

struct Solution {
  double *u, *v, *shortest;
  int32_t *column_of_row, *row_of_column, *path, *remaining;
  bool *row_seen, *column_seen;

  Solution(int64_t rows, int64_t columns, WorkspaceLayout& workspace)
      : u(workspace.reserve<double>(rows)), v(workspace.reserve<double>(columns)),
        shortest(workspace.reserve<double>(columns)), column_of_row(workspace.reserve<int32_t>(rows)),
        row_of_column(workspace.reserve<int32_t>(columns)), path(workspace.reserve<int32_t>(columns)),
        remaining(workspace.reserve<int32_t>(columns)), row_seen(workspace.reserve<bool>(rows)),
        column_seen(workspace.reserve<bool>(columns)) {}
};

// Dijkstra's search from `start` to the nearest column without a partner, -1 when none can be
// reached. Columns are scanned in the order of `remaining`; of equally near ones the last without a
// partner counts, else the first.
template <class T>
int64_t search(const Problem<T>& p, const Solution& s, int64_t start, double* distance) {
  std::fill_n(s.shortest, p.columns, INFINITY);
  std::fill_n(s.row_seen, p.rows, false);
  std::fill_n(s.column_seen, p.columns, false);
  for (int64_t k = 0; k < p.columns; ++k) s.remaining[k] = static_cast<int32_t>(p.columns - 1 - k);
  int64_t row = start;
  *distance = 0;
  for (int64_t left = p.columns;; --left) {
    s.row_seen[row] = true;
    double lowest = INFINITY;
    int64_t nearest = -1;
    for (int64_t k = 0; k < left; ++k) {
      const int32_t j = s.remaining[k];
      const double along = *distance + p.at(row, j) - s.u[row] - s.v[j];
      if (along < s.shortest[j]) {
        s.shortest[j] = along;
        s.path[j] = static_cast<int32_t>(row);
      }
      if (s.shortest[j] < lowest || (s.shortest[j] == lowest && nearest >= 0 && s.row_of_column[j] < 0)) {
        lowest = s.shortest[j];
        nearest = k;
      }
    }
    if (nearest < 0) return -1;
    *distance = lowest;
    const int32_t column = s.remaining[nearest];
    s.column_seen[column] = true;
    s.remaining[nearest] = s.remaining[left - 1];
    if (s.row_of_column[column] < 0) return column;
    row = s.row_of_column[column];
  }
}

template <class T>
bool solve(const Problem<T>& p, const Solution& s) {
  std::fill_n(s.u, p.rows, 0.0);
  std::fill_n(s.v, p.columns, 0.0);
  std::fill_n(s.column_of_row, p.rows, -1);
  std::fill_n(s.row_of_column, p.columns, -1);
  for (int64_t start = 0; start < p.rows; ++start) {
    double distance;
    int64_t column = search(p, s, start, &distance);
    if (column < 0) return false;
    s.u[start] += distance;
    for (int64_t i = 0; i < p.rows; ++i)
      if (s.row_seen[i] && i != start) s.u[i] += distance - s.shortest[s.column_of_row[i]];
    for (int64_t j = 0; j < p.columns; ++j)
      if (s.column_seen[j]) s.v[j] -= distance - s.shortest[j];
    for (int64_t row = -1; row != start;) {
      row = s.path[column];
      s.row_of_column[column] = static_cast<int32_t>(row);
      const int32_t before = s.column_of_row[row];
      s.column_of_row[row] = static_cast<int32_t>(column);
      column = before;
    }
  }
  return true;
}

struct Scratch {
  int64_t *first_costs, *first_pairs;
  Solution solution;

  template <class T>
  Scratch(const Assignments<T>& f, WorkspaceLayout& workspace)
      : first_costs(workspace.reserve<int64_t>(f.problems + 1)),
        first_pairs(workspace.reserve<int64_t>(f.problems + 1)), solution(longest(f), longest(f), workspace) {}

 private:
  // Problems may be as long as all together.
  template <class T>
  static int64_t longest(const Assignments<T>& f) {
    return std::max(f.rows_of_all, f.columns_of_all);
  }
};

template <class T>
ups_status run_reference(const Call& call) {
  const Assignments<T> f(call);
  const auto scratch = scratch_of<Scratch>(call, f);
  int64_t *const first_costs = scratch.first_costs, *const first_pairs = scratch.first_pairs;
  const Solution& s = scratch.solution;
  find_beginnings(f, first_costs, first_pairs);
  for (int64_t b = 0; b < f.problems; ++b) {
    const int64_t rows = f.rows(b), columns = f.columns(b);
    const bool turned = rows > columns;
    const Problem<T> p{f.cost + first_costs[b], std::min(rows, columns), std::max(rows, columns),
                       turned ? 1 : columns,    turned ? columns : 1,    f.maximize};
    const int32_t status = !f.has(b, first_costs[b], first_pairs[b]) ? UPS_ASSIGNMENT_MISSING
                           : !p.is_valid()                           ? UPS_ASSIGNMENT_INVALID
                           : !solve(p, s)                            ? UPS_ASSIGNMENT_INFEASIBLE
                                                                     : UPS_ASSIGNMENT_OPTIMAL;
    if (status == UPS_ASSIGNMENT_OPTIMAL)
      write_success(f, b, first_costs[b], first_pairs[b], s.column_of_row, s.row_of_column, s.u, s.v);
    else write_failure(f, b, first_pairs[b], first_pairs[b + 1], status);
  }
  clear_outside(f, first_pairs[f.problems]);
  return UPS_OK;
}

// The pairs are one result in three arguments.
void validate(const LinearSumAssignmentCall&, RefusalOf<LinearSumAssignmentCall>& refuse) {
  refuse.given_without("pair_offsets", "rows");
  refuse.given_without("rows", "columns");
  refuse.given_without("columns", "pair_offsets");
}

const OperationOf<LinearSumAssignmentCall> entry{{run_reference<float>, workspace_of<Assignments<float>, Scratch>},
                                                 {run_reference<double>, workspace_of<Assignments<double>, Scratch>},
                                                 validated_by<validate>};

}  // namespace
}  // namespace upsilon

ups_status ups_linear_sum_assignment(ups_context* context, const ups_tensor* cost, const ups_tensor* row_offsets,
                                     const ups_tensor* column_offsets, ups_tensor* column_of_row,
                                     ups_tensor* row_of_column, ups_tensor* total, ups_tensor* status,
                                     ups_tensor* pair_offsets, ups_tensor* rows, ups_tensor* columns, ups_tensor* u,
                                     ups_tensor* v, const ups_linear_sum_assignment_options* options) noexcept {
  return upsilon::call(context, upsilon::entry,
                       {cost, row_offsets, column_offsets, column_of_row, row_of_column, total, status, pair_offsets,
                        rows, columns, u, v},
                       options);
}
