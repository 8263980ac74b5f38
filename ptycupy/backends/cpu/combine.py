"""Weighted sums of two arrays."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def combine(
    target: Array,
    source: Array,
    keep: float,
    factor: float,
) -> None:
    """x = keep x + factor source; flat real arrays."""
    for i in prange(target.size):
        target[i] = keep * target[i] + factor * source[i]


__all__ = ["combine"]
