"""Seconds of the ops of an iteration, and their counted bytes and flops against the machine's ceilings."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ptycupy.backends.interface import Array, Backend
from ptycupy.bench.iteration import Point
from ptycupy.experiment.propagation import propagation_tables
from ptycupy.planning import cost_of

OBJECT_MARGIN = 108  # px of the canvas beyond the window


class Scene:
    """Arrays of one batch, and the calls on them: name -> (method, arguments)."""

    def __init__(self, backend: Backend, point: Point) -> None:
        self.backend = b = backend
        random = np.random.default_rng(0)
        n, modes, slices, side = point.batch, point.modes, point.slices, point.window
        canvas = side + OBJECT_MARGIN

        def real(*shape: int) -> Array:
            return b.asarray(random.uniform(0.1, 2, shape).astype(np.float32))

        def wave(*shape: int) -> Array:
            pair = random.standard_normal((*shape, 2), np.float32)
            return b.asarray(pair.view(np.complex64)[..., 0])

        tables = propagation_tables((side, side), (0.15, 0.15), 0.0418)
        arrays = [b.asarray(t.astype(np.float32)) for t in (tables.base, tables.aperture, tables.ky, tables.kx)]
        amplitude, phase, gradient = (real(1, slices, canvas, canvas) for _ in range(3))
        first, second = (real(1, slices, canvas, canvas) for _ in range(2))
        transmission, gathered = (wave(1, slices, canvas, canvas) for _ in range(2))
        probe, grad_probe = (wave(modes, side, side) for _ in range(2))
        shifts, grad_shifts = real(n, 2), real(n, 2)
        waves, other = (wave(n, 1, modes, side, side) for _ in range(2))
        corners = b.asarray(random.integers(0, OBJECT_MARGIN, (n, 2)).astype(np.int32))
        indices = b.asarray(np.arange(n, dtype=np.int32))
        tilts, thickness, occupancy = real(1, 2), real(1), b.asarray(np.ones(1, np.float32))
        transfer = b.transfer_forward(tilts, thickness, *arrays)
        intensity, measured = real(n, side, side), real(n, side, side)
        stored = b.asarray(random.integers(0, 1000, (n, side, side), np.uint16))
        mask, weights = b.asarray(np.ones((side, side), np.uint8)), b.asarray(np.ones(n, np.uint8))
        statistics_ = b.gaussian_statistics(intensity, measured, 0.5)
        spectrum = b.shift_forward(probe, shifts)[1]
        entries = b.multislice_forward(waves, transmission, transfer, corners, indices)[1]
        at = (corners, indices)
        self.calls: dict[str, tuple[str, tuple[Any, ...]]] = {
            "transmission": ("transmission_forward", (amplitude, phase)),
            "transmission, adjoint": ("transmission_backward", (transmission, amplitude, phase, None, gradient)),
            "probe shift": ("shift_forward", (probe, shifts)),
            "probe shift, adjoint": ("shift_backward", (other, shifts, spectrum, grad_probe, grad_shifts)),
            "transmit": ("transmit_forward", (waves, transmission, 0, *at)),
            "propagate": ("propagate_forward", (waves, transfer, 0, False)),
            "multislice": ("multislice_forward", (waves, transmission, transfer, *at)),
            "multislice, adjoint": (
                "multislice_backward",
                (other, entries, transmission, transfer, *at, gathered, True),
            ),
            "far field": ("far_field_forward", (waves,)),
            "far field, adjoint": ("far_field_backward", (other,)),
            "intensity": ("intensity_forward", (waves, occupancy)),
            "intensity, adjoint": ("intensity_backward", (intensity, waves, occupancy)),
            "patterns": ("patterns", (stored, indices, real(n), mask, weights)),
            "amplitude loss": ("gaussian_statistics", (intensity, measured, 0.5)),
            "amplitude loss, gradient": ("gaussian_gradient", (intensity, measured, 0.5, statistics_, 1.0)),
            "adam (phase)": ("adam", (phase, gradient, first, second, 0.0, 10, 0.9, 0.999, 1e-8, None)),
            "clamp": ("clamp", (amplitude, 0.9, 1.1, 0.0)),
            "orthogonalise": ("orthogonalise", (probe,)),
        }


def time_ops(
    backend: Backend, point: Point, copy_gb_per_s: float, fft_gflops: float, budget_s: float
) -> Iterator[dict[str, Any]]:
    """A row per op. Counted bytes are those that must pass memory: an op whose arrays stay in caches exceeds a copy."""
    for name, (method, arguments) in Scene(backend, point).calls.items():
        cost = cost_of(backend.name, method, *arguments)
        seconds = _median_seconds(backend, getattr(backend, method), arguments, budget_s)
        flops = cost.flops + cost.transform_flops
        rates = cost.bytes / seconds / 1e9, flops / seconds / 1e9
        yield {
            "op": name,
            "seconds": seconds,
            "gb_per_s": rates[0],
            "gflops": rates[1],
            "transform_gflops": cost.transform_flops / seconds / 1e9,
            "share_of_copy": rates[0] / copy_gb_per_s,
            "share_of_transforms": cost.transform_flops / seconds / 1e9 / fft_gflops,
        }


def _median_seconds(
    backend: Backend, call: Callable[..., object], arguments: tuple[Any, ...], budget_s: float
) -> float:
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < 4 or time.perf_counter() - begun < budget_s:
        start = time.perf_counter()
        with backend.arena():
            call(*arguments)
        backend.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])  # the first one compiles
