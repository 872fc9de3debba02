"""Costs of pairs in PyTorch, event by event: events differ in size, and padding costs more where they do."""

import torch
from peer import Gradient
from torch.nn import functional


def costs_of(prediction, prediction_offsets, target, target_offsets, kind, entries):
    rows, columns = prediction_offsets.tolist(), target_offsets.tolist()

    def forward(p, t):
        parts = []
        logs = functional.log_softmax(p, 1) if kind == "crossEntropy" else None
        for b in range(len(rows) - 1):
            of_row, of_column = slice(rows[b], rows[b + 1]), slice(columns[b], columns[b + 1])
            if kind == "crossEntropy":
                parts.append(-(logs[of_row] @ t[of_column].T).flatten())
            else:
                difference = p[of_row, None] - t[None, of_column]
                cost = difference.square() if kind == "squaredError" else difference.abs()
                parts.append(cost.sum(2).flatten())
        found = torch.cat(parts)
        return functional.pad(found, (0, entries - len(found)))

    return forward


def pair_cost_forward(prediction, prediction_offsets, target, target_offsets, kind, cost):
    forward = costs_of(prediction, prediction_offsets, target, target_offsets, kind, len(cost))
    return {"PyTorch, event by event": lambda: forward(prediction, target)}


def pair_cost_backward(prediction, prediction_offsets, target, target_offsets, dcost, kind):
    forward = costs_of(prediction, prediction_offsets, target, target_offsets, kind, len(dcost))
    return {"PyTorch, event by event": Gradient(forward, [prediction, target], dcost)}
