"""The Poisson loss -mean(M^p ln(I^p + eps) - I^p) / mean(M^p)."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.cpu.scalar import raised
from ptycupy.backends.interface import Array


@jit_parallel
def statistics(sums: Array, intensity: Array, measured: Array, power: float, kind: int, eps: float) -> None:
    """sums [n ky, 3]: per row sum (M^p ln(I^p + eps) - I^p), sum M^p and the count; arrays [n ky, kx]."""
    rows, width = intensity.shape
    for row in prange(rows):
        likelihood, data, count = 0.0, 0.0, 0
        for x in range(width):
            counted = measured[row, x] >= 0
            observed = raised(max(measured[row, x], intensity.dtype.type(0)), power, kind)
            modelled = raised(max(intensity[row, x], intensity.dtype.type(FLOOR)), power, kind)
            term = observed * math.log(modelled + eps) - modelled
            likelihood += float(term) if counted else 0.0
            data += float(observed)
            count += 1 if counted else 0
        sums[row, 0] = likelihood
        sums[row, 1] = data
        sums[row, 2] = count


def value(statistics: Array) -> Array:
    """[the loss]; 0 where nothing was counted or measured."""
    return np.array([-float(statistics[0]) / float(statistics[1]) if statistics[1] > 0 else 0.0])


def outer_factor(statistics: Array, power: float, factor: float) -> float:
    """What multiplies (1 - M^p / (I^p + eps)) I^(p-1) in the gradient; 0 where nothing was measured."""
    return factor * power / float(statistics[1]) if statistics[1] > 0 else 0.0


@jit_parallel
def gradient(
    grad: Array, intensity: Array, measured: Array, power: float, kind: int, eps: float, factor: float
) -> None:
    """grad = factor (1 - M^p / (I^p + eps)) I^(p-1) where counted, else 0; all [n ky, kx]."""
    rows, width = intensity.shape
    for row in prange(rows):
        for x in range(width):
            counted = measured[row, x] >= 0
            floored = max(intensity[row, x], intensity.dtype.type(FLOOR))
            observed = raised(max(measured[row, x], intensity.dtype.type(0)), power, kind)
            modelled = raised(floored, power, kind)
            # One fraction, because 1 - M / I loses its digits where the model fits.
            pull = factor * ((modelled - observed) + eps) / (modelled + eps) * (modelled / floored)
            grad[row, x] = pull if counted else intensity.dtype.type(0)


__all__ = ["gradient", "outer_factor", "statistics", "value"]
