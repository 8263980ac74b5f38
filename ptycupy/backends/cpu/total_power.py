"""Total power and the rescaling to a wanted one."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.interface import Array


@jit_parallel
def total_power(sums: Array, values: Array) -> None:
    """sums [blocks] of the squares of flat real values (the real and imaginary parts of waves)."""
    for block in prange(sums.size):
        total = 0.0
        for i in range(block * BLOCK, min((block + 1) * BLOCK, values.size)):
            total += float(values[i]) * float(values[i])
        sums[block] = total


__all__ = ["total_power"]
