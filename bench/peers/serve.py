"""The peers in Python, as a process that the bench asks: one JSON object per line in, one out.

    {"do": "hello", "threads": 2}                          -> versions
    {"do": "open", "operation", "inputs": file, "expected": file, "outputs": [...],
     "absent": [...], "options", "dims", "both"}
                                                           -> the peers whose results are right, and why others are left out
    {"do": "sample", "peer": name, "calls": n}             -> {"ms": [...]}, the duration of each call
    {"do": "model", "operation", "inputs": file, "absent", "options", "dims", "folder": where}
                                                           -> ONNX models and what to feed them
    {"do": "close"}
"""

import importlib.util
import json
import os
import pathlib
import struct
import sys
import time

KERNELS = pathlib.Path(__file__).resolve().parents[2] / "kernels"
TOLERANCE = 2e-4

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True


def bound_memory(share=0.7):
    """Keeps a peer that wants more memory than is free from taking the machine down: its allocation fails instead.

    The limit is on addresses, of which the libraries have reserved some already. Linux only.
    """
    try:
        import resource

        free = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in open("/proc/meminfo")}["MemAvailable"]
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + int(share * free), resource.RLIM_INFINITY))
    except (ImportError, OSError, KeyError):
        return


def is_out_of_memory(error):
    return isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error)


def load_tensors(path):
    import numpy
    import torch

    kinds = {"F32": numpy.float32, "F64": numpy.float64, "I32": numpy.int32, "U8": numpy.uint8, "I64": numpy.int64}
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(data[8 + length + begin : 8 + length + end], kinds[entry["dtype"]])
            tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def save_tensors(path, arrays):
    """numpy arrays; the header is padded so that the tensors are aligned."""
    import numpy

    kinds = {"float32": "F32", "int32": "I32", "int64": "I64"}
    header, at = {}, 0
    for name, values in arrays.items():
        header[name] = {"dtype": kinds[values.dtype.name], "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in arrays.values():
            file.write(numpy.ascontiguousarray(values).tobytes())


def versions():
    found = {"python": sys.version.split()[0]}
    for name in ("torch", "torch_geometric", "numpy", "scipy", "onnx", "dcor"):
        try:
            found[name] = __import__(name).__version__
        except ImportError:
            found[name] = None
    return found


class Server:
    def __init__(self):
        self.functions, self.peers, self.models = {}, {}, {}

    def hello(self, threads):
        found = versions()
        if found["torch"]:
            import torch

            import event_network
            import gatgap
            import peer
            import shower_networks

            torch.set_num_threads(threads)
            self.functions = peer.load(KERNELS)
            self.functions["event_network"] = event_network.of_inputs(event_network.torch_event_network)
            self.functions["gatgap"] = gatgap.gatgap
            self.functions.update(shower_networks.FUNCTIONS)
        if found["onnx"] and found["torch"]:
            self.models["event_network"] = event_network.of_inputs(event_network.onnx_event_network)
            self.models.update(shower_networks.MODELS)
            for path in sorted(KERNELS.glob("*/onnx_model.py")):
                spec = importlib.util.spec_from_file_location(f"onnx_{path.parent.name}", path)
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                self.models.update({name: f for name, f in vars(module).items() if getattr(f, "__module__", None) == spec.name})
        return found

    def open(self, operation, inputs, expected, outputs, absent, options, dims, both):
        import peer

        self.peers, left_out = {}, {}
        bound_memory()
        function = self.functions.get(operation)
        if function is None:
            return {"peers": [], "left_out": {}}
        expected = load_tensors(expected)
        # What only writes gets memory like its result to write to.
        writable = {name: tensor.clone() for name, tensor in expected.items()}
        known = {**dims, **options, **dict.fromkeys(absent), **writable, **load_tensors(inputs)}
        wanted = [expected.get(name) for name in outputs]
        for name, run in function(**peer.arguments_of(function, known)).items():
            if both and not isinstance(run, peer.Gradient):
                continue
            self.peers[name] = run.both if both else run
            try:
                worst = self.worst(self.peers[name](), wanted, peer)
            except Exception as error:  # a peer that cannot is left out, whatever it raises
                what = "out of memory" if is_out_of_memory(error) else type(error).__name__
                left_out[name] = f"{what}: {str(error).splitlines()[0]}"
            else:
                if not worst <= TOLERANCE:
                    left_out[name] = f"its result differs by {worst:.2g}"
            if name in left_out:
                del self.peers[name]
        return {"peers": list(self.peers), "left_out": left_out}

    @staticmethod
    def worst(result, wanted, peer):
        result = result if isinstance(result, tuple) else (result,)
        return max((peer.relative_error(found.detach(), want) for found, want in zip(result, wanted)
                    if found is not None and want is not None), default=0.0)

    def sample(self, peer, calls):
        run, durations = self.peers[peer], []
        clock = time.perf_counter_ns
        for _ in range(calls):
            start = clock()
            run()
            durations.append((clock() - start) / 1e6)
        return {"ms": durations}

    def model(self, operation, inputs, absent, options, dims, folder):
        import onnx

        import peer

        function = self.models.get(operation)
        if function is None:
            return {"models": []}
        known = {**dims, **options, **dict.fromkeys(absent),
                 **{name: tensor.numpy() for name, tensor in load_tensors(inputs).items()}}
        found = []
        for at, (name, (model, feeds)) in enumerate(function(**peer.arguments_of(function, known)).items()):
            onnx.checker.check_model(model)
            path = os.path.join(folder, f"model-{at}")
            onnx.save(model, path + ".onnx")
            save_tensors(path + ".safetensors", feeds)
            found.append({"name": name, "model": path + ".onnx", "feeds": path + ".safetensors"})
        return {"models": found}

    def close(self):
        self.peers = {}
        return {}


def main():
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    server = Server()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(server, request.pop("do"))(**request)
        except Exception as error:  # the bench says it and goes on
            answer = {"problem": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


main()
