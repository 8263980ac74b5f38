"""The Gaussian (amplitude) loss sqrt(mean (I^p - M^p)^2) / mean(M^p)."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.scalar import raised
from ptycupy.backends.interface import Array


@jit_parallel
def statistics(sums: Array, intensity: Array, measured: Array, power: float, kind: int) -> None:
    """sums [n ky, 3]: per row sum (I^p - M^p)^2, sum M^p and the count; intensity and measured [n ky, kx]."""
    rows, width = intensity.shape
    for row in prange(rows):
        squares, data, count = 0.0, 0.0, 0
        for x in range(width):
            counted = measured[row, x] >= 0
            observed = raised(max(measured[row, x], intensity.dtype.type(0)), power, kind)
            modelled = raised(max(intensity[row, x], intensity.dtype.type(FLOOR)), power, kind)
            difference = modelled - observed if counted else intensity.dtype.type(0)
            squares += float(difference * difference)
            data += float(observed)
            count += 1 if counted else 0
        sums[row, 0] = squares
        sums[row, 1] = data
        sums[row, 2] = count


def value(statistics: Array) -> Array:
    """[the loss]; 0 where nothing was counted or measured."""
    squares, data, count = (float(total) for total in statistics)
    return np.array([math.sqrt(squares / count) / (data / count) if data > 0 else 0.0])


def outer_factor(statistics: Array, power: float, factor: float) -> float:
    """What multiplies (I^p - M^p) I^(p-1) in the gradient; 0 where the loss is 0."""
    squares, data, count = (float(total) for total in statistics)
    if squares == 0 or data == 0:
        return 0.0
    return factor * power / (count * math.sqrt(squares / count) * (data / count))


@jit_parallel
def gradient(grad: Array, intensity: Array, measured: Array, power: float, kind: int, factor: float) -> None:
    """grad = factor (I^p - M^p) I^(p-1) where counted, else 0; all [n ky, kx]."""
    rows, width = intensity.shape
    for row in prange(rows):
        for x in range(width):
            counted = measured[row, x] >= 0
            floored = max(intensity[row, x], intensity.dtype.type(FLOOR))
            observed = raised(max(measured[row, x], intensity.dtype.type(0)), power, kind)
            modelled = raised(floored, power, kind)
            pull = factor * (modelled - observed) * (modelled / floored)
            grad[row, x] = pull if counted else intensity.dtype.type(0)


__all__ = ["gradient", "outer_factor", "statistics", "value"]
