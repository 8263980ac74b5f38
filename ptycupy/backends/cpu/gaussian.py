"""The Gaussian (amplitude) loss sqrt(mean (I^p - M^p)^2) / mean(M^p)."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import at_least, raised
from ptycupy.backends.interface import Array


@jit
def row_statistics(sums: Array, intensity: Array, measured: Array, power: float, kind: int) -> None:
    zero, floor = intensity.dtype.type(0), intensity.dtype.type(FLOOR)
    squares, data, count = 0.0, 0.0, 0.0
    for x in range(intensity.size):
        counted = measured[x] >= zero
        observed = raised(at_least(measured[x], zero), power, kind)
        difference = raised(at_least(intensity[x], floor), power, kind) - observed
        squares += float(difference * difference) if counted else 0.0
        data += float(observed)
        count += 1.0 if counted else 0.0
    sums[0], sums[1], sums[2] = squares, data, count


@jit_parallel
def statistics(sums: Array, intensity: Array, measured: Array, power: float, kind: int) -> None:
    """sums [n ky, 3]: per row sum (I^p - M^p)^2, sum M^p and the count; intensity and measured [n ky, kx]."""
    for row in prange(len(sums)):
        row_statistics(sums[row], intensity[row], measured[row], power, kind)


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


@jit
def row_gradient(grad: Array, intensity: Array, measured: Array, power: float, kind: int, factor: float) -> None:
    zero, floor = intensity.dtype.type(0), intensity.dtype.type(FLOOR)
    for x in range(grad.size):
        modelled = at_least(intensity[x], floor)
        root = raised(modelled, power, kind)
        pull = factor * (root - raised(at_least(measured[x], zero), power, kind)) * (root / modelled)
        grad[x] = pull if measured[x] >= zero else zero


@jit_parallel
def gradient(grad: Array, intensity: Array, measured: Array, power: float, kind: int, factor: float) -> None:
    """grad = factor (I^p - M^p) I^(p-1) where counted, else 0; all [n ky, kx]."""
    for row in prange(len(grad)):
        row_gradient(grad[row], intensity[row], measured[row], power, kind, factor)


__all__ = ["gradient", "outer_factor", "row_gradient", "row_statistics", "statistics", "value"]
