"""The Poisson loss -mean(M^p ln(I^p + eps) - I^p) / mean(M^p)."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.scalar import at_least, raised
from ptycupy.backends.interface import Array


@jit
def row_statistics(sums: Array, intensity: Array, measured: Array, power: float, kind: int, eps: float) -> None:
    zero, floor = intensity.dtype.type(0), intensity.dtype.type(FLOOR)
    likelihood, data, count = 0.0, 0.0, 0.0
    for x in range(intensity.size):
        counted = measured[x] >= zero
        observed = raised(at_least(measured[x], zero), power, kind)
        modelled = raised(at_least(intensity[x], floor), power, kind)
        likelihood += float(observed * math.log(modelled + eps) - modelled) if counted else 0.0
        data += float(observed)
        count += 1.0 if counted else 0.0
    sums[0], sums[1], sums[2] = likelihood, data, count


@jit_parallel
def statistics(sums: Array, intensity: Array, measured: Array, power: float, kind: int, eps: float) -> None:
    """sums [n ky, 3]: per row sum (M^p ln(I^p + eps) - I^p), sum M^p and the count; arrays [n ky, kx]."""
    for row in prange(len(sums)):
        row_statistics(sums[row], intensity[row], measured[row], power, kind, eps)


def value(statistics: Array) -> Array:
    """[the loss]; 0 where nothing was counted or measured."""
    return np.array([-float(statistics[0]) / float(statistics[1]) if statistics[1] > 0 else 0.0])


def outer_factor(statistics: Array, power: float, factor: float) -> float:
    """What multiplies (1 - M^p / (I^p + eps)) I^(p-1) in the gradient; 0 where nothing was measured."""
    return factor * power / float(statistics[1]) if statistics[1] > 0 else 0.0


@jit
def row_gradient(
    grad: Array, intensity: Array, measured: Array, power: float, kind: int, eps: float, factor: float
) -> None:
    zero, floor = intensity.dtype.type(0), intensity.dtype.type(FLOOR)
    for x in range(grad.size):
        modelled = at_least(intensity[x], floor)
        root = raised(modelled, power, kind)
        # One fraction, because 1 - M / I loses its digits where the model fits.
        misfit = (root - raised(at_least(measured[x], zero), power, kind) + eps) / (root + eps)
        grad[x] = factor * misfit * (root / modelled) if measured[x] >= zero else zero


@jit_parallel
def gradient(
    grad: Array, intensity: Array, measured: Array, power: float, kind: int, eps: float, factor: float
) -> None:
    """grad = factor (1 - M^p / (I^p + eps)) I^(p-1) where counted, else 0; all [n ky, kx]."""
    for row in prange(len(grad)):
        row_gradient(grad[row], intensity[row], measured[row], power, kind, eps, factor)


__all__ = ["gradient", "outer_factor", "row_gradient", "row_statistics", "statistics", "value"]
