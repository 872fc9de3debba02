"""The Arrow IPC file of generated events: one row an event, List columns over its particles."""

import json

import numpy as np
import pyarrow as pa

PARTICLE_COLUMNS = {
    "pdg": (pa.int32(), None, "PDG code"),
    "mother": (pa.int32(), None, "index of the mother inside the event, -1 for a root"),
    "mass": (pa.float32(), "GeV", "mass"),
    "charge": (pa.float32(), "e", "electric charge"),
    "energy": (pa.float32(), "GeV", "energy, lab"),
    "px": (pa.float32(), "GeV", "momentum along x, lab"),
    "py": (pa.float32(), "GeV", "momentum along y, lab"),
    "pz": (pa.float32(), "GeV", "momentum along z, lab; z is the detector axis, near the electron beam"),
    "productionTime": (pa.float32(), "ns", "time of production, relative to the trigger"),
    "x": (pa.float32(), "cm", "production vertex"),
    "y": (pa.float32(), "cm", "production vertex"),
    "z": (pa.float32(), "cm", "production vertex"),
    "status": (
        pa.int32(),
        None,
        "bits of basf2's MCParticle: 0 primary, 1 stable in the generator, 4 virtual, 5 initial, "
        "6 ISR photon, 7 FSR photon, 8 PHOTOS photon",
    ),
}
EVENT_COLUMNS = {
    "process": (pa.int8(), None, "0 continuum (e+e- -> u, d, s, c pairs), 1 BBbar from Upsilon(4S)"),
    "skimmed": (pa.uint8(), None, "1 if the event passes the hadronic-tag skim"),
}


def _field(name, kind, unit, description):
    metadata = {"description": description}
    if unit is not None:
        metadata["unit"] = unit
    return pa.field(name, kind, nullable=False, metadata=metadata)


def schema(metadata):
    """The file's schema; `metadata` is a dict of strings or JSON values about the whole sample."""
    fields = [
        _field(name, pa.list_(pa.field("item", kind, nullable=False)), unit, description)
        for name, (kind, unit, description) in PARTICLE_COLUMNS.items()
    ]
    fields += [_field(name, *rest) for name, rest in EVENT_COLUMNS.items()]
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    return pa.schema(fields, metadata=text)


def write(path, chunks, metadata):
    """Writes all `chunks` (see generate.py) as one record batch, uncompressed, without nulls."""
    table = schema(metadata)
    sizes = np.concatenate([chunk["size"] for chunk in chunks])
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), type=pa.int32())
    columns = []
    for name, (kind, _, _) in PARTICLE_COLUMNS.items():
        values = pa.array(np.concatenate([chunk[name] for chunk in chunks]), type=kind)
        columns.append(pa.ListArray.from_arrays(offsets, values, type=table.field(name).type))
    for name, (kind, _, _) in EVENT_COLUMNS.items():
        columns.append(pa.array(np.concatenate([chunk[name] for chunk in chunks]), type=kind))
    batch = pa.RecordBatch.from_arrays(columns, schema=table)
    batch.validate(full=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table) as writer:
        writer.write_batch(batch)
