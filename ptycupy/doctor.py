"""doctor: what this installation is, what it can use, and whether its gradients are right."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptycupy import __version__, backends
from ptycupy.backends.cache import package_version, user_cache
from ptycupy.errors import PtycupyError
from ptycupy.experiment.state import Problem, State

PACKAGES = ("numpy", "numba", "rocket-fft", "scipy", "h5py", "hdf5plugin", "pydantic", "matplotlib")
CUPY = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Report:
    """(subject, finding) pairs; `healthy` where the CPU backend computes right gradients."""

    findings: tuple[tuple[str, str], ...]
    healthy: bool

    def __str__(self) -> str:
        width = max(len(subject) for subject, _ in self.findings)
        return "\n".join(f"{subject:{width}}  {finding}" for subject, finding in self.findings)


def doctor() -> Report:
    """Examines this installation; never raises because of what it finds."""
    checked, healthy = _gradient()
    findings = [
        ("ptycupy", f"{__version__} in {Path(__file__).parent}"),
        ("python", f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} CPU cores"),
        *((name, package_version(name) or "not installed") for name in PACKAGES),
        ("numba threads", _threads()),
        ("cupy", ", ".join(f"{name} {found}" for name in CUPY if (found := package_version(name))) or "not installed"),
        *((f"backend {name}", reason or "usable") for name, reason in backends.available().items()),
        ("cpu gradient", checked),
        *((f"disk, {subject}", _free(path)) for subject, path in (("here", Path.cwd()), ("cache", _cache()))),
    ]
    return Report(tuple(findings), healthy)


def _threads() -> str:
    try:
        from ptycupy.backends.cpu.jit import THREADING_LAYER
    except ImportError as error:
        return f"the CPU backend cannot be imported: {error}"
    if THREADING_LAYER == "workqueue":
        return "workqueue layer: calls from several Python threads wait for each other; OpenMP or TBB would not"
    return f"{THREADING_LAYER} layer"


def _gradient() -> tuple[str, bool]:
    """The slope of a two-slice model's loss along the gradient, against central differences in double precision."""
    from ptycupy.functional import loss_and_gradients

    random = np.random.default_rng(0)
    y, x = np.mgrid[-4:4, -4:4]
    probe = np.exp(-(y**2 + x**2) / 8.0)[None] * (1 + 0.2j * random.standard_normal((1, 8, 8)))
    problem = Problem(
        patterns=random.uniform(0.1, 1.0, (2, 8, 8)),
        corners=np.array([[0, 1], [2, 0]]),
        pixel_size=0.2,
        wavelength=0.02,
    )
    phase = 0.2 * random.standard_normal((1, 2, 10, 10))
    state = State(np.ones_like(phase), phase, probe, np.full((2, 2), 0.3), np.zeros((1, 2)), np.asarray(5.0))
    step = 1e-5 * random.standard_normal(phase.shape)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        moved = state.replace(object_phase=values)
        terms = {"gaussian": {"weight": 1.0, "power": 0.5}}
        value, gradients = loss_and_gradients(problem, moved, [0, 1], terms, backend="cpu", dtype="float64")
        return value.total, gradients.object_phase

    try:
        found = float((loss(phase)[1] * step).sum())
        expected = (loss(phase + step)[0] - loss(phase - step)[0]) / 2
    except (PtycupyError, ImportError) as error:
        return f"failed: {error}", False
    difference = abs(found - expected) / max(abs(expected), 1e-300)
    if difference < TOLERANCE:
        return f"agrees with central differences to {difference:.1e}", True
    return f"WRONG: {found:.6g}, but central differences give {expected:.6g}", False


def _cache() -> Path:
    """The nearest folder that exists above the cache of compiled code."""
    try:
        folder = user_cache()
    except RuntimeError:  # no home folder
        return Path.cwd()
    while not folder.exists():
        folder = folder.parent
    return folder


def _free(path: Path) -> str:
    return f"{shutil.disk_usage(path).free / 2**30:.1f} GiB free in {path}"
