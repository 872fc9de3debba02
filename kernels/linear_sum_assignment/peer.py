"""scipy's linear_sum_assignment, one problem after the other: it has no batches."""

import torch


def linear_sum_assignment(cost, row_offsets, column_offsets, maximize):
    from scipy.optimize import linear_sum_assignment as solve

    rows, columns = row_offsets.diff().tolist(), column_offsets.diff().tolist()
    values, problems, at = cost.double().numpy(), [], 0
    for r, c in zip(rows, columns):
        problems.append(values[at : at + r * c].reshape(r, c))
        at += r * c
    first, last = row_offsets.tolist()[0], row_offsets.tolist()[-1]

    def run():
        return [solve(problem, maximize=maximize) for problem in problems]

    def compared():
        columns_of_rows = torch.full((last,), -1, dtype=torch.int32)
        begin = first
        for problem, (found_rows, found_columns) in zip(problems, run()):
            columns_of_rows[begin + torch.from_numpy(found_rows)] = torch.from_numpy(found_columns).int()
            begin += len(problem)
        return columns_of_rows

    return {"scipy in a loop": Loop(run, compared)}


class Loop:
    """Compared once with what it is to give, then timed without gathering the answers into one tensor."""

    def __init__(self, run, compared):
        self.run, self.compared = run, compared

    def __call__(self):
        if self.compared is None:
            return self.run()
        found, self.compared = self.compared(), None
        return found
