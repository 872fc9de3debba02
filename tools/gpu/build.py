"""Builds the library, the plug-in and the conformance test: with CMake where it is, else by calling the compilers on the same
globs."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CXX_FLAGS = ["-std=c++20", "-O3", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-fno-math-errno",
             "-fno-trapping-math", "-fno-gnu-unique", "-pthread", "-Wno-psabi"]
# See CMakeLists.txt: the reference is as written, in the order written.
REFERENCE_FLAGS = ["-fno-tree-vectorize", "-fno-tree-slp-vectorize", "-ffp-contract=off"]


class Failed(Exception):
    """A step did not succeed; the text says which command and ends with its output."""


def execute(command, **keywords):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **keywords)
    if done.returncode:
        raise Failed(f"{' '.join(str(word) for word in command)}\n{done.stdout[-6000:]}")
    return done.stdout


def find_nvcc():
    places = [os.environ.get("CUDACXX"), shutil.which("nvcc")]
    places += [f"{os.environ[name]}/bin/nvcc" for name in ("CUDA_PATH", "CUDA_HOME") if name in os.environ]
    places.append("/usr/local/cuda/bin/nvcc")
    return next((p for p in places if p and pathlib.Path(p).exists()), None)


def chip_architecture():
    """The architecture of the first device as nvcc names it: "90a" where a variant with all instructions exists."""
    out = execute(["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"])
    major, minor = out.split()[0].split(".")
    return f"{major}{minor}" + ("a" if int(major) >= 9 else "")


def cmake_is_there():
    found = shutil.which("cmake")
    if not found:
        return False
    version = re.search(r"(\d+)\.(\d+)", execute([found, "--version"]))
    return (int(version[1]), int(version[2])) >= (3, 20)


def build(directory, device, jobs, use_cmake=None):
    """Gives the folder with libupsilon.so, the plug-in of `device` beside it, and upsilon_conformance where its sources are."""
    directory.mkdir(parents=True, exist_ok=True)
    kind = device.split(":")[0]
    architecture = chip_architecture() if kind == "cuda" else None
    if cmake_is_there() if use_cmake is None else use_cmake:
        return with_cmake(directory, kind, architecture, jobs)
    return without_cmake(directory, kind, architecture, jobs)


def with_cmake(directory, kind, architecture, jobs):
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DUPSILON_BUILD_ADDON=OFF", "-DUPSILON_BUILD_SHARED=ON",
               "-DUPSILON_BUILD_TESTS=ON", f"-DUPSILON_CUDA={'ON' if kind == 'cuda' else 'OFF'}",
               f"-DUPSILON_EMULATED={'ON' if kind == 'emulated' else 'OFF'}"]
    targets = ["upsilon"]
    if kind == "cuda":
        options += [f"-DCMAKE_CUDA_ARCHITECTURES={architecture}-real", f"-DCMAKE_CUDA_COMPILER={find_nvcc()}"]
    if kind != "cpu":
        targets.append(f"upsilon_{kind}")
    if any((ROOT / "test/conformance").glob("*.cc")):
        targets.append("upsilon_conformance")
    execute(["cmake", "-S", ROOT, "-B", directory, *options])
    execute(["cmake", "--build", directory, "-j", jobs, "--target", *targets])
    return directory / "Release"


def without_cmake(directory, kind, architecture, jobs):
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
    if not compiler:
        raise Failed("there is no C++ compiler")
    write_header_folder(directory / "include")
    includes = [f"-I{p}" for p in (directory / "include", *(ROOT / d for d in (
        "native/include", "native", "native/core", "kernels", "native/cuda", "test")))]
    out = directory / "Release"
    out.mkdir(exist_ok=True)
    # Nothing here knows who includes whom: any change compiles everything again.
    newest = max(p.stat().st_mtime for folder in ("native", "kernels", "test") for p in (ROOT / folder).rglob("*.*"))
    commands, objects = [], {"core": [], "conformance": [], "plugin": []}

    def compile_to(group, source, command):
        target = directory / "objects" / (kind if group == "plugin" else group) / (str(source.relative_to(ROOT)).replace("/", "_") + ".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        objects[group].append(target)
        if not target.exists() or target.stat().st_mtime < newest:
            commands.append([*command, *includes, "-c", source, "-o", target])

    cxx = [compiler, *CXX_FLAGS]
    core = sorted([*ROOT.glob("native/core/*.cc"), *ROOT.glob("kernels/**/*.cc")])
    for source in core:
        reference = source.parts[-3] == "kernels" and ".cpu." not in source.name
        compile_to("core", source, [*cxx, "-DUPS_BUILDING", *(REFERENCE_FLAGS if reference else [])])
    for source in sorted(ROOT.glob("test/conformance/*.cc")):
        compile_to("conformance", source, [*cxx, "-DUPS_STATIC", f'-DUPSILON_SOURCE_DIRECTORY="{ROOT}"'])
    if kind != "cpu":
        sources = sorted(p for pattern in ("native/cuda/plugin/*.cc", "native/cuda/plugin/*.cu", "kernels/**/*.cu")
                         for p in ROOT.glob(pattern))
        if kind == "cuda":
            nvcc = [find_nvcc(), "-ccbin", compiler, "-x", "cu", "-std=c++20", "-O3", f"-arch=sm_{architecture}",
                    "-cudart", "static", "-Xcompiler", "-fPIC,-fvisibility=hidden"]
            plugin = nvcc
        else:
            sources += sorted(ROOT.glob("native/cuda/emulation/*.cc"))
            plugin = [*cxx, "-x", "c++"]
        for source in sources:
            compile_to("plugin", source, plugin)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(execute, commands))

    execute([compiler, "-shared", "-pthread", *objects["core"], "-o", out / "libupsilon.so", "-ldl"])
    if objects["conformance"]:
        execute([compiler, "-pthread", *objects["conformance"], *objects["core"], "-o", out / "upsilon_conformance", "-ldl"])
    if kind == "cuda":
        execute([find_nvcc(), "-ccbin", compiler, "-shared", "-cudart", "static", *objects["plugin"], "-o",
                 out / "libupsilon_cuda.so"])
    elif kind == "emulated":
        execute([compiler, "-shared", "-pthread", *objects["plugin"], "-o", out / "libupsilon_emulated.so", "-ldl"])
    return out


def write_header_folder(folder):
    """upsilon/ops/<op>.h and upsilon/ops.h, as CMake makes them."""
    operations = folder / "upsilon" / "ops"
    operations.mkdir(parents=True, exist_ok=True)
    names = sorted(p.name for p in (ROOT / "kernels").iterdir() if (p / f"{p.name}.h").exists() and p.name != "common")
    texts = {operations / f"{name}.h": f'#include "{ROOT}/kernels/{name}/{name}.h"\n' for name in names}
    texts[operations.with_suffix(".h")] = "".join(f'#include "upsilon/ops/{name}.h"\n' for name in names)
    for path, text in texts.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
