"""doctor: what this installation is, what it can use, and whether its results are right, with a line for every fix."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ptycupy import __version__, backends
from ptycupy.backends.cache import package_version, user_cache
from ptycupy.backends.cuda.libraries import cupy_major, find
from ptycupy.backends.examination import cuda_driver, list_devices
from ptycupy.distributed.comm import join, launched
from ptycupy.doctor import findings
from ptycupy.doctor.calculation import compiled, gradient, transform
from ptycupy.doctor.findings import Finding
from ptycupy.errors import PtycupyError

PACKAGES = ("numpy", "numba", "rocket-fft", "scipy", "h5py", "hdf5plugin", "pydantic", "matplotlib")
CHECKS = {"compiler": compiled, "transform": transform, "gradient": gradient}
FAILED = {
    "cpu": "pip install --force-reinstall ptycupy",
    "cuda": "--backend cpu runs without it; pip install --force-reinstall 'ptycupy[cuda12]' (or cuda13)",
}
MAPS = Path("/proc/self/maps")


@dataclass(frozen=True)
class Report:
    """What was found; `healthy` where the backend that a run takes by itself computes right results."""

    findings: tuple[Finding, ...]
    healthy: bool

    def __str__(self) -> str:
        end = "" if self.healthy else "\nthe backend that a run takes by itself does not work"
        return findings.table(self.findings) + end


def doctor() -> Report:
    """Examines this installation; never raises because of what it finds."""
    usable = backends.available()
    default = "cpu" if usable["cuda"] else "cuda"
    driver, major = cuda_driver(), cupy_major()
    found = [
        Finding("ptycupy", f"{__version__} in {Path(__file__).parents[1]}"),
        findings.python(sys.version_info[:3], platform.platform(), os.cpu_count()),
        *findings.packages({name: package_version(name) for name in PACKAGES}),
        _threads(),
        findings.cuda_driver(driver, major),
        findings.cupy(_installed(), driver),
        *(Finding("device", line) for line in list_devices()),
        *(Finding(f"backend {name}", reason or "usable") for name, reason in usable.items()),
    ]
    results = {
        name: [_checked(f"{name} {what}", check, name) for what, check in CHECKS.items()]
        for name, reason in usable.items()
        if not reason
    }
    found += [finding for several in results.values() for finding in several]
    if "cuda" not in results and find("nvrtc", major or 12) is not None:
        found.append(_checked("cuda compiler", compiled, "cuda"))
    found += findings.libraries(_loaded())
    found += [_disk("here", Path.cwd(), "another output.folder"), _disk("cache", _cache(), "set PTYCUPY_CACHE_DIR")]
    found.append(_mpi())
    healthy = default in results and not any(finding.fix for finding in results[default])
    return Report(tuple(found), healthy)


def _checked(subject: str, check: Callable[[str, str], Finding], backend: str) -> Finding:
    """A calculation's finding, also where it fails."""
    try:
        return check(subject, backend)
    except (PtycupyError, ImportError, OSError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return Finding(subject, f"failed: {first}", FAILED[backend])


def _installed() -> Mapping[str, str]:
    return {name: version for name in findings.CUPY if (version := package_version(name)) is not None}


def _threads() -> Finding:
    try:
        from ptycupy.backends.cpu.jit import THREADING_LAYER, numba
    except ImportError as error:
        return Finding("numba", f"the CPU backend cannot be imported: {error}", "pip install --force-reinstall numba")
    return findings.numba_threads(THREADING_LAYER, numba.get_num_threads(), os.cpu_count())


def _loaded() -> list[str]:
    """Paths of the shared libraries in this process; none where the system does not list them."""
    try:
        lines = MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6]


def _disk(subject: str, path: Path, fix: str) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=path):
            writable = True
    except OSError:
        writable = False
    return findings.disk(subject, str(path), shutil.disk_usage(path).free / 2**30, writable, fix)


def _cache() -> Path:
    """The nearest folder that exists above the cache of compiled code."""
    try:
        folder = user_cache()
    except RuntimeError:  # no home folder
        return Path.cwd()
    while not folder.exists():
        folder = folder.parent
    return folder


def _mpi() -> Finding:
    failure = ""
    if launched() is not None:
        try:
            join()
        except PtycupyError as error:
            failure = str(error)
    return findings.mpi(package_version("mpi4py"), launched(), failure)
