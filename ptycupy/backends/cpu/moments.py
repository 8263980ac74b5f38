"""Sums and first moments."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def waves(sums: Array, waves: Array) -> None:
    """sums [rows, y, 4] over x of |w|^2 (1, y, x, |w|^2); waves [rows, y, x]."""
    rows, height, width = waves.shape
    for line in prange(rows * height):
        row, y = line // height, line % height
        power, along_x, square = 0.0, 0.0, 0.0
        for x in range(width):
            value = float(waves[row, y, x].real) ** 2 + float(waves[row, y, x].imag) ** 2
            power += value
            along_x += x * value
            square += value * value
        sums[row, y, 0] = power
        sums[row, y, 1] = y * power
        sums[row, y, 2] = along_x
        sums[row, y, 3] = square


@jit_parallel
def planes(sums: Array, box: Array) -> None:
    """sums [rows, y, 3] over x of v (1, y - y0, x - x0), (y0, x0) the middle; box [rows, y, x]."""
    rows, height, width = box.shape
    for line in prange(rows * height):
        row, y = line // height, line % height
        total, along_x = 0.0, 0.0
        for x in range(width):
            total += float(box[row, y, x])
            along_x += (x - 0.5 * (width - 1)) * float(box[row, y, x])
        sums[row, y, 0] = total
        sums[row, y, 1] = (y - 0.5 * (height - 1)) * total
        sums[row, y, 2] = along_x


__all__ = ["planes", "waves"]
