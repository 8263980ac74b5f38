"""Small calculations on a backend whose results are known otherwise: a compilation, a transform, a gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.examination import compile_anew
from ptycupy.doctor.findings import Finding, calculation
from ptycupy.experiment.state import Problem, State

TOLERANCE = {"cpu": 1e-5, "cuda": 1e-3}  # of a gradient: in double precision, and in single against that
SINGLE = 1e-5  # of a transform in single precision
SIZE = 16  # px


def compiled(subject: str, backend: str) -> Finding:
    """What compiles kernels: on a GPU one is compiled here, without the cache; on the CPU the other checks do that."""
    if backend == "cpu":
        from ptycupy.backends.cpu.jit import CACHE_FOLDER

        kept = "memory only, as its cache cannot be written" if CACHE_FOLDER is None else CACHE_FOLDER
        return Finding(subject, f"Numba's, whose work is kept in {kept}")
    return Finding(subject, compile_anew())


def transform(subject: str, backend: str) -> Finding:
    """The far field of a wave in vacuum against the sum that defines it."""
    from ptycupy.functional import forward

    problem, state = _scene()
    flat = state.object_phase[:, :1]
    vacuum = state.replace(
        object_amplitude=np.ones_like(flat), object_phase=np.zeros_like(flat), slice_thickness=np.zeros(0)
    )
    found = np.asarray(forward(problem, vacuum, [0], backend=backend))[0]
    n = np.arange(SIZE)
    turns = np.exp(-2j * np.pi * np.outer(n - SIZE // 2, n - SIZE // 2) / SIZE) / np.sqrt(SIZE)
    expected = np.abs(turns @ state.probe[0] @ turns.T) ** 2
    difference = float(np.abs(found - expected).max() / expected.max())
    return calculation(subject, difference, SINGLE, "agrees with its sum")


def gradient(subject: str, backend: str) -> Finding:
    """The gradient of a two-slice model's loss: on the CPU in double precision against central differences, on a GPU
    against the CPU's."""
    found = _loss_and_gradient("cpu", "float64", _scene()[1].object_phase)[1]
    phase = _scene()[1].object_phase
    if backend != "cpu":
        there = _loss_and_gradient(backend, "float32", phase)[1]
        difference = float(np.linalg.norm(there - found) / np.linalg.norm(found))
        return calculation(subject, difference, TOLERANCE["cuda"], "agrees with the CPU's")
    step = 1e-5 * np.random.default_rng(1).standard_normal(phase.shape)
    slope = float((found * step).sum())
    up, down = (_loss_and_gradient("cpu", "float64", moved)[0] for moved in (phase + step, phase - step))
    difference = abs(slope - (up - down) / 2) / max(abs(slope), 1e-300)
    return calculation(subject, difference, TOLERANCE["cpu"], "agrees with central differences")


def _loss_and_gradient(backend: str, dtype: str, phase: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    from ptycupy.functional import loss_and_gradients

    problem, state = _scene()
    terms = {"gaussian": {"weight": 1.0, "power": 0.5}}
    moved = state.replace(object_phase=phase)
    loss, gradients = loss_and_gradients(problem, moved, [0, 1], terms, backend=backend, dtype=dtype)
    return loss.total, np.asarray(gradients.object_phase, np.float64)


def _scene() -> tuple[Problem, State]:
    """Two patterns of a two-slice object, in double precision."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-SIZE // 2 : SIZE // 2, -SIZE // 2 : SIZE // 2]
    probe = np.exp(-(y**2 + x**2) / 16.0)[None] * (1 + 0.2j * random.standard_normal((1, SIZE, SIZE)))
    problem = Problem(
        patterns=random.uniform(0.1, 1.0, (2, SIZE, SIZE)),
        corners=np.array([[0, 1], [2, 0]]),
        pixel_size=0.2,
        wavelength=0.02,
    )
    phase = 0.2 * random.standard_normal((1, 2, SIZE + 2, SIZE + 2))
    state = State(np.ones_like(phase), phase, probe, np.zeros((2, 2)), np.zeros((1, 2)), np.asarray(5.0))
    return problem, state
