"""The bench cases of kernels/<op>/cases.json as calls: shapes, options and inputs, and what each call is bound to do.

The language of the files is described in test/conformance/cases.h. The inputs here are made for timing: sizes and structure are
what the case says, the numbers are random.
"""

import array
import functools
import itertools
import json
import math
import pathlib
import random
from dataclasses import dataclass

import upsilon

PATTERN = 65521  # real tensors repeat so many normal numbers: a prime, so that no two rows of a matrix are alike


@dataclass
class Case:
    operation: str
    name: str
    dims: dict
    leading: list
    options: dict
    omit: set
    data: dict
    derive: list

    @property
    def id(self):
        return f"{self.operation}/{self.name}"


def _spread(entry):
    """One entry of a file -> its combinations of dims and options, named as the conformance test names them."""
    dims = entry.get("dims", {})
    choices = []
    for key, value in dims.items():
        many = isinstance(value, list) and (key != "..." or (value and isinstance(value[0], list)))
        choices.append([("dims", key, v, many) for v in (value if many else [value])])
    for key, value in entry.get("options", {}).items():
        many = isinstance(value, list)
        choices.append([("options", key, v, many) for v in (value if many else [value])])
    for combination in itertools.product(*choices):
        picked = {"dims": {}, "options": {}}
        name = entry["name"]
        for kind, key, value, many in combination:
            picked[kind][key] = value
            if many:
                name += f" {key}={value}" if key != "..." else f" {value}"
        yield name, picked["dims"], picked["options"]


def load(kernels, library):
    cases = []
    for path in sorted(pathlib.Path(kernels).glob("*/cases.json")):
        file = json.loads(path.read_text())
        for entry in file.get("bench", []):
            for name, dims, options in _spread(entry):
                leading = dims.pop("...", [])
                for operation in entry["operations"]:
                    if operation not in library.operations:
                        continue
                    known = {o.name: o.default for o in library.schema(operation).options}
                    cases.append(Case(operation, name, dims, leading if isinstance(leading, list) else [leading],
                                      {**known, **{k: v for k, v in options.items() if k in known}}, set(entry.get("omit", [])),
                                      entry.get("data", {}), entry.get("derive", file.get("derive", []))))
    return cases


def load_work(kernels):
    work = {}
    for path in sorted(pathlib.Path(kernels).glob("*/work.json")):
        work.update(json.loads(path.read_text()))
    return work


def bound_dims(case):
    """Dimension names as the formulas of work.json use them; `rows` is the product of the leading dimensions."""
    names = {"rows": math.prod(case.leading)}
    names.update(case.dims)
    return names


def flops_of(case, work):
    formula = work.get(case.operation, {}).get("flops")
    if formula is None:
        return 0
    known = bound_dims(case)

    class Dims(dict):  # layers that a case does not have count nothing
        def __missing__(self, key):
            return known.get(key, 0)

    return eval(formula, {"__builtins__": {}}, Dims(min=min, max=max))


def factors(name):
    """(dimension, option) of each factor of "H^concat*F": the dimension counts where there is no option or it is set."""
    return [tuple((factor + "^").split("^")[:2]) for factor in name.split("*")]


def extent_of(case, name):
    return math.prod(case.dims.get(n, 0) if not option or case.options[option] else 1 for n, option in factors(name))


def is_given(case, parameter):
    if not parameter.optional:
        return True
    if parameter.name in case.omit:
        return False
    return all(n == "..." or n in case.dims for names, _, _ in parameter.dims for name in names for n, _ in factors(name)) and \
        all(any(n in case.dims for n in alternatives) for _, alternatives, _ in parameter.dims if alternatives)


def shape_of(case, parameter):
    shape = []
    for names, alternatives, constant in parameter.dims:
        if names == ["..."]:
            shape += case.leading
        elif alternatives:
            shape.append(case.dims[next(n for n in alternatives if n in case.dims)])
        else:
            # An optional part of a sum (the appended features of an embedding) counts 0 when it is
            # left out.
            shape.append(sum(extent_of(case, n) for n in names) + constant)
    return shape


@functools.lru_cache
def _normal_pattern(positive):
    source = random.Random(20260101)
    values = array.array("f", (source.gauss(0, 1) for _ in range(PATTERN)))
    return array.array("f", (abs(v) + 0.1 for v in values)) if positive else values


def _real(count, hint, start):
    values = hint.get("values")
    pattern = _normal_pattern(values == "positive")
    if values == "fractions":
        pattern = array.array("f", (0.01 + 0.98 * (math.erf(v / math.sqrt(2)) + 1) / 2 for v in pattern))
    elif values == "integers":
        pattern = array.array("f", (max(-2, min(2, round(v))) for v in pattern))
    start %= PATTERN
    scale = hint.get("scale", 1)
    rolled = pattern[start:] + pattern[:start]
    if scale != 1:
        rolled = array.array("f", (v * scale for v in rolled))
    return (rolled * (count // PATTERN + 1))[:count]


def _splits(count, bound, hint, source):
    sets = count - 1
    if hint.get("values") == "even" and sets:
        return array.array("i", (bound * s // sets for s in range(count)))
    cuts = sorted(source.choices(range(bound + 1), k=count))
    cuts[0] = 0
    if sets > 0:
        cuts[-1] = bound
    return array.array("i", cuts)


def _indices(count, bound, hint, rows, source):
    if rows is None or not hint.get("blocks"):
        return array.array("i", source.choices(range(bound), k=count)) if count else array.array("i")
    block, found = hint["blocks"], array.array("i", bytes(4 * count))
    for row in range(len(rows) - 1):
        low = row // block * block
        high = min(low + block, bound)
        for e in range(rows[row], rows[row + 1]):
            found[e] = source.randrange(low, high)
    return found


def _forest(count, offsets, hint, source):
    mothers = array.array("i", [-1]) * count
    for begin, end in zip(offsets, offsets[1:]):
        for i in range(begin + 1, end):
            mothers[i] = 0 if hint.get("values") == "star" else i - begin - 1 if hint.get("values") == "chain" \
                else source.randrange(i - begin)
    return mothers


def _make(operation, parameter, case, tensors, source):
    """Numbers for one argument; `tensors` holds the arguments that come before it."""
    shape, hint = shape_of(case, parameter), case.data.get(parameter.name, {})
    count = math.prod(shape)
    if parameter.dtype in ("real", "f32", "f64"):
        values = _real(count, hint, source.randrange(PATTERN))
        if parameter.dtype == "f64":
            return upsilon.host(array.array("d", values), shape, "f64")
        return upsilon.host(values, shape, "f32")
    if not parameter.rule:
        letter = upsilon.DTYPES[parameter.dtype][2]
        values = array.array(letter, source.choices(range(hint.get("below", 100)), k=count))
        return upsilon.host(values, shape, parameter.dtype)
    rule, target = parameter.rule
    if rule == "forest":
        values = _forest(count, tensors[target].owner, hint, source)
    elif rule == "splits":
        values = _splits(count, case.dims[target], hint, source)
    elif rule == "below":
        rows = hint.get("rows")
        values = _indices(count, case.dims[target], hint, tensors[rows].owner if rows else None, source)
    else:
        raise ValueError(f"{operation}: {parameter.name} has no rule by which numbers could be made")
    return upsilon.host(values, shape, "i32")


def make_inputs(case, library, reference):
    """Host tensors by name: inputs, and outputs that are updated in place."""
    source = random.Random(case.id)
    derived = {}
    for operation in case.derive:
        if operation != case.operation:
            for p in library.schema(operation).outputs:
                derived.setdefault(p.name, operation)
    needed = [p for p in library.schema(case.operation).parameters if (not p.output or p.in_place) and is_given(case, p)]
    tensors = {}
    for p in needed:
        if p.name not in derived:
            tensors[p.name] = _make(case.operation, p, case, tensors, source)
    for p in needed:
        if p.name not in tensors:
            _derive(derived[p.name], case, library, reference, tensors, source)
    return {p.name: tensors[p.name] for p in needed}


def _derive(operation, case, library, context, tensors, source):
    """Runs an operation whose outputs are inputs of the case."""
    schema = library.schema(operation)
    known = {o.name: o.default for o in schema.options}
    own = Case(operation, case.name, dict(case.dims), case.leading,
               {**known, **{k: v for k, v in case.options.items() if k in known}}, case.omit, case.data, [])
    for p in schema.inputs:  # dimensions that go by another name there
        if p.name in tensors:
            for (names, alternatives, constant), extent in zip(p.dims, tensors[p.name].shape):
                if len(names) == 1 and names != ["..."] and "*" not in names[0] and not alternatives:
                    own.dims.setdefault(names[0], extent - constant)
    for p in schema.inputs:
        if p.name not in tensors and is_given(own, p):
            tensors[p.name] = _make(operation, p, own, tensors, source)
    arguments = {p.name: tensors.get(p.name) for p in schema.inputs}
    made = make_outputs(own, library, upsilon.zeros)
    context.call(operation, {**arguments, **made}, own.options)
    tensors.update(made)


def make_outputs(case, library, empty):
    """Tensors for the outputs that are not updated in place, each from empty(shape, dtype)."""
    return {p.name: empty(shape_of(case, p), "f32" if p.dtype == "real" else p.dtype)
            for p in library.schema(case.operation).outputs if not p.in_place and is_given(case, p)}


def bytes_of(case, tensors, library):
    """What has to move at least: inputs once, outputs once, both for what is updated in place."""
    total = 0
    for p in library.schema(case.operation).parameters:
        if tensors.get(p.name) is not None:
            total += tensors[p.name].bytes * (2 if p.in_place else 1)
    return total
