"""Seconds of the ops of an iteration, and their counted bytes and flops against the machine's ceilings."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any, cast

from ptycupy.backends.interface import Backend
from ptycupy.bench.iteration import Point
from ptycupy.bench.scene import Call, Scene, counted
from ptycupy.planning import twin_of

OPS = (
    "transmission forward",
    "transmission backward",
    "shift forward",
    "shift backward",
    "transmit forward",
    "propagate forward",
    "multislice forward",
    "multislice backward",
    "far field forward",
    "far field backward",
    "intensity forward",
    "intensity backward",
    "diffraction forward",
    "misfit forward and backward",
    "misfit forward and backward, with the transfer function's",
    "patterns (uint16)",
    "gaussian statistics",
    "gaussian gradient",
    "adam (one object field)",
    "clamp",
    "orthogonalise",
)


def time_ops(
    backend: Backend, point: Point, copy_gb_per_s: float, fft_gflops: float, budget_s: float
) -> Iterator[dict[str, Any]]:
    """A row per op. Counted bytes are those that must pass memory: an op whose arrays stay in caches exceeds a copy."""
    calls, cost_of = Scene(backend, point).calls(), counted(Scene(cast(Backend, twin_of(backend)), point))
    for name in OPS:
        cost, seconds = cost_of(name), _median_seconds(backend, calls[name], budget_s)
        rate = cost.bytes / seconds / 1e9
        yield {
            "op": name,
            "seconds": seconds,
            "gb_per_s": rate,
            "gflops": cost.all_flops / seconds / 1e9,
            "transform_gflops": cost.transform_flops / seconds / 1e9,
            "share_of_copy": rate / copy_gb_per_s,
            "share_of_transforms": cost.transform_flops / seconds / 1e9 / fft_gflops,
        }


def _median_seconds(backend: Backend, call: Call, budget_s: float) -> float:
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < 4 or time.perf_counter() - begun < budget_s:
        start = time.perf_counter()
        with backend.arena():
            call()
        backend.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])  # the first one compiles
