"""How many windows of the batch cover each pixel."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def coverage(counts: Array, window: tuple[int, int], corners: Array, indices: Array, bands: Array) -> None:
    """counts [Y, X] += 1 at every window. Divided by canvas rows."""
    height, width = window
    for band in prange(bands.size - 1):
        for row in range(bands[band], bands[band + 1]):
            for i in range(indices.size):
                y, left = row - corners[indices[i], 0], corners[indices[i], 1]
                if 0 <= y < height:
                    stretch = counts[row, left : left + width]
                    for x in range(width):
                        stretch[x] += 1


__all__ = ["coverage"]
