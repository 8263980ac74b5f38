"""measured = stored patterns times their scale, padded, zero frequency moved to the corner, -1 where nothing counts."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array

READABLE = "?bBhHiIlLqQfd"  # what compiled code reads as it is; the rest (float16, foreign byte order) is converted


@jit_parallel
def patterns(
    measured: Array,
    stored: Array,
    rows: Array,
    indices: Array,
    scale: Array,
    mask: Array,
    used: Array,
    background: Array,
) -> None:
    """measured [n, Y, X] from stored[rows] [N, ky, kx]; scale and used (weights) are those of `indices`.

    The background [Y, X], in corner order, is read only where measured is larger than stored.
    """
    count, height, width = measured.shape
    top = height // 2 - stored.shape[1] // 2
    left = width // 2 - stored.shape[2] // 2
    for item in prange(count * height):
        i, y = item // height, item % height
        source, factor = rows[i], scale[indices[i]]
        row = (y + height // 2) % height - top
        inside = 0 <= row < stored.shape[1]
        for half in range(2):  # the centred columns from width // 2 on come first in corner order
            start, stop, offset = (0, width - width // 2, width // 2)
            if half == 1:
                start, stop, offset = width - width // 2, width, width // 2 - width
            for x in range(start, stop):
                column = x + offset - left
                if inside and 0 <= column < stored.shape[2]:
                    value = stored[source, row, column]
                    result = measured.dtype.type(value * factor)
                    counted = value >= 0
                else:
                    result = background[y, x]
                    counted = True
                counted = counted and result < np.inf and mask[y, x] != 0 and used[indices[i]] != 0
                measured[i, y, x] = result if counted else -1


def readable(stored: NDArray[np.generic], indices: Array) -> tuple[Array, Array]:
    """The array that compiled code may read, and the rows of it that hold these patterns.

    Arrays in C order and native byte order are read in place; of others only the batch is copied. Raises TypeError
    for what are not real numbers of at most 64 bits.
    """
    if stored.dtype.kind not in "biuf" or stored.dtype.itemsize > 8:
        raise TypeError(f"patterns of dtype {stored.dtype} cannot be read: bool, integers or float16 to float64 can")
    if stored.dtype.char in READABLE and stored.dtype.isnative and stored.flags.c_contiguous and stored.flags.aligned:
        return stored, indices
    batch = stored[indices]
    dtype = np.dtype(np.float32) if stored.dtype.char == "e" else batch.dtype.newbyteorder("=")
    return np.ascontiguousarray(batch, dtype), np.arange(len(indices), dtype=np.int32)


__all__ = ["patterns", "readable"]
