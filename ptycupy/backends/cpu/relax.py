"""Relaxed projections in place."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def clamp(values: Array, low: float, high: float, relax: float, rest: float) -> None:
    """x = relax x + rest min(max(x, low), high); flat, rest = 1 - relax. NaN stays NaN."""
    for i in prange(values.size):
        x = values[i]
        bounded = low if x < low else (high if x > high else x)
        values[i] = bounded if relax == 0 else relax * x + rest * bounded


@jit_parallel
def relax(values: Array, before: Array, relax: float, rest: float) -> None:
    """x = relax before + rest x; flat, rest = 1 - relax."""
    for i in prange(values.size):
        values[i] = relax * before[i] + rest * values[i]


__all__ = ["clamp", "relax"]
