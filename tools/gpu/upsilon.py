"""libupsilon from Python through ctypes: contexts, tensors, calls by name, and the schema of every operation.

    library = Library("build/libupsilon.so")
    context = library.context("cuda:0")
    context.call("linear_forward", {"x": x, "weight": w, "bias": None, "y": y}, {"activation": "relu"})

A tensor is a Tensor (shape, dtype, address, device), made with host() over an array of the standard library, on a device with
context.empty(), or with of_torch() over a PyTorch tensor. Nothing is copied. No package but the standard library is needed.
"""

import array
import ctypes
import math
import re
from dataclasses import dataclass, field

CPU, CUDA, EMULATED = 1, 2, 12
KINDS = {"cpu": CPU, "cuda": CUDA, "emulated": EMULATED}
DTYPES = {"f32": (2, 32, "f"), "f64": (2, 64, "d"), "i32": (0, 32, "i"), "i64": (0, 64, "q"), "u8": (1, 8, "B")}
ACTIVATIONS = "none|relu|leakyRelu|elu|gelu|tanh|sigmoid|leakyRelu0.2"
OPTION_TYPES = {"i32": ctypes.c_int32, "i64": ctypes.c_int64, "u64": ctypes.c_uint64, "f32": ctypes.c_float,
                "f64": ctypes.c_double, "bool": ctypes.c_int32}


class Error(Exception):
    """A status other than UPS_OK, with the library's text. `unsupported`: the variant does not do this case."""

    UNSUPPORTED = 6

    def __init__(self, status, text):
        super().__init__(text)
        self.unsupported = status == self.UNSUPPORTED


class _Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class _Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device", _Device), ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8),
                ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


class _ContextOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("device", _Device), ("threads", ctypes.c_int32),
                ("precision", ctypes.c_int32), ("variant", ctypes.c_char_p)]


class _Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("operation", ctypes.c_char_p), ("argument", ctypes.c_char_p),
                ("text", ctypes.c_char_p)]


class _DeviceInfo(ctypes.Structure):
    _fields_ = [("device", _Device), ("name", ctypes.c_char * 128), ("isa", ctypes.c_char * 32),
                ("threads", ctypes.c_int32), ("memory", ctypes.c_uint64)]


def parse_device(name):
    kind, _, number = name.partition(":")
    return _Device(KINDS[kind], int(number or 0))


class Tensor:
    """A view on memory that `owner` keeps alive."""

    def __init__(self, address, shape, dtype, device, owner):
        self.shape, self.dtype, self.device, self.owner = tuple(shape), dtype, device, owner
        code, bits, _ = DTYPES[dtype]
        self._extents = (ctypes.c_int64 * max(len(self.shape), 1))(*self.shape)
        self.struct = _Tensor(address, device, len(self.shape), code, bits, 1,
                              ctypes.cast(self._extents, ctypes.POINTER(ctypes.c_int64)), None, 0)

    @property
    def count(self):
        return math.prod(self.shape)

    @property
    def bytes(self):
        return self.count * DTYPES[self.dtype][1] // 8


def host(values, shape, dtype):
    """A tensor over an array.array (of the letter that DTYPES names); it may be written to."""
    if len(values) != math.prod(shape):
        raise ValueError(f"{len(values)} values for shape {shape}")
    address = values.buffer_info()[0] if len(values) else None
    return Tensor(address, shape, dtype, _Device(CPU, 0), values)


def zeros(shape, dtype):
    letter = DTYPES[dtype][2]
    return host(array.array(letter, bytes(math.prod(shape) * DTYPES[dtype][1] // 8)), shape, dtype)


def of_torch(tensor):
    """A tensor over a contiguous PyTorch tensor, on the CPU or a CUDA device."""
    dtype = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64", "uint8": "u8"}[str(tensor.dtype)[6:]]
    device = _Device(CUDA, tensor.device.index) if tensor.device.type == "cuda" else _Device(CPU, 0)
    if not tensor.is_contiguous():
        raise ValueError("the tensor is not contiguous")
    return Tensor(tensor.data_ptr() or None, tensor.shape, dtype, device, tensor)


@dataclass
class Parameter:
    name: str
    dtype: str  # "real" or one of DTYPES
    optional: bool
    in_place: bool
    output: bool
    dims: list  # of (names, alternatives, constant); a leading "..." is (["..."], [], 0)
    rule: list  # [], ["splits", "E"], ["below", "N"], ["forest", "offsets"], ["finite"], ["pairs", "H", "offsets", "others"]


@dataclass
class Option:
    name: str
    type: str
    choices: list
    default: float


@dataclass
class Schema:
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    options: list = field(default_factory=list)

    @property
    def parameters(self):
        return self.inputs + self.outputs

    def struct(self, given):
        """The operation's option struct; choices by their words, absent ones at their defaults."""
        fields = [(o.name, ctypes.c_int32 if o.choices else OPTION_TYPES[o.type]) for o in self.options]
        kind = type("Options", (ctypes.Structure,), {"_fields_": [("size", ctypes.c_size_t), *fields]})
        return kind(ctypes.sizeof(kind), *(self.number(o, given.get(o.name, o.default)) for o in self.options))

    @staticmethod
    def number(option, value):
        if isinstance(value, str):
            return option.choices.index(value)
        return float(value) if option.type in ("f32", "f64") else int(value)

    def words(self, given):
        """Every option's value, choices as words, as the peers take them."""
        values = {o.name: given.get(o.name, o.default) for o in self.options}
        for o in self.options:
            value = values[o.name]
            if o.choices and not isinstance(value, str):
                values[o.name] = o.choices[int(value)]
            elif not o.choices and o.type not in ("f32", "f64"):
                values[o.name] = int(value)
        return values


def _parameters(text, output):
    found = []
    pattern = r"(\w+)(\?)?(&)?\s*:\s*(\w+)\[([^\]]*)\]([^,]*)(?:,|$)"
    for name, optional, in_place, dtype, shape, rule in re.findall(pattern, text.strip()):
        dims = []
        for part in filter(None, (d.strip() for d in shape.split(","))):
            terms = [t.strip() for t in part.split("+")]
            constant = sum(int(t) for t in terms if t.isdigit())
            names = [t for t in terms if not t.isdigit()]
            alternatives = names.pop().split("|") if names and "|" in names[-1] else []
            dims.append((names, alternatives, constant))
        found.append(Parameter(name, dtype, bool(optional), bool(in_place), output, dims, rule.split()))
    return found


def parse_schema(line):
    arguments, _, options = line.partition(";")
    inputs, _, outputs = arguments.partition("->")
    schema = Schema(_parameters(inputs, False), _parameters(outputs, True))
    for text in filter(None, (o.strip() for o in options.split(","))):
        name, _, rest = text.partition(":")
        kind, _, default = (part.strip() for part in rest.partition("="))
        if kind == "activation":
            kind = ACTIVATIONS
        choices = kind.split("|") if "|" in kind else []
        value = default.partition(" from ")[0] or "0"
        number = choices.index(value) if choices and value in choices else \
            1.0 if value == "true" else 0.0 if value == "false" else float(value)
        schema.options.append(Option(name.strip(), kind, choices, number))
    return schema


class Library:
    def __init__(self, path):
        self.path = str(path)
        self.c = c = ctypes.CDLL(self.path)
        c.ups_last_error.restype = ctypes.POINTER(_Error)
        c.ups_last_error.argtypes = [ctypes.c_void_p]
        c.ups_operation_find.restype = c.ups_operation_at.restype = ctypes.c_void_p
        for name in ("name", "schema", "variants"):
            function = getattr(c, f"ups_operation_{name}")
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
        c.ups_last_variant.argtypes, c.ups_last_variant.restype = [ctypes.c_void_p], ctypes.c_char_p
        c.ups_context_destroy.argtypes = c.ups_synchronize.argtypes = [ctypes.c_void_p]
        c.ups_call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p]
        c.ups_copy.argtypes = [ctypes.c_void_p] * 3
        c.ups_block_create.argtypes = [ctypes.c_void_p, _Device, ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p)]
        c.ups_block_data.argtypes, c.ups_block_data.restype = [ctypes.c_void_p], ctypes.c_void_p
        c.ups_block_release.argtypes, c.ups_block_release.restype = [ctypes.c_void_p], None
        c.ups_unavailable_because.restype = c.ups_version.restype = ctypes.c_char_p
        c.ups_devices.argtypes = [ctypes.POINTER(_DeviceInfo), ctypes.c_int32]
        self.operations = {}
        for i in range(c.ups_operation_count()):
            operation = c.ups_operation_at(i)
            self.operations[c.ups_operation_name(operation).decode()] = operation
        self._schemas = {}

    @property
    def version(self):
        return self.c.ups_version().decode()

    def schema(self, operation):
        if operation not in self._schemas:
            self._schemas[operation] = parse_schema(self.c.ups_operation_schema(self.operations[operation]).decode())
        return self._schemas[operation]

    def variants(self, operation):
        return self.c.ups_operation_variants(self.operations[operation]).decode().split()

    def unavailable_because(self, device):
        why = self.c.ups_unavailable_because(parse_device(device).type)
        return why.decode() if why else None

    def device_info(self, device):
        """(name, isa, processors) or None."""
        wanted, infos = parse_device(device), (_DeviceInfo * 64)()
        for info in infos[: min(self.c.ups_devices(infos, 64), 64)]:
            if (info.device.type, info.device.id) == (wanted.type, wanted.id):
                return info.name.decode(), info.isa.decode(), info.threads
        return None

    def context(self, device="cpu", threads=1, variant=None):
        return Context(self, device, threads, variant)


class Context:
    def __init__(self, library, device, threads, variant):
        self.library, self.device = library, parse_device(device)
        options = _ContextOptions(ctypes.sizeof(_ContextOptions), self.device, threads, 0,
                                  variant.encode() if variant else None)
        self._context = ctypes.c_void_p()
        if status := library.c.ups_context_create(ctypes.byref(options), ctypes.byref(self._context)):
            self._context = ctypes.c_void_p()
            raise Error(status, library.c.ups_last_error(None).contents.text.decode())

    def __del__(self):
        if getattr(self, "_context", None):
            self.library.c.ups_context_destroy(self._context)

    def _check(self, status):
        if status:
            error = self.library.c.ups_last_error(self._context).contents
            raise Error(status, f"{error.operation.decode()}: {error.text.decode()}")

    def prepare(self, operation, tensors, options=None):
        """A function that makes the call and nothing else; tensors by their schema names, None or absent: left out."""
        schema = self.library.schema(operation)
        ordered = [tensors.get(p.name) for p in schema.parameters]
        pointers = (ctypes.c_void_p * max(len(ordered), 1))(
            *(None if t is None else ctypes.addressof(t.struct) for t in ordered))
        struct = schema.struct(options or {})
        reference = ctypes.byref(struct) if schema.options else None
        call, context, handle, count = self.library.c.ups_call, self._context, self.library.operations[operation], len(ordered)

        def run():
            if status := call(context, handle, pointers, count, reference):
                self._check(status)

        run.keeps = (ordered, struct)
        return run

    def call(self, operation, tensors, options=None):
        self.prepare(operation, tensors, options)()

    def synchronize(self):
        self._check(self.library.c.ups_synchronize(self._context))

    @property
    def last_variant(self):
        return self.library.c.ups_last_variant(self._context).decode()

    def empty(self, shape, dtype):
        """A tensor in a block of this context's device, released with it."""
        bytes_ = math.prod(shape) * DTYPES[dtype][1] // 8
        block = ctypes.c_void_p()
        self._check(self.library.c.ups_block_create(self._context, self.device, max(bytes_, 1), ctypes.byref(block)))
        return Tensor(self.library.c.ups_block_data(block), shape, dtype, self.device, _Block(self.library, block))

    def copy(self, source, destination):
        self._check(self.library.c.ups_copy(self._context, ctypes.byref(source.struct), ctypes.byref(destination.struct)))
        return destination


class _Block:
    def __init__(self, library, handle):
        self.library, self.handle = library, handle

    def __del__(self):
        self.library.c.ups_block_release(self.handle)
