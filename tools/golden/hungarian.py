"""Writes test/golden/hungarian-loss.safetensors: losses of matched sets in PyTorch, in float64, with scipy's matching.

Events have 5, 3, 0, 2 and 4 predictions for 2, 4, 1, 0 and 4 targets: predictions or targets are left over, or all are.
`classes` is DETR's loss of classes (arXiv:2005.12872), with its weight for the class "no object"; `boxes` and `points` are
distances; `detr` matches by one cost, as DETR does, and adds up another loss.
"""

import torch
from make import save, with_gradients
from scipy.optimize import linear_sum_assignment
from torch.nn import functional

SIZES, TARGET_SIZES = [5, 3, 0, 2, 4], [2, 4, 1, 0, 4]
CLASSES = 4  # the last one is "no object"
NO_OBJECT_WEIGHT = 0.1


def events(rows, sizes=SIZES):
    return rows.split(sizes)


def match(costs):
    """Of every event the rows and the columns of its pairs."""
    return [tuple(torch.from_numpy(found) for found in linear_sum_assignment(cost.detach().numpy())) for cost in costs]


def matched_rows(pairs):
    """The numbers, among all predictions and all targets, of those that are matched."""
    starts, target_starts = (torch.tensor([0, *sizes]).cumsum(0) for sizes in (SIZES, TARGET_SIZES))
    rows = torch.cat([start + found for start, (found, _) in zip(starts, pairs)])
    return rows, torch.cat([start + found for start, (_, found) in zip(target_starts, pairs)])


def cross_entropies(logits, labels):
    """[predictions, targets] of an event."""
    return functional.cross_entropy(logits[:, None].expand(-1, len(labels), -1).flatten(0, 1), labels.repeat(len(logits)),
                                    reduction="none").view(len(logits), len(labels))


def class_loss(logits, labels, pairs):
    """The mean of cross entropies, weighted: what is not matched has the class "no object"."""
    rows, targets = matched_rows(pairs)
    wanted = torch.full([len(logits)], CLASSES - 1)
    wanted[rows] = labels[targets]
    weight = torch.ones(CLASSES, dtype=logits.dtype)
    weight[-1] = NO_OBJECT_WEIGHT
    return functional.cross_entropy(logits, wanted, weight)


def hungarian_loss():
    offsets = {key: torch.tensor([0, *sizes]).cumsum(0) for key, sizes in (("offsets", SIZES),
                                                                          ("targetOffsets", TARGET_SIZES))}
    n, m = sum(SIZES), sum(TARGET_SIZES)
    labels = torch.randint(CLASSES - 1, [m])

    def classes(logits):
        return class_loss(logits, labels, match(map(cross_entropies, events(logits), events(labels, TARGET_SIZES))))

    def boxes(prediction, target):
        pairs = match(torch.cdist(p, t, p=1) for p, t in zip(events(prediction), events(target, TARGET_SIZES)))
        rows, targets = matched_rows(pairs)
        return functional.l1_loss(prediction[rows], target[targets], reduction="none").sum(1).mean()

    def points(prediction, target):
        pairs = match(torch.cdist(p, t).square() for p, t in zip(events(prediction), events(target, TARGET_SIZES)))
        rows, targets = matched_rows(pairs)
        return functional.mse_loss(prediction[rows], target[targets], reduction="sum")

    def detr(logits, prediction, target):
        costs = [5 * torch.cdist(p, t, p=1) - scores.softmax(1)[:, wanted]
                 for scores, p, wanted, t in zip(events(logits), events(prediction), events(labels, TARGET_SIZES),
                                                 events(target, TARGET_SIZES))]
        rows, targets = matched_rows(match(costs))
        of_boxes = functional.l1_loss(prediction[rows], target[targets], reduction="none").sum()
        return functional.cross_entropy(logits[rows], labels[targets], reduction="sum") + 5 * of_boxes

    found = {}
    for name, forward, inputs in [
        ("classes", classes, {"logits": torch.randn(n, CLASSES)}),
        ("boxes", boxes, {"prediction": torch.rand(n, 4), "target": torch.rand(m, 4)}),
        ("points", points, {"prediction": torch.randn(n, 3), "target": torch.randn(m, 3)}),
        ("detr", detr, {"logits": torch.randn(n, CLASSES), "prediction": torch.rand(n, 4), "target": torch.rand(m, 4)}),
    ]:
        found |= {f"{name}.{key}": value for key, value in with_gradients(inputs, forward).items()}
    labels_of_targets = functional.one_hot(labels, CLASSES).float()
    save("hungarian-loss", {**offsets, "labels": labels_of_targets, **found},
         "PyTorch and scipy.optimize.linear_sum_assignment")


if __name__ == "__main__":
    torch.manual_seed(5)
    hungarian_loss()
