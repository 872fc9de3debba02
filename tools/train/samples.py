"""Reads a file of tools/events/generate.py into flat tensors and cuts batches of whole events from them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

FEATURES = {
    "productionTime": "ns",
    "x": "cm",
    "y": "cm",
    "z": "cm",
    "energy": "GeV",
    "px": "GeV",
    "py": "GeV",
    "pz": "GeV",
}
PRIMARY = 1 << 0
REJECTED = 0b1111 << 4  # virtual, initial, ISR photon, FSR photon


@dataclass
class Sample:
    pdg: torch.Tensor  # [nodes]
    features: torch.Tensor  # [nodes, 8]
    mother: torch.Tensor  # [nodes], index inside the event, -1 for a root
    size: torch.Tensor  # [events], nodes
    start: torch.Tensor  # [events], first node
    process: np.ndarray  # [events], 0 continuum, 1 BBbar
    skimmed: torch.Tensor  # [events], float
    command: str  # that made the file

    def __len__(self):
        return len(self.size)

    def batch(self, events):
        """(pdg, features, mother, size) of the chosen events, as PassProbability takes them."""
        size = self.size[events]
        first = torch.cumsum(size, 0) - size
        own_first = torch.repeat_interleave(first, size)
        node = torch.arange(int(size.sum())) - own_first + torch.repeat_interleave(self.start[events], size)
        mother = self.mother[node]
        return self.pdg[node], self.features[node], torch.where(mother < 0, -1, mother + own_first), size


def read(path):
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all().combine_chunks()

        def values(name):
            return table[name].chunk(0).flatten().to_numpy()

        offsets = table["pdg"].chunk(0).offsets.to_numpy().astype(np.int64)
        status, mother = values("status"), values("mother").astype(np.int64)
        event = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        keep, mother = select(status, np.where(mother < 0, -1, mother + offsets[event]))
        size = np.bincount(event[keep], minlength=len(offsets) - 1)
        start = np.cumsum(size) - size
        return Sample(
            pdg=torch.from_numpy(values("pdg")[keep]),
            features=torch.from_numpy(np.stack([values(name)[keep] for name in FEATURES], axis=1)),
            mother=torch.from_numpy(np.where(mother < 0, -1, mother - start[event[keep]])),
            size=torch.from_numpy(size),
            start=torch.from_numpy(start),
            process=table["process"].to_numpy(),
            skimmed=torch.from_numpy(table["skimmed"].to_numpy().astype(np.float32)),
            command=table.schema.metadata[b"command"].decode(),
        )


def select(status, mother):
    """Nodes of the network and, for each, its nearest ancestor among them (-1: none), counted among them."""
    kept = (status & PRIMARY != 0) & (status & REJECTED == 0)
    mother = mother.copy()
    while True:
        skip = (mother >= 0) & ~kept[mother]
        if not skip.any():
            break
        mother[skip] = mother[mother[skip]]
    keep = np.flatnonzero(kept)
    place = np.cumsum(kept) - 1
    mother = mother[keep]
    return keep, np.where(mother < 0, -1, place[mother])


def auc(score, label):
    """Area under the ROC curve: the share of (pass, fail) pairs in the right order, ties counted half."""
    score, label = np.asarray(score, dtype=np.float64), np.asarray(label) > 0.5
    _, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[inverse]
    passed, failed = int(label.sum()), int((~label).sum())
    return (rank[label].sum() - passed * (passed + 1) / 2) / (passed * failed)
