"""Times every bench case on a device beside what PyTorch and PyG offer, after checking it against the float64 reference.

On a GPU the tensors are PyTorch's own; elsewhere they are blocks of the library. A sample is a batch of calls between two
synchronisations, divided by their number, the same for us and for the peers, and rounds alternate between them. Batches last
long enough that launches queue up, so that the device is what is timed; where one call is shorter than its launch, the
launch is.
"""

import array
import math
import statistics
import time

import cases
import upsilon

TOLERANCE = 2e-5  # relative L2 error of float32 against the float64 reference; conformance is stricter
BATCH_SECONDS = 5e-3
CHECKED_FLOPS = 6e9  # beyond, the reference would take longer than the measurement


def widened(tensor):
    if tensor is None or tensor.dtype != "f32":
        return tensor
    return upsilon.host(array.array("d", tensor.owner), tensor.shape, "f64")


def reference_outputs(case, library, inputs):
    """The outputs by name, from the reference in float64."""
    arguments = {name: widened(t) for name, t in inputs.items()}
    for name, tensor in cases.make_outputs(case, library, upsilon.zeros).items():
        arguments[name] = widened(tensor)
    library.context("cpu", 1, "reference").call(case.operation, arguments, case.options)
    return {p.name: arguments.get(p.name) for p in library.schema(case.operation).outputs}


def relative_error(found, expected):
    """Relative L2 distance of two arrays."""
    size = math.hypot(*expected) if len(expected) else 0.0
    return math.dist(found, expected) / max(size, 1e-30)


def measure(contestants, synchronize, seconds, rounds):
    """Median and 99th percentile {s per call} of each, rounds taken in turn."""
    batches = {}
    for name, run in contestants.items():
        run()
        synchronize()
        start = time.perf_counter()
        run()
        synchronize()
        batches[name] = max(1, min(1000, int(BATCH_SECONDS / max(time.perf_counter() - start, 1e-7))))
    samples = {name: [] for name in contestants}
    end = time.perf_counter() + seconds * len(contestants)
    while min(map(len, samples.values())) < 3 or (time.perf_counter() < end and len(samples[name]) < rounds):
        for name, run in contestants.items():
            synchronize()
            start = time.perf_counter()
            for _ in range(batches[name]):
                run()
            synchronize()
            samples[name].append((time.perf_counter() - start) / batches[name])
    return {name: {"median_s": statistics.median(s), "p99_s": sorted(s)[math.ceil(0.99 * len(s)) - 1],
                   "samples": len(s), "calls_per_sample": batches[name]} for name, s in samples.items()}


class Bench:
    def __init__(self, library, device, torch, peers, work, ceilings):
        self.library, self.device, self.torch, self.peers, self.work, self.ceilings = \
            library, device, torch, peers, work, ceilings
        self.context = library.context(device)
        self.reference = library.context("cpu", 1)

    def place(self, tensor):
        """The tensor on the device: (ours, PyTorch's view of it or None)."""
        if self.torch is None:
            return self.context.copy(tensor, self.context.empty(tensor.shape, tensor.dtype)), None
        kinds = {"f32": self.torch.float32, "f64": self.torch.float64, "i32": self.torch.int32}
        if tensor.count:
            made = self.torch.frombuffer(tensor.owner, dtype=kinds[tensor.dtype]).reshape(tensor.shape)
        else:
            made = self.torch.empty(tensor.shape, dtype=kinds[tensor.dtype])
        made = made.clone().to(self.torch_device())
        return upsilon.of_torch(made), made

    def torch_device(self):
        return self.device if self.device.startswith("cuda") else "cpu"

    def fetch(self, tensor):
        copied = upsilon.zeros(tensor.shape, tensor.dtype)
        self.context.copy(tensor, copied)
        self.context.synchronize()
        return copied.owner

    def synchronize(self):
        self.context.synchronize()
        if self.torch is not None and self.device.startswith("cuda"):
            self.torch.cuda.synchronize()

    def run(self, case, seconds, rounds):
        """A row of the table: what was measured, or why not."""
        row = {"case": case.id, "operation": case.operation, "dims": {**case.dims, "...": case.leading},
               "options": case.options}
        inputs = cases.make_inputs(case, self.library, self.reference)
        placed = {name: self.place(t) for name, t in inputs.items()}
        for name, tensor in cases.make_outputs(case, self.library, upsilon.zeros).items():
            placed[name] = self.place(tensor)
        ours = {name: mine for name, (mine, _) in placed.items()}
        row["bytes"], row["flops"] = cases.bytes_of(case, ours, self.library), cases.flops_of(case, self.work)
        run = self.context.prepare(case.operation, ours, case.options)
        self.synchronize()  # PyTorch's copies are on a stream of their own
        try:
            run()
            self.context.synchronize()
        except upsilon.Error as error:
            return {**row, "unsupported" if error.unsupported else "failed": str(error)}
        row["variant"] = self.context.last_variant

        expected = None
        if row["flops"] <= CHECKED_FLOPS:
            expected = reference_outputs(case, self.library, inputs)
            errors = [relative_error(self.fetch(ours[name]), t.owner) for name, t in expected.items() if t is not None]
            row["error"] = max(errors, default=0.0)
            if not row["error"] <= TOLERANCE:
                return {**row, "failed": f"differs from the float64 reference by {row['error']:.2g}, expected {TOLERANCE:g}"}
        contestants = {"upsilon": run}
        if self.torch is not None:
            row["left_out"] = {}
            contestants.update(self.peer_functions(case, inputs, expected, row["left_out"]))
        row["times"] = measure(contestants, self.synchronize, seconds, rounds)
        return self.conclude(row)

    def peer_functions(self, case, inputs, expected, left_out):
        function = self.peers.get(case.operation)
        if function is None:
            return {}
        schema = self.library.schema(case.operation)
        tensors = {p.name: None for p in schema.inputs}
        tensors.update({name: self.place(t)[1] for name, t in inputs.items()})
        if not tensors or all(t is None for t in tensors.values()):  # what only writes gets something to write to
            made = cases.make_outputs(case, self.library, upsilon.zeros)
            tensors.update({name: self.place(t)[1] for name, t in made.items()})
        known = {**case.dims, **schema.words(case.options), **tensors}
        outputs = [p.name for p in schema.outputs]
        fair = {}
        try:
            from peer import arguments_of

            found = function(**arguments_of(function, known))
        except Exception as error:
            left_out["all peers"] = f"{type(error).__name__}: {error}"
            return {}
        for name, run in found.items():
            try:
                result = run()
            except Exception as error:
                left_out[name] = f"{type(error).__name__}: {error}"
                continue
            result = result if isinstance(result, tuple) else (result,)
            worst = 0.0
            for output, tensor in zip(outputs, result):
                if tensor is not None and expected is not None and expected.get(output) is not None:
                    worst = max(worst, relative_error(tensor.detach().cpu().flatten().tolist(), expected[output].owner))
            if worst <= 10 * TOLERANCE:
                fair[name] = run
            else:
                left_out[name] = f"its result differs by {worst:.2g}"
        return fair

    def conclude(self, row):
        """Floor, share and ratio."""
        mine = row["times"]["upsilon"]["median_s"]
        rivals = {name: t["median_s"] for name, t in row["times"].items() if name != "upsilon"}
        if self.ceilings:
            row["floor_s"] = max(row["flops"] / self.ceilings["flops"], row["bytes"] / self.ceilings["bytes_per_s"])
            row["share_of_floor"] = row["floor_s"] / mine
        if rivals:
            row["best_peer"] = min(rivals, key=rivals.get)
            row["ratio"] = rivals[row["best_peer"]] / mine
        return row
