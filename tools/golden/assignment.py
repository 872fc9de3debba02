"""Writes test/golden/assignment.safetensors: what scipy answers to 10,000 random assignment problems of every kind.

Costs are not stored: test/ops/linearSumAssignment.test.ts draws the same numbers. scipy's columns are one byte a row
(255: no partner), row by row, problem by problem; its errors are one byte a problem (0 none, 1 infeasible, 2 invalid).
"""

import make
import numpy
import torch
from scipy.optimize import linear_sum_assignment

PROBLEMS = 10_000
LARGE = [(150, 150, 9), (90, 220, 4), (220, 130, 1000), (200, 200, 0)]


class Random:
    """The generator of the test: 32 bits of a multiplicative congruence, the same in Python and JavaScript."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) % bound

    def real(self):
        return self.below(2**24) / 2**24


def problem(random, kind):
    """Rows, columns, costs, maximize."""
    rows, columns = 1 + random.below(9), 1 + random.below(9)
    if kind == 6:
        rows, columns = (1, columns) if random.below(2) else (rows, 1)
    if kind == 7:
        rows, columns = (0, columns) if random.below(2) else (rows, 0)
    maximize = random.below(4) == 0
    across = [random.below(5) for _ in range(rows)]
    along = [random.below(5) for _ in range(columns)]

    def cost(i, j):
        if kind == 0:
            return random.real()
        if kind == 1:
            return random.below(4)
        if kind == 2:
            forbidden = random.below(3) == 0
            return (-numpy.inf if maximize else numpy.inf) if forbidden else random.below(5) - 2
        if kind == 3:
            return -random.real()
        if kind == 4:
            return across[i] + along[j]
        if kind == 5:
            return across[i] * along[j] + random.below(2) * 0.1
        if kind == 8:
            return [numpy.nan, numpy.inf, -numpy.inf][random.below(3)] if random.below(25) == 0 else random.below(9)
        return random.below(7) * 0.1 - 0.3

    costs = [[cost(i, j) for j in range(columns)] for i in range(rows)]
    return numpy.array(costs, numpy.float64).reshape(rows, columns), maximize


def answer(costs, maximize):
    """scipy's column of every row, and its error."""
    columns = numpy.full(costs.shape[0], -1)
    try:
        rows, found = linear_sum_assignment(costs, maximize=maximize)
        columns[rows] = found
        return columns, 0
    except ValueError as error:
        return columns, 1 if "infeasible" in str(error) else 2


def small():
    random, columns, errors = Random(1), [], []
    for number in range(PROBLEMS):
        found, error = answer(*problem(random, number % 10))
        columns.append(found % 256)
        errors.append(error)
    return {"columns": torch.tensor(numpy.concatenate(columns), dtype=torch.uint8),
            "errors": torch.tensor(errors, dtype=torch.uint8)}


def large():
    """Integers below a number (many ties), or distances between points (0)."""
    random, columns = Random(2), []
    for rows, width, below in LARGE:
        if below:
            costs = numpy.array([[random.below(below) for _ in range(width)] for _ in range(rows)], numpy.float64)
        else:
            points = [[random.below(1000), random.below(1000)] for _ in range(rows + width)]
            costs = numpy.array([[float((x - z) ** 2 + (y - w) ** 2) for z, w in points[rows:]] for x, y in points[:rows]])
        columns.append(answer(costs, False)[0])
    return {"largeColumns": torch.tensor(numpy.concatenate(columns), dtype=torch.int32)}


if __name__ == "__main__":
    make.save("assignment", {**small(), **large()}, "scipy.optimize.linear_sum_assignment")
