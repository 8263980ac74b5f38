"""Total power."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.interface import Array


@jit
def _sum_of_squares(values: Array) -> float:
    total = 0.0
    for i in range(values.size):
        total += float(values[i]) * float(values[i])
    return total


@jit_parallel
def total_power(sums: Array, values: Array) -> None:
    """sums [blocks] of the squares of flat real values (the real and imaginary parts of waves)."""
    for block in prange(sums.size):
        sums[block] = _sum_of_squares(values[block * BLOCK : min((block + 1) * BLOCK, values.size)])


__all__ = ["total_power"]
