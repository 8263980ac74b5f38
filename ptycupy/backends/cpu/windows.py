"""Windows on the object canvas, and how work on them is divided without races.

Sums into the canvas are divided by canvas rows: each row belongs to one band, and within it the patterns are
added in batch order. The result does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads

from ptycupy.backends.cpu.jit import jit
from ptycupy.backends.interface import Array


@jit
def _all_inside(corners: Array, indices: Array, height: int, width: int, rows: int, columns: int) -> bool:
    for i in range(indices.size):
        index = indices[i]
        if index < 0 or index >= corners.shape[0]:
            return False
        y, x = corners[index, 0], corners[index, 1]
        if y < 0 or x < 0 or y + height > rows or x + width > columns:
            return False
    return True


@jit
def _bands(corners: Array, indices: Array, height: int, rows: int, count: int) -> Array:
    """int64 [count + 1] canvas rows that part the window rows into equal shares."""
    change = np.zeros(rows + 1, np.int64)
    for i in range(indices.size):
        top = corners[indices[i], 0]
        change[top] += 1
        change[top + height] -= 1
    bounds = np.full(count + 1, rows, np.int64)
    bounds[0] = 0
    total, band, here, done = indices.size * height, 1, 0, 0
    for row in range(rows):
        here += change[row]
        done += here
        while band < count and done * count >= total * band:
            bounds[band] = row + 1
            band += 1
    return bounds


def require_inside(corners: Array, indices: Array, window: tuple[int, int], canvas: tuple[int, int]) -> None:
    """Raises ValueError unless every window of the batch lies on the canvas: kernels check no bounds."""
    if not _all_inside(corners, indices, *window, *canvas):
        raise ValueError(
            f"windows of {window[0]} x {window[1]} px at corners[indices] do not all lie on the canvas "
            f"of {canvas[0]} x {canvas[1]} px, or an index is outside 0..{len(corners) - 1}"
        )


def row_bands(corners: Array, indices: Array, window: tuple[int, int], canvas: tuple[int, int]) -> Array:
    """Canvas rows [threads + 1] between which each thread adds; checks the windows first."""
    require_inside(corners, indices, window, canvas)
    return _bands(corners, indices, window[0], canvas[0], get_num_threads())


__all__ = ["require_inside", "row_bands"]
