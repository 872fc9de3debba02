// A checked call of linear_sum_assignment, as plain numbers and pointers, and one problem of it.
#pragma once
#include <cmath>

#include "lib/math/philox.h"
#include "core/named_call.h"
#include "linear_sum_assignment/linear_sum_assignment.h"

namespace upsilon {

inline constexpr OperationLine linear_sum_assignment_line{"linear_sum_assignment", UPS_LINEAR_SUM_ASSIGNMENT_SCHEMA};
using LinearSumAssignmentCall = CallOf<linear_sum_assignment_line, ups_linear_sum_assignment_options>;

template <class T>
struct Assignments {
  int64_t costs, problems, rows_of_all, columns_of_all, pairs;
  const T* cost;
  const int32_t *row_offsets, *column_offsets;
  int32_t *column_of_row, *row_of_column;
  double* total;
  int32_t *status, *pair_offsets, *pair_rows, *pair_columns;
  double *u, *v;
  bool maximize;

  explicit Assignments(const LinearSumAssignmentCall& call)
      : costs(call.dim("N")), problems(call.dim("B")), rows_of_all(call.dim("R")), columns_of_all(call.dim("C")),
        pairs(call.dim("P")), cost(call["cost"]), row_offsets(call["row_offsets"]),
        column_offsets(call["column_offsets"]), column_of_row(call["column_of_row"]),
        row_of_column(call["row_of_column"]), total(call["total"]), status(call["status"]),
        pair_offsets(call["pair_offsets"]), pair_rows(call["rows"]), pair_columns(call["columns"]), u(call["u"]),
        v(call["v"]) {
    maximize = call.options().maximize != 0;
  }
  UPS_HD int64_t rows(int64_t b) const { return row_offsets[b + 1] - row_offsets[b]; }
  UPS_HD int64_t columns(int64_t b) const { return column_offsets[b + 1] - column_offsets[b]; }
  UPS_HD int64_t cost_count(int64_t b) const { return rows(b) * columns(b); }
  UPS_HD int64_t pair_count(int64_t b) const { return rows(b) < columns(b) ? rows(b) : columns(b); }

  // Whether the costs and pairs of b, which begin there, are inside their tensors.
  UPS_HD bool has(int64_t b, int64_t first_cost, int64_t first_pair) const {
    return cost_count(b) <= costs - first_cost && (!pair_offsets || pair_count(b) <= pairs - first_pair);
  }
};

// Where costs and pairs of every problem begin, never behind the end of their tensors.
template <class T>
void find_beginnings(const Assignments<T>& f, int64_t* first_costs, int64_t* first_pairs) {
  int64_t cost = 0, pair = 0;
  for (int64_t b = 0; b <= f.problems; ++b) {
    first_costs[b] = cost;
    first_pairs[b] = pair;
    if (f.pair_offsets) f.pair_offsets[b] = static_cast<int32_t>(pair);
    if (b == f.problems) break;
    cost = std::min(cost + f.cost_count(b), f.costs);
    pair = std::min(pair + f.pair_count(b), f.pairs);
  }
}

// What is in no problem.
template <class T>
void clear_outside(const Assignments<T>& f, int64_t last_pair) {
  const auto outside = [](auto* elements, int64_t begin, int64_t end, int64_t count, auto value) {
    if (!elements) return;
    for (int64_t i = 0; i < begin; ++i) elements[i] = value;
    for (int64_t i = end; i < count; ++i) elements[i] = value;
  };
  const int64_t first_row = f.row_offsets[0], last_row = f.row_offsets[f.problems];
  const int64_t first_column = f.column_offsets[0], last_column = f.column_offsets[f.problems];
  outside(f.column_of_row, first_row, last_row, f.rows_of_all, -1);
  outside(f.row_of_column, first_column, last_column, f.columns_of_all, -1);
  outside(f.u, first_row, last_row, f.rows_of_all, NAN);
  outside(f.v, first_column, last_column, f.columns_of_all, NAN);
  outside(f.pair_rows, 0, last_pair, f.pairs, -1);
  outside(f.pair_columns, 0, last_pair, f.pairs, -1);
}

template <class T>
void write_failure(const Assignments<T>& f, int64_t b, int64_t first_pair, int64_t next_pair, int32_t status) {
  f.status[b] = status;
  f.total[b] = NAN;
  for (int64_t i = f.row_offsets[b]; i < f.row_offsets[b + 1]; ++i) {
    f.column_of_row[i] = -1;
    if (f.u) f.u[i] = NAN;
  }
  for (int64_t j = f.column_offsets[b]; j < f.column_offsets[b + 1]; ++j) {
    f.row_of_column[j] = -1;
    if (f.v) f.v[j] = NAN;
  }
  for (int64_t p = first_pair; f.pair_offsets && p < next_pair; ++p) f.pair_rows[p] = f.pair_columns[p] = -1;
}

// `partner_of_short` and `partner_of_long`: of the side with fewer elements (rows, when equal) and
// of the other one.
template <class T>
void write_success(const Assignments<T>& f, int64_t b, int64_t first_cost, int64_t first_pair,
                   const int32_t* partner_of_short, const int32_t* partner_of_long, const double* dual_of_short,
                   const double* dual_of_long) {
  const int64_t rows = f.rows(b), columns = f.columns(b);
  const bool turned = rows > columns;
  const int32_t *columns_found = turned ? partner_of_long : partner_of_short,
                *rows_found = turned ? partner_of_short : partner_of_long;
  const T* const cost = f.cost + first_cost;
  double total = 0;
  int64_t pair = first_pair;
  for (int64_t i = 0; i < rows; ++i) {
    const int32_t column = columns_found[i];
    f.column_of_row[f.row_offsets[b] + i] = column;
    if (column < 0) continue;
    total += static_cast<double>(cost[i * columns + column]);
    if (!f.pair_offsets) continue;
    f.pair_rows[pair] = static_cast<int32_t>(i);
    f.pair_columns[pair++] = column;
  }
  for (int64_t j = 0; j < columns; ++j) f.row_of_column[f.column_offsets[b] + j] = rows_found[j];
  const double sign = f.maximize ? -1 : 1;
  const double *u = turned ? dual_of_long : dual_of_short, *v = turned ? dual_of_short : dual_of_long;
  for (int64_t i = 0; f.u && i < rows; ++i) f.u[f.row_offsets[b] + i] = sign * u[i];
  for (int64_t j = 0; f.v && j < columns; ++j) f.v[f.column_offsets[b] + j] = sign * v[j];
  f.total[b] = total;
  f.status[b] = UPS_ASSIGNMENT_OPTIMAL;
}

}  // namespace upsilon
