#!/usr/bin/env python3
"""Generates events with one decay B+ -> D0bar(-> K+ pi- pi0) pi+ that the detector has found completely.

  python tools/decays/generate.py OUTPUT.arrow --events N [--seed S] [--processes P]

What is in an event is said in decays.py, what the detector does in tools/events/detector.py. The same --seed and --events
give the same file, whatever --processes is: events are made in blocks of 200, each with its own random streams.
"""

import argparse
import json
import sys
from importlib.metadata import version
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "events"))
import collider  # noqa: E402
from decays import ForcedDecay  # noqa: E402

BLOCK = 200  # events

PARTICLE_COLUMNS = {
    "px": (pa.float32(), "GeV", "momentum along x, lab, as measured"),
    "py": (pa.float32(), "GeV", "momentum along y"),
    "pz": (pa.float32(), "GeV", "momentum along z; z is the detector axis, near the electron beam"),
    "charge": (pa.int8(), "e", "electric charge; 0 is a photon"),
    "kaon": (pa.uint8(), "1/255", "score of K against pi"),
    "lepton": (pa.uint8(), "1/255", "score of e and mu against pi"),
}
NODE_COLUMNS = {
    "mother": (pa.int32(), None, "truth: the node's mother inside the event, -1 for none; particles come first"),
    "pdg": (pa.int16(), None, "truth: PDG code of particles, pi0, and D and B of the forced decay"),
}


def block(arguments):
    """Columns of one block of events, concatenated, and sizes."""
    seed, index, count = arguments
    decays = ForcedDecay((seed, index))
    events = [decays.event() for _ in range(count)]
    columns = {name: np.concatenate([event[name] for event in events]) for name in events[0]}
    for name in ("kaon", "lepton"):
        columns[name] = np.round(255 * columns[name])
    sizes = {"particles": "px", "nodes": "pdg"}
    return columns | {name: np.array([len(event[column]) for event in events]) for name, column in sizes.items()}


def _list_array(values, sizes, kind):
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), type=pa.int32())
    item = pa.list_(pa.field("item", kind, nullable=False))
    return pa.ListArray.from_arrays(offsets, pa.array(values.astype(kind.to_pandas_dtype())), type=item)


def write(path, blocks, metadata):
    """One record batch, uncompressed, without nulls."""
    whole = {name: np.concatenate([each[name] for each in blocks]) for name in blocks[0]}
    fields, arrays = [], []
    for columns, sizes in ((PARTICLE_COLUMNS, "particles"), (NODE_COLUMNS, "nodes")):
        for name, (kind, unit, description) in columns.items():
            arrays.append(_list_array(whole[name], whole[sizes], kind))
            about = {"description": description} | ({"unit": unit} if unit else {})
            fields.append(pa.field(name, arrays[-1].type, nullable=False, metadata=about))
    schema = pa.schema(fields, metadata=metadata)
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    batch.validate(full=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(batch)
    return whole


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("output", type=Path)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()

    firsts = range(0, options.events, BLOCK)
    work = [(options.seed, index, min(BLOCK, options.events - first)) for index, first in enumerate(firsts)]
    with Pool(options.processes) as pool:
        blocks = pool.map(block, work, chunksize=1)
    metadata = {
        "title": "e+e- -> Upsilon(4S) -> B+ B-, one B -> D0(-> K pi pi0) pi: what the detector finds, and the truth",
        "command": f"python tools/decays/generate.py OUTPUT.arrow --events {options.events} --seed {options.seed}",
        "generator": f"pythia8mc {version('pythia8mc')}",
        "collision": json.dumps([round(float(value), 6) for value in collider.TOTAL]),  # E, px, py, pz {GeV}, lab
    }
    whole = write(options.output, blocks, metadata)
    pions = np.count_nonzero(whole["pdg"] == 111) / options.events
    print(
        f"{options.output}: {options.output.stat().st_size} bytes, {options.events} events, "
        f"{len(whole['px']) / options.events:.2f} particles and {pions:.2f} pi0 per event"
    )


if __name__ == "__main__":
    main()
