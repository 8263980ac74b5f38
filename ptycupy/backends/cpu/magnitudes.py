"""The largest absolute value and the sum of absolute values of a long vector."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.scalar import BLOCK
from ptycupy.backends.interface import Array


@jit_parallel
def magnitudes(partials: Array, values: Array) -> None:
    """partials [blocks, 2] of (max |x|, sum |x|); flat real values. A NaN shows in the sum."""
    for block in prange(len(partials)):
        largest, total = 0.0, 0.0
        for i in range(block * BLOCK, min((block + 1) * BLOCK, values.size)):
            size = abs(float(values[i]))
            largest = size if size > largest else largest
            total += size
        partials[block, 0] = largest
        partials[block, 1] = total


__all__ = ["magnitudes"]
