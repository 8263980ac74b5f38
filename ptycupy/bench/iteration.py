"""Seconds per iteration of synthetic scans: every pattern once, device synchronised, nothing loaded or saved in it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ptycupy.backends.interface import Backend
from ptycupy.bench.ceilings import iteration_transform_flops
from ptycupy.bench.sampling import Sampler
from ptycupy.errors import ResourceError
from ptycupy.experiment.probe import make_probe
from ptycupy.experiment.state import Problem, State
from ptycupy.reconstruction.engine import Engine
from ptycupy.update.settings import Constraint, Settings

SCAN = 16384  # patterns of the paper's scan, 128 x 128
STEP_PX = 3
RATES = {"object_amplitude": 5e-4, "object_phase": 5e-4, "probe": 1e-4, "shifts": 5e-4}
CONSTRAINTS = ("orthogonal_probe", "fixed_probe_intensity", "depth_blur", "amplitude_threshold", "positive_phase")


@dataclass(frozen=True)
class Point:
    """What an iteration's time depends on."""

    batch: int
    modes: int
    slices: int
    window: int = 128


BATCHES = (1, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
PAPER_BATCHES = BATCHES[3:]
# Of the PtyRAD paper: what a figure varies, the rest as in its Table S5: 12 modes, 6 slices. Panels c, d: batch 16.
SWEEPS = {
    "figure 3b": [Point(batch, 12, 6) for batch in BATCHES],
    "figure 3c": [Point(16, modes, 6) for modes in (1, 2, 3, 4, 6, 8, 12)],
    "figure 3d": [Point(16, 12, slices) for slices in (1, 2, 3, 6, 12, 21)],
    "window": [Point(16, 8, 6, window) for window in (64, 128, 256)],
    "large windows": [Point(32, 8, 21, 256)],
}
LOAD = {"load": [Point(16, 12, 6)]}  # small batches are where a device waits, if it does
PAPER = {
    "table s5": [Point(batch, 12, 6) for batch in (16, 64, 256, 1024)],
    "figure s5": [Point(b, m, z) for z in (1, 3, 6) for m in (1, 3, 6, 12) for b in PAPER_BATCHES],
    "figure s7": [Point(256, 12, 1)],
}
QUICK_SWEEPS = {
    "figure 3b": [Point(batch, 4, 6) for batch in (1, 4, 16, 64)],
    "figure 3c": [Point(16, modes, 6) for modes in (1, 4, 8)],
    "figure 3d": [Point(16, 4, slices) for slices in (1, 3, 6)],
    "window": [Point(16, 2, 3, window) for window in (64, 128, 256)],
}
QUICK_LOAD = {"load": [Point(16, 4, 6)]}
QUICK_PAPER = {
    "figure s5": [Point(b, m, z) for z in (1, 3) for m in (1, 3) for b in (16, 64)],
    "figure s7": [Point(256, 12, 1)],
}


def synthetic_engine(backend: Backend, point: Point, patterns: int) -> Engine:
    """An engine with the paper's settings on patterns of counting noise, scanned in steps of 3 px."""
    random = np.random.default_rng(0)
    side = math.ceil(math.sqrt(patterns))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)[:patterns]
    shape = (1, point.slices, *(2 * (point.window + STEP_PX * side,)))
    probe = make_probe(80, 24.9, (point.window, point.window), 0.15, modes=point.modes)
    state = State(
        np.ones(shape, np.float32),
        random.uniform(0, 1e-8, shape).astype(np.float32),
        probe.reshape(point.modes, point.window, point.window).astype(np.complex64),
        np.zeros((patterns, 2), np.float32),
        np.zeros((1, 2), np.float32),
        2.0,
    )
    measured = random.integers(0, 8, (patterns, point.window, point.window), np.uint16)
    settings = Settings(
        {"gaussian": {}, "sparsity": {}},
        learning_rates=RATES,
        constraints=[Constraint(name) for name in CONSTRAINTS],
        batch_size=point.batch,
    )
    return Engine(Problem(measured, STEP_PX * grid, 0.15, 0.0418, pattern_scale=1e-3), state, settings, backend)


def patterns_to_time(backend: Backend, point: Point) -> int:
    """All of the scan on a GPU (4096 of the largest windows); on a CPU 64, but no less than a batch."""
    if backend.name == "cpu":
        return max(64, point.batch)
    return SCAN if point.window <= 128 else SCAN // 4


def time_point(
    backend: Backend, point: Point, patterns: int, repeats: int, budget_s: float, gflops: float
) -> dict[str, Any]:
    """Seconds of iterations and what they come to for 16384 patterns, with their deviation.

    One iteration goes before; no more are made once `budget_s` seconds are over, and if it took that long alone it
    is the measurement. `gflops` is the best rate of transforms, of which the share is given.
    """
    row: dict[str, Any] = {**asdict(point), "patterns_timed": patterns, "patterns_stated": SCAN}
    try:
        engine = synthetic_engine(backend, point, patterns)
        begun = time.perf_counter()
        engine.run(1)
        with Sampler(backend.name) as sampler:
            while len(engine.history.seconds) <= repeats and time.perf_counter() - begun < budget_s:
                engine.run(1)
    except ResourceError as error:
        backend.release()
        return {**row, "failed": str(error)}
    seconds = engine.history.seconds[1:] or engine.history.seconds
    median = statistics.median(seconds)
    flops = iteration_transform_flops((point.window, point.window), patterns, point.modes, point.slices)
    return {
        **row,
        "sub_batch": min(engine.sub_batch, point.batch),
        "pattern_bytes": int(engine.experiment.patterns.nbytes),
        "warmed_up": len(engine.history.seconds) > 1,
        "seconds_timed": seconds,
        "seconds_per_iteration": median * SCAN / patterns,
        "deviation": statistics.stdev(seconds) * SCAN / patterns if len(seconds) > 1 else None,
        "patterns_per_second": patterns / median,
        "transform_gflops": flops / median / 1e9,
        "share_of_best_transforms": flops / median / 1e9 / gflops,
        "load": sampler.summary,
    }


def every_point(sweeps: Sequence[dict[str, list[Point]]]) -> list[Point]:
    """Each point once, in order of first appearance."""
    return list(dict.fromkeys(point for sweep in sweeps for points in sweep.values() for point in points))
