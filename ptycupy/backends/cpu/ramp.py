"""Linear ramps about a centre, subtracted or put on as phases."""

from __future__ import annotations

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.scalar import sincos
from ptycupy.backends.interface import Array


@jit_parallel
def subtract(values: Array, offset: float, slope_y: float, slope_x: float, centre_y: float, centre_x: float) -> None:
    """values [rows, Y, X] -= offset + slope_y (y - centre_y) + slope_x (x - centre_x)."""
    rows, height, width = values.shape
    for line in prange(rows * height):
        row, y = line // height, line % height
        start = offset + slope_y * (y - centre_y)
        for x in range(width):
            values[row, y, x] -= start + slope_x * (x - centre_x)


@jit_parallel
def modulate(waves: Array, slope_y: float, slope_x: float, centre_y: float, centre_x: float) -> None:
    """waves [rows, y, x] *= exp(i (slope_y (y - centre_y) + slope_x (x - centre_x)))."""
    rows, height, width = waves.shape
    for line in prange(rows * height):
        row, y = line // height, line % height
        start = slope_y * (y - centre_y)
        for x in range(width):
            sine, cosine = sincos(start + slope_x * (x - centre_x))
            waves[row, y, x] *= complex(cosine, sine)


__all__ = ["modulate", "subtract"]
