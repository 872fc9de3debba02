"""torch.argsort, stable, and numpy's; of ragged events by a second sort or padded rows."""

import numpy
import torch


def one_set(offsets, count):
    return offsets.tolist() == [0, count]


def by_event(keys, offsets, descending):
    """Sorted by key, then by event: what torch has no single call for."""
    event = torch.repeat_interleave(torch.arange(len(offsets) - 1), offsets.diff())

    def run():
        first = torch.sort(keys, stable=True, descending=bool(descending)).indices
        return (first[torch.sort(event[first], stable=True).indices].int(),)

    return run


def argsort(keys, offsets, descending):
    if not one_set(offsets, len(keys)):
        covers = offsets[0] == 0 and offsets[-1] == len(keys)
        return {"PyTorch, two stable sorts": by_event(keys, offsets, descending)} if covers else {}
    runs = {"PyTorch sort, stable": lambda: (torch.sort(keys, stable=True, descending=bool(descending)).indices.int(),)}
    if not descending:
        array = keys.numpy()
        runs["numpy argsort, stable"] = lambda: (torch.from_numpy(numpy.argsort(array, kind="stable").astype("int32")),)
    return runs


argsort_integers = argsort
