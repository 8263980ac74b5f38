"""How many values are NaN or infinite."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.interface import Array


@jit
def _count(values: Array) -> int:
    count = 0
    for i in range(values.size):
        count += 0 if math.isfinite(values[i].real) and math.isfinite(values[i].imag) else 1
    return count


@jit_parallel
def count_nonfinite(counts: Array, values: Array) -> None:
    """counts [blocks] for flat real or complex values; a complex value counts once."""
    for block in prange(counts.size):
        counts[block] = _count(values[block * BLOCK : min((block + 1) * BLOCK, values.size)])


__all__ = ["count_nonfinite"]
