"""What each thing that was looked at means: a line about it and, where something is wrong, a line that mends it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

OLDEST_PYTHON = (3, 10)
SCARCE_GIB = 1.0
CUPY = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
INSTALL = {12: "pip install 'ptycupy[cuda12]'", 13: "pip install 'ptycupy[cuda13]'"}
ONCE = (
    "libcufft",
    "libnvrtc",
    "libnvJitLink",
    "libcudart",
    "libcuda",
)  # two versions in a process get in each other's way
TOLD = (*ONCE, "libgomp", "libtbb", "libomp", "libmpi")


@dataclass(frozen=True)
class Finding:
    """One line, and how it is mended; `fix` is empty where nothing need be done."""

    subject: str
    text: str
    fix: str = ""


def python(version: tuple[int, ...], system: str, cores: int | None) -> Finding:
    """The interpreter."""
    text = f"{'.'.join(map(str, version))} on {system}, {cores or '?'} CPU cores"
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding("python", text, f"install Python {oldest} or newer" if version < OLDEST_PYTHON else "")


def packages(versions: Mapping[str, str | None]) -> list[Finding]:
    """What ptycupy needs, by name; None = not installed."""
    return [
        Finding(name, "not installed", f"pip install {name}") if version is None else Finding(name, version)
        for name, version in versions.items()
    ]


def numba_threads(layer: str, threads: int, cores: int | None) -> Finding:
    """Numba's threading layer and the threads that it takes."""
    text = f"{threads} threads, {layer} layer"
    if layer == "workqueue":
        fix = "pip install tbb, or install OpenMP: calls from several Python threads wait for each other without"
        return Finding("numba threads", text, fix)
    if cores is not None and threads < cores:
        return Finding("numba threads", f"{text}; {cores} CPU cores (NUMBA_NUM_THREADS, or the scheduler's share)")
    return Finding("numba threads", text)


def cupy(installed: Mapping[str, str], driver: tuple[int, int] | None) -> Finding:
    """The CuPy packages by name with their versions; `driver` is the CUDA version that the driver knows."""
    if not installed:
        newest = max((major for major in INSTALL if driver is not None and major <= driver[0]), default=None)
        fix = f"{INSTALL[newest]}: there is an NVIDIA driver here" if newest is not None else ""
        return Finding("cupy", "not installed", fix)
    text = ", ".join(f"{name} {version}" for name, version in installed.items())
    if len(installed) > 1:
        kept = next((major for major in (12, 13) if f"cupy-cuda{major}x" in installed), 12)
        return Finding("cupy", f"{text}: one hides the other", f"pip uninstall {' '.join(installed)}; {INSTALL[kept]}")
    if "cupy-cuda11x" in installed:
        return Finding("cupy", text, f"pip uninstall cupy-cuda11x; {INSTALL[12]}: CUDA 11 is too old")
    return Finding("cupy", text)


def cuda_driver(driver: tuple[int, int] | None, major: int | None) -> Finding:
    """The driver's CUDA version against the major that CuPy was built for."""
    if driver is None:
        text = "none" if major is None else "none: no NVIDIA driver can be loaded"
        return Finding("driver", text, "" if major is None else "install NVIDIA's driver, or use --backend cpu")
    text = f"CUDA {driver[0]}.{driver[1]}"
    if major is not None and driver[0] < major:
        older = f", or {INSTALL[driver[0]]}" if driver[0] in INSTALL else ""
        return Finding("driver", text, f"a driver for CUDA {major}{older}")
    return Finding("driver", text)


def libraries(paths: Iterable[str]) -> list[Finding]:
    """The shared libraries that are loaded, by their paths; two versions of one of NVIDIA's are a fault."""
    found: dict[str, list[str]] = {}
    for path in sorted(set(paths)):
        if "-builtins" in path:  # a part of NVRTC that it loads itself, no second one
            continue
        letters = re.match(r"[A-Za-z]+", path.rsplit("/", 1)[-1])
        name = letters[0] if letters else ""
        if name in TOLD:
            found.setdefault(name, []).append(path)
    lines = []
    for name in TOLD:
        several = found.get(name, [])
        twice = name in ONCE and len(several) > 1
        fix = "start with one CUDA in LD_LIBRARY_PATH and one set of nvidia-* wheels (pip list | grep nvidia)"
        lines += [Finding(f"loaded {name}", ", ".join(several), fix if twice else "")] if several else []
    return lines


def disk(subject: str, path: str, free_gib: float, writable: bool, fix: str) -> Finding:
    """A folder with its free space; `fix` is where else to."""
    if not writable:
        return Finding(f"disk, {subject}", f"{path} cannot be written", fix)
    return Finding(f"disk, {subject}", f"{free_gib:.1f} GiB free in {path}", fix if free_gib < SCARCE_GIB else "")


def mpi(installed: str | None, launched: tuple[str, int, int] | None, failure: str) -> Finding:
    """mpi4py's version, what started this process as one of several, and why that does not work."""
    if launched is not None and (failure or installed is None):
        launcher, _, size = launched
        return Finding("mpi", f"{launcher} started {size} processes: {failure or 'mpi4py is not installed'}",
                       "pip install 'ptycupy[mpi]' with the launcher's own MPI")  # fmt: skip
    return Finding("mpi", "not installed; only for several processes" if installed is None else f"mpi4py {installed}")


def calculation(subject: str, difference: float, tolerance: float, what: str) -> Finding:
    """A result that must agree."""
    if difference < tolerance:
        return Finding(subject, f"{what} to {difference:.1e}")
    return Finding(subject, f"WRONG: {what} to {difference:.1e} only, {tolerance:.0e} is right",
                   "please report it with this whole output")  # fmt: skip


def table(findings: Sequence[Finding]) -> str:
    """One line for each, and one below it where something is to be done."""
    width = max((len(finding.subject) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.subject:{width}}  {finding.text}")
        if finding.fix:
            lines.append(f"{'':{width}}  -> {finding.fix}")
    return "\n".join(lines)
